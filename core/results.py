"""`result.json`: that a run is finished, and how it ended."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.files import atomic

RESULT = "result.json"


def last_values(folder: Path) -> tuple[int, dict[str, float]]:
    """The last step that a run's `metrics.jsonl` has, and its numbers by name; 0 and none if it has none yet."""
    path, step, values = folder / "metrics.jsonl", 0, {}
    rows = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for row in map(json.loads, rows):
        now = row.pop("step")
        step, values = now, values | row if now == step else row
    return step, values


def write_result(
    folder: Path,
    step: int,
    values: Mapping[str, float],
    objective: str,
    modes: Mapping[str, str],
    overrides: Sequence[str],
) -> float:
    """Writes `result.json`; returns the objective's value.

    `values`: numbers by name, at `step`; `better`: "min" or "max", of each that runs may be ranked by;
    `overrides`: the command line that the run answers, of which `in_short` is kept.
    """
    content = {
        "objective": objective, "modes": dict(modes), "step": step, "values": dict(values),
        "overrides": in_short(overrides),
    }  # fmt: skip
    with atomic(folder / RESULT) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return values[objective]


def in_short(overrides: Sequence[str]) -> list[str]:
    """A command line without what it overrides again later, and `resume=`: a run that stopped is no other one."""
    last = {override.partition("=")[0]: override for override in overrides}
    return [override for key, override in last.items() if key != "resume"]


def read_result(folder: Path) -> dict[str, Any] | None:
    """What `write_result` wrote into a run directory, or None: the run is not finished."""
    try:
        return json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return None
