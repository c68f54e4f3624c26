"""The tab *Compare*: runs side by side."""

from typing import Any

import gradio as gr

from page import commands, compare, widgets
from page import networks as known

MOST = 6  # runs side by side
TENSORBOARD = (
    "All curves and pictures of all runs: `make dashboard`, then "
    '<a href="http://localhost:6006" target="_blank" rel="noopener">TensorBoard</a>.'
)
NONE = "There are no runs in outputs/ yet. `make train` makes the first."


def build() -> None:
    """Lays out the tab."""
    runs = gr.Dropdown(label="Runs", info="two or more", multiselect=True, max_choices=MOST, elem_id="compare-runs")
    go = gr.Button("Compare", variant="primary", elem_id="compare-go")
    none = gr.Markdown(NONE, visible=False)
    samples = gr.Gallery(
        label="While they trained", columns=2, allow_preview=True, object_fit="contain", height="auto", buttons=[],
        interactive=False, format="png", elem_id="compare-samples", elem_classes="whole",
    )  # fmt: skip
    step = gr.Slider(0, 1, 1, step=1, label="Step", interactive=False, elem_id="compare-step")
    same = gr.Gallery(
        label="From the same latents", columns=2, allow_preview=True, object_fit="contain", height="auto",
        buttons=[], interactive=False, format="png", elem_id="compare-same", elem_classes="whole",
    )  # fmt: skip
    with gr.Row():
        seed = gr.Number(1, label="Seed", precision=0, minimum=0)
        draw = gr.Button("Draw again", elem_id="compare-draw")
    status = gr.HTML(elem_id="compare-status")
    which = gr.Dropdown(label="Curve", interactive=True, elem_id="compare-which")
    plot = gr.LinePlot(
        x="step", y="value", color="run", height=280, buttons=[], show_label=False, elem_id="compare-plot"
    )
    table = gr.Dataframe(label="Numbers", interactive=False, wrap=True, elem_id="compare-numbers")
    gr.Markdown(TENSORBOARD)
    command = widgets.command_line("All runs, ranked")

    outputs = [samples, step, which, plot, table, status, command]
    event = go.click(begin, runs, outputs, **widgets.LIGHT)
    event.success(draw_same, [runs, seed], same, **widgets.heavy(status))
    draw.click(draw_same, [runs, seed], same, **widgets.heavy(status))
    step.input(at_step, [runs, step], samples, trigger_mode="always_last", **widgets.LIGHT)
    which.input(curve, [runs, which], plot, **widgets.LIGHT)
    gr.on(None, offered, [], [runs, none], **widgets.LIGHT)


def offered() -> tuple:
    """Lists the runs that there are."""
    found = list(known.runs())
    return gr.update(choices=found, value=found[:2]), gr.update(visible=not found)


def begin(names: list[str]) -> tuple:
    """Puts runs side by side."""
    with widgets.in_words():
        runs = chosen(names)
        steps, curves, numbers = compare.steps(runs), compare.curves(runs), compare.numbers(runs)
        last = steps[-1] if steps else 1
        slider = gr.update(minimum=0, maximum=last, value=last, interactive=bool(steps))
        first = next(iter(curves), None)
        said = "" if steps else "None of these runs has kept samples."
        return (
            compare.samples(runs, last), slider, gr.update(choices=list(curves), value=first),
            gr.update(value=frame(curves.get(first, [])), y_title=first), tabled(numbers), said,
            widgets.typed(commands.shown("compare", {"runs": str(known.OUTPUTS)})),
        )  # fmt: skip


def at_step(names: list[str], step: int) -> list:
    """Shows the samples of a step."""
    with widgets.in_words():
        return compare.samples(chosen(names), int(step))


def curve(names: list[str], which: str) -> Any:
    """Shows another number's curves."""
    with widgets.in_words():
        return gr.update(value=frame(compare.curves(chosen(names)).get(which, [])), y_title=which)


def draw_same(request: gr.Request, names: list[str], seed: float | None) -> list:
    """Draws the same latents' pictures."""
    with widgets.in_words():
        runs = chosen(names)
        return widgets.done(request, lambda: compare.same_latents(runs, int(seed or 0)))


def chosen(names: list[str] | None) -> list:
    """Returns the runs that were chosen. Raises `GessoError`, `gr.Error`."""
    if not names:
        raise widgets.refuse("Choose two runs or more.")
    return known.find_runs(names[:MOST])


def frame(points: list[tuple[str, int, float]]) -> Any:
    """Returns points as Gradio's plots take them."""
    import pandas as pd

    return pd.DataFrame(points, columns=["run", "step", "value"])


def tabled(numbers: compare.Table) -> dict:
    """Returns numbers as Gradio's tables take them, a column for each run."""
    names = dict.fromkeys(name for column in numbers.values() for name in column)
    data = [[name, *(report(column.get(name)) for column in numbers.values())] for name in names]
    return {"headers": ["", *numbers], "data": data}


def report(value: float | None) -> str:
    """Writes a number with the digits that count; nothing of none."""
    return "" if value is None else f"{value:.4g}"
