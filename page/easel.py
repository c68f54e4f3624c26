"""Where a picture forms: the right half of the tabs that paint, and the work that fills it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from data import film, film_writer
from page import commands, files, jobs, paint, widgets

Choose = Callable[..., tuple[dict[str, Any], dict[str, np.ndarray | None]]]


class Easel:
    """The picture before and after, how far it is, and what it takes to begin, stop and download it."""

    def __init__(self, name: str, verb: str):
        self.slider = gr.ImageSlider(
            label="Before and after", type="numpy", interactive=False, buttons=["fullscreen"], height=440,
            elem_id=f"{name}-result",
        )  # fmt: skip
        self.video = gr.Video(
            label="The film", interactive=False, visible=False, buttons=[], elem_id=f"{name}-video"
        )
        self.progress = gr.HTML(elem_id=f"{name}-progress")
        with gr.Row():
            self.go = gr.Button(verb, variant="primary", elem_id=f"{name}-go")
            self.stop = gr.Button("Stop", elem_id=f"{name}-stop")
            self.download = gr.DownloadButton("Download", interactive=False, elem_id=f"{name}-download")

    def listen(self, choose: Choose, inputs: list, command: gr.Code) -> None:
        """Has the buttons answer.

        `choose` makes of the values of `inputs` the options of `stylize.py`, and drawn masks by their keys.
        """

        def run(request: gr.Request, *values: Any) -> Iterator[dict]:
            if jobs.withdrawn(request.session_hash):  # while it waited in Gradio's queue
                yield {self.progress: "Stopped."}
                return
            with widgets.in_words():
                options, masks = choose(*values)
                folder = files.folder()
                try:
                    for key, mask in masks.items():
                        if mask is not None:
                            options[key] = files.write_mask(folder / f"{key}.png", mask)
                    typed = {key: value for key, value in options.items() if key != "weights"}
                    drawn = [f"  # {key}.png: what was drawn, white on black" for key in masks if key in options]
                    yield {command: widgets.typed(commands.shown("stylize", typed) + "".join(drawn))}
                    yield from self._work(request.session_hash, options, folder)
                finally:
                    shutil.rmtree(folder, ignore_errors=True)

        outputs = [self.slider, self.video, self.progress, self.download, command]
        asked = self.go.click(widgets.ask, None, None, queue=False, **widgets.LIGHT)
        asked.then(run, inputs, outputs, **widgets.heavy(self.progress))
        self.stop.click(widgets.stop, None, None, queue=False, **widgets.LIGHT)

    def _work(self, visitor: str, options: dict[str, Any], folder: Path) -> Iterator[dict]:
        content, moves = options["content"], film.is_film(options["content"])
        name = paint.name_of(content, options.get("network") or options["method"])
        options["output"] = folder / f"{name}{film_writer.suffix(content) if moves else '.png'}"
        before = None if moves else files.preview(content)
        yield {
            self.progress: widgets.bar(None), self.download: gr.update(interactive=False),
            self.slider: gr.update(visible=not moves), self.video: gr.update(visible=moves, value=None),
        }  # fmt: skip
        job = None
        for job in jobs.watch(visitor, lambda job: paint.paint(options, job)):
            picture = None if moves or job.picture is None else widgets.fitted(job.picture(), before)
            yield {self.progress: widgets.bar(job, "frame" if moves else "step")} | (
                {} if picture is None else {self.slider: (before, picture)}
            )
        if job is None or job.result is None:
            yield {self.progress: "Stopped."}
            return
        made = {self.video: str(job.result)} if moves else {self.slider: (before, files.preview(job.result))}
        said = "Done." if job.result == options["output"] else "Stopped: this is as far as it came."
        yield made | {self.progress: said, self.download: gr.update(value=str(job.result), interactive=True)}
