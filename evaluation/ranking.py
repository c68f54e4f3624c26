"""Finished runs of a folder: what each was told, and their numbers in tables, the best first."""

import json
import logging
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from core.errors import GessoError, did_you_mean
from core.files import printable
from core.logs import last_error
from core.results import badness, in_short, last_values, read_result
from core.run import Run
from evaluation.report import table

log = logging.getLogger(__name__)

SCRIPT = "train"


class Finished(NamedTuple):
    """A finished run: what it was told, and how it ended."""

    folder: Path
    overrides: dict[str, str]
    result: dict


class Unfinished(NamedTuple):
    """A run that was begun: what it was told, and why it is not finished, as far as is known."""

    folder: Path
    overrides: dict[str, str]
    why: str


def find(folder: str | None) -> tuple[list[Finished], list[Unfinished]]:
    """Returns the finished runs in a folder, and the others that were begun, be it without success.

    Raises `GessoError` if there is no such folder.
    """
    if folder is None:
        raise GessoError("runs= says which: a folder of run directories, such as outputs/sweeps/<sweep>.")
    if not Path(folder).is_dir():
        raise GessoError(f"runs={folder}: there is no such folder. It is to hold run directories.")
    runs, unfinished = [], []
    for run in Run.within(Path(folder)):
        try:
            script, told = run.script, by_key(in_short(run.told()))
        except GessoError as error:  # damaged
            unfinished.append(Unfinished(run.folder, {}, str(error)))
            continue
        if script != SCRIPT:
            continue
        result = read_result(run)
        if result is None:
            unfinished.append(Unfinished(run.folder, told, why(run)))
        else:
            runs.append(Finished(run.folder, by_key(result["overrides"]), result))
    return runs, unfinished


def by_key(overrides: list[str]) -> dict[str, str]:
    """Returns the values of a command line by their keys, without where it writes."""
    pairs = (override.partition("=") for override in overrides)
    return {key: value for key, _, value in pairs if not key.startswith("hydra.")}


def why(run: Run) -> str:
    """Returns why a run is not finished: the error that its log ends with, or how far it came."""
    if (error := last_error(run.log)) is not None:
        return error
    step = max(last_values(run)[0], run.last_step)
    return f"at step {step} when it last wrote; it was interrupted or killed, or goes on"


def by_number(runs: list[Finished], by: str | None) -> dict[str, list[Finished]]:
    """Returns the runs that have the number `by`, under its name, or all by the numbers that they name themselves.

    Raises `GessoError` if no run has it.
    """
    groups: dict[str, list[Finished]] = {}
    without = []
    for run in runs:
        number = by or run.result["objective"]
        if number in run.result["values"]:
            groups.setdefault(number, []).append(run)
        else:
            without.append((number, run.folder))
    if not groups:
        names = {printable(name) for run in runs for name in run.result["values"]}
        raise GessoError(f"by={by}: {did_you_mean(by, names)}")
    for number, folder in without:
        log.info("Without %s: %s", printable(number), printable(folder))
    return dict(sorted(groups.items(), key=lambda group: -len(group[1])))


def alike(runs: list[Finished], by: str) -> list[list[Finished]]:
    """Returns the runs in groups of those whose number `by` depends on the same, the largest group first."""
    groups: dict[str, list[Finished]] = {}
    for run in runs:
        groups.setdefault(json.dumps(settings(run, by), sort_keys=True), []).append(run)
    return sorted(groups.values(), key=len, reverse=True)


def settings(run: Finished, by: str) -> dict[str, Any]:
    """Returns what a run's number depends on besides the model; nothing, of losses, and where it was not noted."""
    return run.result.get("settings", {}).get(by) or {}


def ways(one: list[Finished], other: list[Finished], by: str) -> str:
    """Returns what sets two groups apart, to be printed: `num 256 and 512`."""
    a, b = settings(one[0], by), settings(other[0], by)
    apart = (f"{key} {a.get(key)} and {b.get(key)}" for key in {**a, **b} if a.get(key) != b.get(key))
    return printable(", ".join(apart))


def ranked(runs: list[Finished], by: str, over: str | None) -> str:
    """Returns the table of finished runs, the best first, merged if they differ in `over`; NaN is last."""
    more_is_better = by.endswith("accuracy") or by == "images_per_second"
    usual = "max" if more_is_better else "min"
    mode = next((run.result["modes"][by] for run in runs if by in run.result.get("modes", {})), usual)
    values = None if over not in different(runs) else grouped(runs, by, over)
    rows = single(runs, by) if values is None else {name: merged(found, by) for name, found in values.items()}

    def worse(row: tuple[str, dict[str, float]]) -> tuple[bool, float]:  # 0.5 and 1.5 are not as good as twice 1
        found = [row[1][by]] if values is None else values[row[0]]
        return math.isnan(row[1][by]), float(np.mean([badness(value, mode) for value in found]))

    order = sorted(rows.items(), key=worse)
    return table({f"{rank}  {name}": row for rank, (name, row) in enumerate(order, 1)})


def single(runs: list[Finished], by: str) -> dict[str, dict[str, float]]:
    """A row for each run, named by what sets it apart."""
    return {
        name: {by: run.result["values"][by], "step": run.result["step"]} for name, run in named_apart(runs).items()
    }


def grouped(runs: list[Finished], by: str, over: str) -> dict[str, list[float]]:
    """The numbers of runs that differ in `over` alone, together."""
    differing = [key for key in different(runs) if key != over]
    groups: dict[str, list[float]] = {}
    for run in runs:
        groups.setdefault(named(run, differing, "defaults" if differing else "all"), []).append(
            run.result["values"][by]
        )
    return groups


def merged(values: list[float], by: str) -> dict[str, float]:
    """A row for several runs: mean, standard deviation, least and most."""
    deviation = {"deviation": float(np.std(values, ddof=1))} if len(values) > 1 else {}
    extremes = {"least": float(np.min(values)), "most": float(np.max(values)), "runs": len(values)}  # or NaN
    return {by: float(np.mean(values))} | deviation | extremes


def different(runs: list[Finished] | list[Unfinished]) -> list[str]:
    """Returns the keys whose values are not the same in all runs."""
    keys = dict.fromkeys(key for run in runs for key in run.overrides)
    return [key for key in keys if len({run.overrides.get(key) for run in runs}) > 1]


def named(run: Finished | Unfinished, keys: list[str], otherwise: str) -> str:
    """Returns `loss=hinge seed=1`, or `otherwise` where the run has none of the keys."""
    return " ".join(f"{key}={run.overrides[key]}" for key in keys if key in run.overrides) or otherwise


def named_apart(runs: list) -> dict[str, Finished | Unfinished]:
    """Returns runs by what sets them apart; those that are told the same, or nothing, also by their folders."""
    differing, by_name = different(runs), {}
    for run in runs:
        name = named(run, differing, str(run.folder))
        by_name[f"{name} {run.folder}" if name in by_name else name] = run
    return by_name
