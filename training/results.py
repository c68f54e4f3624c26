"""`result.json`: that a run is finished, and how it ended."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.files import atomic

RESULT = "result.json"


def write_result(folder: Path, objective: str, better: Mapping[str, str], overrides: Sequence[str]) -> float:
    """Writes `result.json` from the last step of a run's `metrics.jsonl`; returns the objective's value.

    `better`: "less" or "more", of each number that runs may be ranked by; `overrides`: the command line that the
    run answers.
    """
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    step, values = rows[-1]["step"], {}
    for row in rows:
        values |= row if row["step"] == step else {}
    del values["step"]
    content = {
        "objective": objective, "better": dict(better), "step": step, "values": values,
        "overrides": list(overrides),
    }  # fmt: skip
    with atomic(folder / RESULT) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return values[objective]


def read_result(folder: Path) -> dict[str, Any] | None:
    """What `write_result` wrote into a run directory, or None: the run is not finished."""
    try:
        return json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return None
