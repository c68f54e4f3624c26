"""Ranks finished runs: `python compare.py runs=outputs/sweeps/<sweep>`."""

import logging
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from omegaconf import DictConfig

from core.cli import main
from core.errors import GessoError, did_you_mean
from core.results import read_result
from evaluation.report import table

log = logging.getLogger(__name__)


class Run(NamedTuple):
    """A finished run: what it was told, and how it ended."""

    folder: Path
    overrides: dict[str, str]
    result: dict


@main("compare", files=("runs",))
def compare(config: DictConfig) -> None:
    runs, unfinished = find(config.runs)
    by = config.by or runs[0].result["objective"]
    known = set.intersection(*(set(run.result["values"]) for run in runs))
    if by not in known:
        raise GessoError(f"by={by}: {did_you_mean(by, known)}")
    sign = -1 if any(run.result["modes"].get(by) == "max" for run in runs) else 1
    rows = merged(runs, by, config.over) if config.over else single(runs, by)
    ranked = sorted(rows.items(), key=lambda row: (math.isnan(row[1][by]), sign * row[1][by]))  # NaN is last
    print(table({f"{rank}  {name}": row for rank, (name, row) in enumerate(ranked, 1)}))
    if unfinished:
        log.info("Not finished: %s", ", ".join(map(str, unfinished)))


def find(folder: str | None) -> tuple[list[Run], list[Path]]:
    """The finished runs in a folder, and the directories of others. Raises `GessoError` if none is finished."""
    if folder is None or not Path(folder).is_dir():
        raise GessoError(f"runs={folder}: give a folder of run directories, such as outputs/sweeps/<sweep>.")
    runs, unfinished = [], []
    for path in sorted(Path(folder).rglob("metrics.jsonl")):
        result = read_result(path.parent)
        if "restarts" in path.parent.relative_to(folder).parts:  # tries of a run, not runs
            continue
        if result is None:
            unfinished.append(path.parent)
        else:
            pairs = (override.partition("=") for override in result["overrides"])
            runs.append(Run(path.parent, {key: value for key, _, value in pairs}, result))
    if not runs:
        raise GessoError(f"runs={folder}: no run in it is finished ({len(unfinished)} have begun).")
    return runs, unfinished


def single(runs: list[Run], by: str) -> dict[str, dict[str, float]]:
    """A row for each run, named by what sets it apart."""
    differing, rows = different(runs), {}
    for run in runs:
        name = named(run, differing, str(run.folder))
        name = f"{name} {run.folder}" if name in rows else name  # the same again
        rows[name] = {by: run.result["values"][by], "step": run.result["step"]}
    return rows


def merged(runs: list[Run], by: str, over: str) -> dict[str, dict[str, float]]:
    """A row for all runs that differ in `over` alone: mean, standard deviation, least and most."""
    if over not in different(runs):
        raise GessoError(f"over={over}: the runs do not differ in it. {did_you_mean(over, different(runs))}")
    differing = [key for key in different(runs) if key != over]
    groups: dict[str, list[float]] = {}
    for run in runs:
        groups.setdefault(named(run, differing, "all"), []).append(run.result["values"][by])
    rows = {}
    for name, values in groups.items():
        deviation = {"deviation": float(np.std(values, ddof=1))} if len(values) > 1 else {}
        extremes = {"least": min(values), "most": max(values), "runs": len(values)}
        rows[name] = {by: float(np.mean(values))} | deviation | extremes
    return rows


def different(runs: list[Run]) -> list[str]:
    """The keys whose values are not the same in all runs."""
    keys = dict.fromkeys(key for run in runs for key in run.overrides)
    return [key for key in keys if len({run.overrides.get(key) for run in runs}) > 1]


def named(run: Run, keys: list[str], otherwise: str) -> str:
    """`loss=hinge seed=1`, or `otherwise` where the run has none of the keys."""
    return " ".join(f"{key}={run.overrides[key]}" for key in keys if key in run.overrides) or otherwise


if __name__ == "__main__":
    compare()
