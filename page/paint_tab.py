"""The tab *Paint*: photos and films in the manner of a painting."""

from pathlib import Path
from typing import Any

import gradio as gr

from core.network_metadata import Metadata
from data import film
from page import networks as known
from page import thumbnails, widgets
from page.easel import Easel
from stylization.methods import METHODS

DEFAULTS = {
    "strength": 1.0, "preserve_color": "none", "gatys.style_scale": 1.0, "nnst.style_scale": 1.0, "style_size": 512,
    "steps": 200,
}  # fmt: skip
SLOW = {"gatys": "by optimisation, in its textures: minutes", "nnst": "by optimisation, in whole strokes: minutes"}
ANY = tuple(name for name, method in METHODS.items() if "style_size" in method.keys)  # one network for any painting
SHOWN = (*SLOW, *ANY)  # methods that are shown a painting
COLORS = [("the painting's", "none"), ("the photo's own", "histogram"), ("the photo's, brushed", "luminance")]
KINDS = ("stylizer", "translator")


def build(weights: Path | None) -> None:
    """Lays out the tab. `weights`: the file of VGG16's, for optimisation."""
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            content = widgets.photo("Photo", "paint-content")
            with gr.Accordion("A film instead", open=False):
                moving = gr.File(label="Film", file_types=list(film.SUFFIXES), elem_id="paint-film", height=100)
            how = gr.Dropdown(label="Painter", elem_id="paint-how", allow_custom_value=True)
            styles = gr.CheckboxGroup(
                label="In the manner of", info="several: a blend", visible=False, elem_id="paint-styles"
            )
            manners = gr.Gallery(
                show_label=False, columns=4, allow_preview=False, height="auto", buttons=[], interactive=False,
                visible=False, elem_id="paint-manners", elem_classes="whole",
            )  # fmt: skip
            painting = widgets.photo("Painting to paint like", "paint-style")
            with gr.Accordion("Only a part of it", open=False):
                gr.Markdown("Draw over what is to be painted; the rest stays as it is.")
                region = widgets.brush("paint-region")
        with gr.Column(scale=3, min_width=300):
            easel = Easel("paint", "Paint")
            with gr.Row():
                size = gr.Slider(128, 2048, 640, step=32, label="Size", info="longer side, in pixels")
                strength = gr.Slider(0, 1, 1, step=0.05, label="Strength", info="0 leaves the photo")
            with gr.Row():
                brush = gr.Slider(0.25, 2, 1, step=0.05, label="Brush", info="smaller, finer strokes")
                steps = gr.Slider(10, 400, 100, step=10, label="Patience", info="more, closer to the painting")
            color = gr.Radio(COLORS, value="none", label="Colors", elem_id="paint-color")
            command = widgets.command_line()

    def fitting(name: str) -> dict:
        """Shows what a painter has a use for, and hides the rest."""
        with widgets.in_words():
            method, metadata = method_of(name)
        names = list(metadata.styles) if method == "fast" and len(metadata.styles) > 1 else []
        shown = gr.update(visible=method in SHOWN)
        return {
            styles: gr.update(visible=bool(names), choices=names, value=names[:1]),
            painting: shown,
            brush: shown,
            steps: gr.update(visible=method in SLOW),
            strength: gr.update(visible="strength" in METHODS[method].keys),
            color: gr.update(visible=method != "translate"),
        }

    def choose(content, moving, how, styles, painting, region, size, strength, brush, steps, color):
        source = widgets.path_of(moving or content, "a photo or a film")
        options = options_of(source, how, styles, painting, size, strength, brush, steps, color, weights)
        return options, {"region": None if moving else widgets.drawn(region)}

    inputs = [content, moving, how, styles, painting, region, size, strength, brush, steps, color]
    easel.listen(choose, inputs, command)
    how.change(fitting, how, [styles, painting, brush, steps, strength, color], **widgets.LIGHT)
    how.change(thumbnails_of, how, manners, **widgets.LIGHT)
    manners.select(toggle, [styles, how], styles, **widgets.LIGHT)
    content.change(widgets.canvas, content, region, **widgets.LOOK)
    moving.upload(lambda: None, None, content, **widgets.LIGHT)  # what is painted is what was brought last
    content.upload(lambda: None, None, moving, **widgets.LIGHT)
    gr.on(None, offered, [], how, **widgets.LIGHT)


def offered() -> Any:
    """Lists the painters that there are, first those that need no painting beside the photo."""
    found = known.networks(KINDS)
    choices = sorted(known.choices(found, paints), key=lambda choice: not found[choice[1]].metadata.styles)
    choices += [(words, name) for name, words in SLOW.items()]
    return gr.update(choices=choices, value=choices[0][1])


def thumbnails_of(request: gr.Request, name: str) -> Any:
    """Shows a landscape in each of a network's styles."""
    if name in SLOW:
        return gr.update(visible=False, value=[])
    with widgets.in_words():
        network = known.find(name, KINDS)
        pictures = thumbnails.known(network)
        if pictures is None:
            pictures = widgets.done(request, lambda: thumbnails.of(network), "thumbnails")
        return gr.update(visible=bool(pictures), value=pictures)


def toggle(styles: list[str], name: str, event: gr.SelectData) -> list[str]:
    """Chooses the style whose thumbnail was clicked on, or no longer."""
    with widgets.in_words():
        _, metadata = method_of(name)
    if metadata is None or event.index >= len(metadata.styles):  # of the painter before
        return styles
    clicked = metadata.styles[event.index]
    return [style for style in styles if style != clicked] if clicked in styles else [*styles, clicked]


def paints(metadata: Metadata) -> bool:
    """Says whether a network makes pictures anew, rather than mending them."""
    return metadata.kind == "stylizer" or metadata.task is None


def method_of(name: str | None) -> tuple[str, Metadata | None]:
    """Returns the method that a painter's name stands for, and the network's metadata if it is one."""
    if name in SLOW:
        return name, None
    metadata = known.find(name, KINDS).metadata
    return metadata.method, metadata


def options_of(
    source: Path, how: str, styles: list[str], painting: str | None, size: int, strength: float, brush: float,
    steps: int, color: str, weights: Path | None,
) -> dict[str, Any]:  # fmt: skip
    """Returns the options of `stylize.py` for what is chosen on the page. Raises `GessoError`, `gr.Error`."""
    method, metadata = method_of(how)
    options: dict[str, Any] = {"content": source, "size": int(size)}
    if method in SHOWN:
        options["style"] = widgets.path_of(painting, "a painting to paint like")
    if method in SLOW:
        options |= {"method": method, "weights": weights, "steps": int(steps), f"{method}.style_scale": brush}
    else:
        options["network"] = how
    if method in ANY:
        options["style_size"] = round(512 * brush)
    if method == "fast" and len(metadata.styles) > 1:
        if not styles:
            raise widgets.refuse("Choose at least one manner.")
        options["style"] = styles[0] if len(styles) == 1 else [name for name in metadata.styles if name in styles]
    if "strength" in METHODS[method].keys:
        options["strength"] = strength
    if method != "translate":
        options["preserve_color"] = color
    return {key: value for key, value in options.items() if value is not None and DEFAULTS.get(key) != value}
