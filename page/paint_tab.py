"""The tab *Paint*: photos and films in the manner of a painting."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from core.network_metadata import Metadata
from data import film, film_writer
from page import commands, files, jobs, paint, widgets
from page import networks as known

DEFAULTS = {
    "strength": 1.0, "preserve_color": "none", "gatys.style_scale": 1.0, "nnst.style_scale": 1.0, "style_size": 512,
    "steps": 200,
}  # fmt: skip
SLOW = {
    "gatys": "by optimisation, in its textures: minutes",
    "nnst": "by optimisation, in whole strokes: longer",
}
COLORS = [("the painting's", "none"), ("the photo's own", "histogram"), ("the photo's, brushed", "luminance")]
FILMS = list(film.SUFFIXES)


def build(weights: Path | None) -> None:
    """Lays out the tab. `weights`: the file of VGG16's, for optimisation."""
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            content = widgets.photo("Photo", "paint-content")
            with gr.Accordion("A film instead", open=False):
                moving = gr.File(label="Film", file_types=FILMS, elem_id="paint-film", height=100)
            how = gr.Dropdown(label="Painter", elem_id="paint-how", allow_custom_value=True)
            styles = gr.CheckboxGroup(
                label="In the manner of", info="several: a blend", visible=False, elem_id="paint-styles"
            )
            painting = widgets.photo("Painting to paint like", "paint-style")
            with gr.Accordion("Only a part of it", open=False):
                gr.Markdown("Draw over what is to be painted; the rest stays as it is.")
                region = widgets.brush("paint-region")
        with gr.Column(scale=3, min_width=300):
            result = gr.ImageSlider(
                label="Before and after", type="numpy", interactive=False, buttons=["fullscreen"],
                elem_id="paint-result", height=460,
            )  # fmt: skip
            video = gr.Video(
                label="The film, painted", interactive=False, visible=False, buttons=[], elem_id="paint-video"
            )
            progress = gr.HTML(elem_id="paint-progress")
            with gr.Row():
                go = gr.Button("Paint", variant="primary", elem_id="paint-go")
                stop = gr.Button("Stop", variant="stop", elem_id="paint-stop")
                download = gr.DownloadButton("Download", interactive=False, elem_id="paint-download")
            with gr.Row():
                size = gr.Slider(128, 2048, 640, step=32, label="Size", info="longer side, in pixels")
                strength = gr.Slider(0, 1, 1, step=0.05, label="Strength", info="0 leaves the photo")
            with gr.Row():
                brush = gr.Slider(0.25, 2, 1, step=0.05, label="Brush", info="smaller, finer strokes")
                steps = gr.Slider(10, 400, 100, step=10, label="Patience", info="more, closer to the painting")
            color = gr.Radio(COLORS, value="none", label="Colors")
            command = widgets.command_line()

    def offered() -> Any:
        choices = known.choices(known.networks(("stylizer", "translator")), paints)
        choices += [(words, name) for name, words in SLOW.items()]
        return gr.update(choices=choices, value=choices[0][1])

    def chosen(name: str) -> dict:
        method, metadata = method_of(name)
        several = method == "fast" and len(metadata.styles) > 1
        shown = {"visible": method in ("gatys", "nnst", "adain")}
        return {
            styles: gr.update(visible=several, choices=list(metadata.styles) if several else [],
                              value=list(metadata.styles[:1]) if several else []),
            painting: gr.update(**shown),
            brush: gr.update(**shown),
            steps: gr.update(visible=method in ("gatys", "nnst")),
            strength: gr.update(visible=method in ("gatys", "fast", "adain")),
            color: gr.update(visible=method != "translate"),
        }  # fmt: skip

    def run(
        request: gr.Request, content, moving, how, styles, painting, region, size, strength, brush, steps, color
    ) -> Iterator[dict]:
        with widgets.in_words():
            source = widgets.path_of(moving or content, "a photo or a film")
            options = chosen_options(source, how, styles, painting, size, strength, brush, steps, color, weights)
            folder = files.folder()
            try:
                yield from worked(request.session_hash, options, folder, widgets.drawn(region))
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def worked(visitor: str, options: dict[str, Any], folder: Path, mask: np.ndarray | None) -> Iterator[dict]:
        source, moves = options["content"], film.is_film(options["content"])
        if mask is not None and not moves:
            options["region"] = files.write_mask(folder / "region.png", mask)
        name = paint.name_of(source, options.get("network") or options["method"])
        typed = commands.shown("stylize", {key: value for key, value in options.items() if key != "weights"})
        options["output"] = folder / f"{name}{film_writer.suffix(source) if moves else '.png'}"
        before = None if moves else files.preview(source)
        yield {
            progress: widgets.bar(None), download: gr.update(interactive=False), command: typed,
            result: gr.update(visible=not moves), video: gr.update(visible=moves, value=None),
        }  # fmt: skip
        job = None
        for job in jobs.watch(visitor, lambda job: paint.paint(options, job)):
            picture = None if moves else widgets.forming(job, before)
            more = {} if picture is None else {result: (before, picture)}
            yield {progress: widgets.bar(job, "frame" if moves else "step")} | more
        if job is None or job.result is None:
            yield {progress: "Stopped."}
            return
        made = {video: str(job.result)} if moves else {result: (before, files.preview(job.result))}
        said = "Done." if job.result == options["output"] else "Stopped: this is as far as it came."
        yield made | {progress: said, download: gr.update(value=str(job.result), interactive=True)}

    inputs = [content, moving, how, styles, painting, region, size, strength, brush, steps, color]
    outputs = [result, video, progress, download, command]
    how.change(chosen, how, [styles, painting, brush, steps, strength, color], **widgets.LIGHT)
    content.change(widgets.canvas, content, region, **widgets.LIGHT)
    go.click(run, inputs, outputs, show_progress="minimal", show_progress_on=progress, **widgets.HEAVY)
    stop.click(widgets.stop, None, None, queue=False, **widgets.LIGHT)
    gr.on(None, offered, [], how, **widgets.LIGHT)


def paints(metadata: Metadata) -> bool:
    """Says whether a network makes pictures anew, rather than mending them."""
    return metadata.kind == "stylizer" or metadata.task is None


def method_of(name: str) -> tuple[str, Metadata | None]:
    """Returns the method that a painter's name stands for, and the network's metadata if it is one."""
    if name in SLOW:
        return name, None
    network = known.find(name, ("stylizer", "translator"))
    return network.metadata.method, network.metadata


def chosen_options(
    source: Path, how: str, styles: list[str], painting: str | None, size: int, strength: float, brush: float,
    steps: int, color: str, weights: Path | None,
) -> dict[str, Any]:  # fmt: skip
    """Returns the options of `stylize.py` for what is chosen on the page. Raises `GessoError`, `gr.Error`."""
    method, metadata = method_of(how)
    options: dict[str, Any] = {"content": source, "size": int(size)}
    if method in ("gatys", "nnst", "adain"):
        options["style"] = widgets.path_of(painting, "a painting to paint like")
    if method in SLOW:
        options |= {"method": method, "weights": weights, "steps": int(steps), f"{method}.style_scale": brush}
    else:
        options["network"] = how
    if method == "adain":
        options["style_size"] = round(512 * brush)
    if method == "fast" and len(metadata.styles) > 1:
        if not styles:
            raise widgets.refuse("Choose at least one manner.")
        options["style_weights"] = [int(style in styles) for style in metadata.styles]
    if method in ("gatys", "fast", "adain"):
        options["strength"] = strength
    if method != "translate":
        options["preserve_color"] = color
    return paint.as_given(options, DEFAULTS)
