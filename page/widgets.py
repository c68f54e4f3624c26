"""Pieces that several tabs are made of: pictures as they are brought, progress, errors in words."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from core.errors import GessoError
from core.images import to_uint8
from data import picture
from page import files, jobs
from page.jobs import Job

log = logging.getLogger(__name__)

HEAVY = {"concurrency_id": "heavy", "concurrency_limit": 1, "api_visibility": "private"}
LIGHT = {"api_visibility": "private", "show_progress": "hidden"}
LOOK = {**LIGHT, "concurrency_id": "look", "concurrency_limit": 1}  # whole pictures are read, which takes memory
CANVAS = 768  # px, longer side of what is drawn on

# Gradio would decode whatever file a visitor names, of any format (PostScript, by a program) and size, as often as
# it is named. On the classes: it makes a component anew by its class when a handler updates it, and writes a .pyi
# file beside every subclass. Blobs it keeps in memory; browsers send them only where an event follows each stroke.
gr.Image.preprocess = lambda self, payload: payload and payload.path
gr.ImageEditor.preprocess = lambda self, payload: [layer.path for layer in payload.layers] if payload else []
gr.ImageEditor.accept_blobs = None


def photo(label: str, elem_id: str) -> gr.Image:
    """A place to drop a picture on; handlers get its file as it was brought, which no one has looked into."""
    return gr.Image(
        label=label, elem_id=elem_id, type="filepath", sources=["upload", "clipboard"], height=260, buttons=[]
    )


def brush(elem_id: str) -> gr.ImageEditor:
    """A picture to draw on; handlers get the file of what was drawn, in a list, and look into it by `drawn`."""
    return gr.ImageEditor(
        show_label=False, elem_id=elem_id, sources=(), transforms=(), buttons=[], layers=False,
        canvas_size=(CANVAS, CANVAS),
        brush=gr.Brush(default_size=40, colors=["#ffffff"], default_color="#ffffff", color_mode="fixed"),
        eraser=gr.Eraser(default_size=40), height=320, interactive=True,
    )  # fmt: skip


def drawn(layers: list[str]) -> np.ndarray | None:
    """Returns what was drawn in a `brush`, uint8 `[height, width]`, 255 where it was; None where nothing was.

    Raises `GessoError`, or `gr.Error`, for what no `brush` makes.
    """
    if not layers:
        return None
    if len(layers) > 1 or max(picture.sides(layers[0])) > CANVAS:  # before any of it is decoded
        raise refuse(f"What is drawn has one layer, of at most {CANVAS} x {CANVAS} pixels.")
    found = picture.read(layers[0])
    mask = np.full(found.pixels.shape[:2], 255, np.uint8) if found.alpha is None else found.alpha
    return mask if mask.any() else None


def canvas(path: str | None) -> Any:
    """Lays a picture under a `brush`, smaller; one that cannot be read is told of when it is painted."""
    try:
        return gr.update(value=None if path is None else files.preview(path, CANVAS))
    except GessoError:
        return gr.update(value=None)


def command_line(label: str = "The same, typed") -> gr.Code:
    """The place for the command line that does the same, or what the label says."""
    return gr.Code(
        label=label, language="shell", interactive=False, lines=1, wrap_lines=True,
        show_line_numbers=False, buttons=["copy"], visible=False,
    )  # fmt: skip


def typed(command: str) -> Any:
    """Shows a command line in its place."""
    return gr.update(value=command, visible=True)


def heavy(shown_on: Any) -> dict[str, Any]:
    """Returns what makes an event's work wait for its turn, and where one's place is shown meanwhile."""
    return {**HEAVY, "show_progress": "minimal", "show_progress_on": shown_on}


def done(request: gr.Request, work: Callable[[], Any], name: str = "") -> Any:
    """Returns what some work returns, when its turn has come and it is finished.

    A visitor has one piece of work of a name at a time.
    """
    *_, job = (None, *jobs.watch(request.session_hash + name, lambda _: work()))
    if job is None or not job.finished:
        raise refuse("Stopped.")
    return job.result


def bar(job: Job | None, unit: str = "step") -> str:
    """Says in HTML how far a job is."""
    if job is None:
        return ""
    if not job.done:
        return '<div role="status">One moment …</div>'
    of = f' max="{job.total}" value="{min(job.done, job.total)}"' if job.total else ""
    count = f"{unit} {job.done}" + (f" of about {job.total}" if job.total else "")
    return f'<div role="status"><progress{of}></progress> {count}</div>'


def fitted(picture: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Returns a float picture as it is shown beside that which it was painted from, at its size."""
    return files.resize(to_uint8(picture), before.shape[:2])


@contextmanager
def in_words() -> Iterator[None]:
    """Shows what visitors can mend in words, and of all else no more than that it happened."""
    try:
        yield
    except GessoError as error:
        raise refuse(files.in_words(error)) from None
    except gr.Error:
        raise
    except Exception as error:
        log.exception("Something went wrong")
        kind = type(error).__name__
        said = "There is not enough memory. Choose a smaller size." if "Exhausted" in kind else None
        raise refuse(said or f"Something went wrong ({kind}); the terminal says more.") from None


def ask(request: gr.Request) -> None:
    """Notes that a visitor asks for work, which may have to wait for its turn."""
    jobs.ask(request.session_hash)


def stop(request: gr.Request) -> None:
    """Stops a visitor's work: they asked for it, or left."""
    jobs.stop(request.session_hash)


def refuse(words: str) -> gr.Error:
    """Makes an error for what a visitor can mend."""
    return gr.Error(words, duration=None, print_exception=False)


def path_of(value: str | None, what: str) -> Path:
    """Returns the file of an upload. Raises `gr.Error` where there is none."""
    if not value:
        raise refuse(f"Bring {what} first.")
    return Path(value)
