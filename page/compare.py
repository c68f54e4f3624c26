"""What runs made, number by number and picture by picture, read from their directories: what *Compare* shows."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core import rows
from core.errors import GessoError
from core.files import open_regular, read_json
from core.images import grid
from core.logs import LINE
from core.overrides import given_value
from core.results import last_values, read_result
from core.run import Run
from models import latent
from page import files, imagine, networks

POINTS = 400  # of a curve
SAMPLES = 9  # pictures of each run from the same latents

Table = dict[str, dict[str, float]]  # rows by their names


def curves(runs: Sequence[Run]) -> dict[str, list[tuple[str, int, float]]]:
    """Returns, for each number that a run wrote while it trained, its points: run, step, value."""
    found: dict[str, list[tuple[str, int, float]]] = {}
    for run in runs:
        own: dict[str, list[tuple[str, int, float]]] = {}
        for row in rows.read(run.metrics):
            for name, value in row.items():
                if name not in ("step", "images") and isinstance(value, int | float) and np.isfinite(value):
                    own.setdefault(name, []).append((str(run.folder), row["step"], float(value)))
        for name, points in own.items():  # each for itself: evaluations are few among rows of losses
            kept = sorted({*range(0, len(points), -(-len(points) // POINTS)), len(points) - 1})
            found.setdefault(name, []).extend(points[i] for i in kept)
    return found


def numbers(runs: Sequence[Run]) -> Table:
    """Returns what each run ended with, or has come to, and what `evaluate.py` measured last, beside baselines."""
    table: Table = {}
    for run in runs:
        result = read_result(run)
        step, values = (result["step"], result["values"]) if result else last_values(run)
        table[str(run.folder)] = {"step": step} | {k: v for k, v in values.items() if isinstance(v, int | float)}
        for measured in evaluations(run)[-1:]:
            baselines = measured.pop("baselines", {})
            table[f"{run.folder}, evaluated"] = _plain(measured)
            beside = baselines.items() if isinstance(baselines, dict) else ()
            table |= {f"{run.folder}, beside it {name}": _plain(row) for name, row in beside}
    return table


def evaluations(run: Run) -> list[dict]:
    """Reads what `evaluate.py` wrote of a run, as the first lines of its logs tell; the newest last."""
    found = []
    for file in sorted(networks.OUTPUTS.rglob("evaluation.json")):
        try:
            with open_regular(file.with_name("evaluate.log"), "r", encoding="utf-8", errors="replace") as log:
                line = LINE.match(log.readline(2**16))
            named = given_value(shlex.split(line[2]) if line else [], "network")
            if named is not None and run.folder.resolve() in (Path(named).resolve(), Path(named).resolve().parent):
                found.append(read_json(file, 2**20))
        except (OSError, ValueError, RecursionError):
            continue
    return [values for values in found if isinstance(values, dict)]


def steps(runs: Sequence[Run]) -> list[int]:
    """Lists the steps at which any of the runs kept samples."""
    return sorted({step for run in runs for step in _samples(run)})


def samples(runs: Sequence[Run], step: int) -> list[tuple[np.ndarray, str]]:
    """Returns the samples of each run, the last ones up to a step, with what they are of."""
    shown = []
    for run in runs:
        before = [s for s in _samples(run) if s <= step]
        if before:
            shown.append((files.preview(run.sample(before[-1])), f"{run.folder}, step {before[-1]}"))
    return shown


def same_latents(runs: Sequence[Run], seed: int) -> list[tuple[np.ndarray, str]]:
    """Draws pictures of each run's generator from the same latents. Raises `GessoError` where none has one."""
    shown = []
    known = networks.networks(("generator",))
    for run in runs:
        if str(run.folder) not in known:
            continue
        studio = imagine.studio(known[str(run.folder)])
        latents = latent.sample(seed, SAMPLES, studio.latent_dim)
        ways = imagine.asked(studio.network, None)[0]
        labels = np.resize(np.arange(max(1, len(ways)), dtype=np.int32), SAMPLES)
        shown.append((grid(studio.pictures(latents, labels, ways)), str(run.folder)))
    if not shown:
        raise GessoError("None of these runs has a generator: only those make pictures out of latents.")
    return shown


def _samples(run: Run) -> list[int]:
    names = (file.stem.rpartition("_")[2] for file in run.samples.glob("step_*.png") if file.is_file())
    return sorted(int(name) for name in names if name.isdigit())


def _plain(values: object) -> dict[str, float]:
    pairs = values.items() if isinstance(values, dict) else ()
    return {name: float(value) for name, value in pairs if isinstance(value, int | float)}
