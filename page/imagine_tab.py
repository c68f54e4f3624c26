"""The tab *Imagine*: pictures out of nothing, and more of those that are liked."""

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
import numpy as np

from core.class_names import wholes
from page import commands, files, imagine, widgets
from page import networks as known
from page.imagine import Sitting, Studio
from page.networks import Network
from page.taste import Taste

ANY = "all kinds"
WIDEST = 2.5  # of truncation, beyond which it is as good as none
FRAME = (245, 158, 11)  # around what is liked
SIDE = 192  # px that small pictures are shown at, at least
LARGEST = 2**23  # bytes of a taste


def build() -> None:
    """Lays out the tab."""
    sitting = gr.State(None)
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            network = gr.Dropdown(label="Imagination", elem_id="imagine-network", allow_custom_value=True)
            label = gr.Dropdown([ANY], value=ANY, label="What", info="choose, or type", allow_custom_value=True)
            with gr.Row():
                seed = gr.Number(1, label="Seed", info="another, other pictures", precision=0, minimum=0)
                truncation = gr.Slider(
                    0.3, WIDEST, WIDEST, step=0.1, label="Daring", info="less: surer, more alike"
                )
            go = gr.Button("Imagine", variant="primary", elem_id="imagine-go")
            with gr.Accordion("Turn the one you liked last", open=False):
                sliders = [gr.Slider(-4, 4, 0, step=0.25, label=f"Direction {i + 1}", elem_id=f"imagine-turn-{i}")
                           for i in range(imagine.DIRECTIONS)]  # fmt: skip
                view = gr.Image(label="Turned", interactive=False, buttons=[], height=220, elem_id="imagine-view")
                keep = gr.Button("Keep it", size="sm", elem_id="imagine-keep")
        with gr.Column(scale=3, min_width=300):
            sheet = gr.Gallery(
                label="Click on what you like", columns=4, allow_preview=False, object_fit="contain", height="auto",
                buttons=[], interactive=False, format="png", elem_id="imagine-sheet", elem_classes="whole",
            )  # fmt: skip
            with gr.Row():
                more = gr.Button("More like these", variant="primary", elem_id="imagine-more")
                mix = gr.Button("Mix two", elem_id="imagine-mix")
                vary = gr.Button("Vary a little", elem_id="imagine-vary")
            status = gr.HTML(elem_id="imagine-status")
            strip = gr.Gallery(
                label="What you liked", columns=8, allow_preview=False, object_fit="contain", height="auto",
                fit_columns=False, buttons=[], interactive=False, format="png", elem_id="imagine-strip",
                elem_classes="whole",
            )  # fmt: skip
            with gr.Row():
                pack = gr.Button("Take it home", elem_id="imagine-pack")
                bring = gr.UploadButton("Bring a taste back", file_types=[".json"], elem_id="imagine-bring")
            home = gr.Files(
                label="A grid, a walk, your taste", interactive=False, visible=False, elem_id="imagine-home"
            )
            command = widgets.command_line()

    seen = [sitting, sheet, strip, status]
    start = [network, label, seed, truncation]
    go.click(begin, [sitting, *start], [*seen, command, home], **widgets.heavy(status))
    for button, how in ((more, imagine.more), (mix, imagine.mix), (vary, imagine.vary)):
        button.click(step(how), [sitting, label], [*seen, home], **widgets.heavy(status))
    sheet.select(like, sitting, seen, **widgets.LIGHT)
    for slider in sliders:
        slider.change(turn, [sitting, *sliders], view, **widgets.heavy(view))
    keep.click(keep_it, [sitting, *sliders], [*seen, *sliders], **widgets.heavy(view))
    pack.click(take, [sitting, seed], home, **widgets.heavy(status))
    bring.upload(bring_back, [sitting, bring], seen, **widgets.LIGHT)
    network.change(kinds, network, label, **widgets.LIGHT)
    gr.on(None, offered, [], network, **widgets.LIGHT)


def offered() -> Any:
    """Lists the generators that there are."""
    choices = known.choices(known.networks(("generator",)))
    return gr.update(choices=choices, value=choices[0][1] if choices else None)


def kinds(name: str | None) -> Any:
    """Lists what a generator makes."""
    found = known.networks(("generator",)).get(name)
    ways = (*wholes(found.metadata.classes), *found.metadata.sentences) if found else ()
    words = bool(found and found.metadata.words)
    info = "choose, or say it in words" if words else "choose, or type"
    return gr.update(choices=[ANY, *ways], value=ANY, info=info, visible=bool(ways) or words)


