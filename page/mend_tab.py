"""The tab *Mend*: pictures enlarged, coloured, and their holes filled."""

import math
from typing import Any

import gradio as gr

from core.network_metadata import Metadata
from data import picture
from page import networks as known
from page import widgets
from page.easel import Easel

KINDS = ("translator",)
WORDS = {"super_resolution": "enlarge", "colorize": "color", "inpaint": "fill a hole", "edges": "paint a drawing"}
LARGEST = 32 * 10**6  # pixels of what is made
NONE = (
    "No network in zoo/ or outputs/ mends pictures yet. `python train.py model=srgan ...` trains one that enlarges."
)


def build() -> None:
    """Lays out the tab."""
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            content = widgets.photo("Picture", "mend-content")
            how = gr.Dropdown(label="What to do", elem_id="mend-how", allow_custom_value=True)
            none = gr.Markdown(NONE, visible=False)
            with gr.Column(visible=False) as drawing:
                gr.Markdown("Draw over the hole that is to be filled.")
                hole = widgets.brush("mend-hole")
        with gr.Column(scale=3, min_width=300):
            easel = Easel("mend", "Mend")
            command = widgets.command_line()

    def fitting(name: str | None) -> Any:
        """Shows the brush where there is a hole to draw."""
        found = known.networks(KINDS).get(name)
        return gr.update(visible=found is not None and found.metadata.task == "inpaint")

    def choose(content, how, hole):
        source, metadata = widgets.path_of(content, "a picture"), known.find(how, KINDS).metadata
        mask = widgets.drawn(hole) if metadata.task == "inpaint" else None
        if metadata.task == "inpaint" and mask is None:
            raise widgets.refuse("Draw over the hole first: the brush is below the list.")
        check_size(source, metadata)
        return {"content": source, "network": how}, {
            "mask": None if mask is None else 255 * (mask > 0).astype("uint8")
        }

    easel.listen(choose, [content, how, hole], command)
    how.change(fitting, how, drawing, **widgets.LIGHT)
    content.change(widgets.canvas, content, hole, **widgets.LOOK)
    gr.on(None, offered, [], [how, none], **widgets.LIGHT)


def offered() -> tuple:
    """Lists what can be done."""
    found = {name: network for name, network in known.networks(KINDS).items() if network.metadata.task in WORDS}
    choices = [(f"{WORDS[network.metadata.task]}{_times(network.metadata)} ({name.removeprefix('outputs/')})", name)
               for name, network in found.items()]  # fmt: skip
    return gr.update(choices=choices, value=choices[0][1] if choices else None), gr.update(visible=not choices)


def check_size(source: Any, metadata: Metadata) -> None:
    """Raises `gr.Error` for a picture of which too large a one would be made, `GessoError` for what is none."""
    scale = metadata.geometry.scale
    if math.prod(picture.sides(source)) * scale**2 > LARGEST:
        side = int((LARGEST / scale**2) ** 0.5)
        raise widgets.refuse(f"This picture is too large for that: up to about {side} x {side} pixels, please.")


def _times(metadata: Metadata) -> str:
    return f" {metadata.geometry.scale} times" if metadata.geometry.scale > 1 else ""
