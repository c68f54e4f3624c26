"""The file `result.json`, which says that a run is finished, and how it ended."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from core import rows
from core.files import read_json, write_json
from core.run import Run

LARGEST = 2**20  # bytes of the file: ours have some thousand
DEEPEST = 30  # levels of nesting


def last_values(run: Run) -> tuple[int, dict[str, float]]:
    """Returns the last step that a run has numbers of, and these by name; 0 and none if it has none yet."""
    step, values = 0, {}
    for row in rows.each(run.metrics):
        now = row.pop("step")
        if now != step:
            step, values = now, {}
        values.update(row)
    return step, values


def write_result(
    run: Run,
    step: int,
    values: Mapping[str, float],
    objective: str,
    modes: Mapping[str, str],
    overrides: Sequence[str],
    settings: Mapping[str, Mapping[str, Any]] | None = None,
) -> float:
    """Writes that `run` is finished; returns the objective's value.

    `values`: numbers by name, at `step`; `modes`: "min", "max" or "one", of each that runs may be ranked by;
    `overrides`: the command line that the run answers, of which `in_short` is kept; `settings`: what numbers depend
    on besides the model, of those by name that depend on something.
    """
    content = {
        "objective": objective, "modes": dict(modes), "step": step, "values": dict(values),
        "overrides": in_short(overrides), "settings": settings or {},
    }  # fmt: skip
    write_json(run.result, content)
    return values[objective]


def badness(value: float, mode: str) -> float:
    """Returns what is less the better a number is, whose mode is min, max, or one: the nearer to 1, the better."""
    if mode == "one":
        return abs(math.log(value)) if value > 0 else math.inf if value <= 0 else value
    return -value if mode == "max" else value


def in_short(overrides: Sequence[str]) -> list[str]:
    """Returns a command line without what it overrides again later, and `resume=`.

    A run that stopped and went on is no other one.
    """
    last = {override.partition("=")[0]: override for override in overrides}
    return [override for key, override in last.items() if key != "resume"]


def read_result(run: Run) -> dict[str, Any] | None:
    """Returns what `write_result` wrote; None if the run is not finished, or the file is damaged."""
    try:
        result = read_json(run.result, LARGEST)
        whole = result["objective"] in result["values"] and isinstance(result["overrides"], list)
        whole = whole and all(isinstance(override, str) for override in result["overrides"])
        noted, modes, values = result.get("settings", {}), result.get("modes", {}), result["values"]
        whole = whole and isinstance(noted, dict) and all(isinstance(of or {}, dict) for of in noted.values())
        whole = whole and _is_flat(noted, DEEPEST)
        whole = whole and isinstance(modes, dict) and all(isinstance(mode, str) for mode in modes.values())
        whole = whole and type(result["step"]) is int and isinstance(values, dict)
        whole = whole and all(map(rows.is_number, (result["step"], *values.values())))
        return result if whole else None
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def _is_flat(value: Any, deepest: int) -> bool:
    """Says whether a value is nested no deeper: what is can be read, and yet not be written again."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return deepest > 0 and all(_is_flat(of, deepest - 1) for of in inside)