def begin(
    request: gr.Request, before: Sitting | None, name: str, label: str, seed: float | None, truncation: float
):
    """Draws a first sheet."""
    with widgets.in_words():
        network, seed, wanted = known.find(name, ("generator",)), int(seed or 0), wanted_of(label)
        cut = None if truncation >= WIDEST else truncation
        options = {"network": name, "num": imagine.SHOWN, "seed": seed}
        options |= {} if wanted is None else {"text" if network.metadata.words else "label": wanted}
        sitting = widgets.done(request, lambda: imagine.begin(network, seed, wanted, cut, before))
        options |= {} if sitting.truncation is None else {"truncation": sitting.truncation}
        return *shown(sitting), widgets.typed(commands.shown("generate", options)), gr.update(visible=False)


def step(how: Callable[..., None]) -> Callable:
    """Makes what answers to a button that leads from one sheet to the next."""

    def stepped(request: gr.Request, sitting: Sitting | None, label: str):
        with widgets.in_words():
            wanted = (wanted_of(label),) if how is imagine.more else ()
            widgets.done(request, lambda: how(sitting, studio_of(sitting), *wanted))
            return *shown(sitting), gr.update(visible=False)

    return stepped


def like(sitting: Sitting | None, event: gr.SelectData):
    """Likes what was clicked on."""
    if sitting is not None:
        sitting.like(event.index)
    return shown(sitting)


def turn(request: gr.Request, sitting: Sitting | None, *amounts: float):
    """Shows what was liked last, turned."""
    with widgets.in_words():
        return large(widgets.done(request, lambda: imagine.turned(sitting, studio_of(sitting), amounts))[2])


def keep_it(request: gr.Request, sitting: Sitting | None, *amounts: float):
    """Keeps what was turned."""
    with widgets.in_words():
        made = widgets.done(request, lambda: imagine.turned(sitting, studio_of(sitting), amounts))
        sitting.kept.append(made)
        return *shown(sitting), *(0 for _ in amounts)  # what is turned next is this one


def take(request: gr.Request, sitting: Sitting | None, seed: float | None) -> Iterator[Any]:
    """Writes what was liked, to be downloaded."""
    with widgets.in_words():
        folder = files.folder()
        try:
            found = widgets.done(
                request, lambda: imagine.take_home(sitting, studio_of(sitting), int(seed or 0), folder)
            )
            yield gr.update(value=[str(file) for file in found], visible=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def bring_back(sitting: Sitting | None, file: str | None):
    """Takes up a taste that was taken home."""
    with widgets.in_words():
        network, path = network_of(sitting), widgets.path_of(file, "a taste")
        if path.stat().st_size > LARGEST:
            raise widgets.refuse("This file is too large to be a taste.")
        sitting.taste = Taste.from_json(path.read_bytes(), sitting.latents.shape[1], len(network.metadata.classes))
        return *shown(sitting)[:3], f"{len(sitting.taste.rounds)} rounds of your taste are back."


def network_of(sitting: Sitting | None) -> Network:
    """Returns the generator of a sitting. Raises `gr.Error` where there is none yet."""
    if sitting is None:
        raise widgets.refuse("Imagine something first.")
    return known.find(sitting.studio_of, ("generator",))


def studio_of(sitting: Sitting | None) -> Studio:
    """Returns the generator of a sitting, ready. Raises `gr.Error` where there is none yet."""
    network = network_of(sitting)
    return imagine.studio(network, sitting.truncation)


def wanted_of(label: str | None) -> str | None:
    """Returns what was chosen or typed; None of all kinds."""
    return None if label in (ANY, "", None) else label


def shown(sitting: Sitting | None) -> tuple:
    """Returns what is seen of a sitting: itself, the sheet, the strip, and a word."""
    if sitting is None:
        return None, [], [], ""
    sheet = [(framed(large(picture)), "♥ liked") if i in sitting.liked else (large(picture), "")
             for i, picture in enumerate(sitting.pictures)]  # fmt: skip
    strip = [(large(entry[2]), "") for entry in sitting.kept]
    rounds = len(sitting.taste.rounds)
    said = f"{len(sitting.kept)} liked; your taste is known from {rounds} round{'s' * (rounds != 1)}."
    return sitting, sheet, strip, said


def large(picture: np.ndarray) -> np.ndarray:
    """Enlarges a small picture, whole times, so that browsers do not blur it."""
    times = max(1, SIDE // max(picture.shape[:2]))
    return picture.repeat(times, 0).repeat(times, 1)


def framed(picture: np.ndarray) -> np.ndarray:
    """Draws a frame into a picture."""
    width = max(2, picture.shape[0] // 24)
    marked = np.full_like(picture, FRAME)
    marked[width:-width, width:-width] = picture[width:-width, width:-width]
    return marked
