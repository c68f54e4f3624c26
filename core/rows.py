"""The file `metrics.jsonl`, a run's numbers, one JSON object a row: written, read and cut here."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.files import atomic


def read(path: Path) -> list[dict[str, Any]]:
    """Returns the rows of a file, oldest first; none if there is no file.

    A row that is damaged is passed over: of a killed run, the last one may be cut short.
    """
    return [row for _, row in _lines(path)]


def append(path: Path, row: dict[str, Any]) -> None:
    """Adds a row, which has a "step", at the end of a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def cut(path: Path, step: int, every: int, ours: Callable[[dict], bool]) -> None:
    """Drops those of `ours` that a straight run would not have, and rows that are damaged.

    Those are the rows from between the checkpoint at `step` and the kill, and a short last one, of a step that is
    no multiple of `every`.
    """
    if not path.exists():
        return
    kept = [
        line
        for line, row in _lines(path)
        if not ours(row) or row["step"] < step or (row["step"] == step and step % every == 0)
    ]
    with atomic(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def _lines(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Reads each line that holds a row, with it."""
    if not path.is_file():
        return []
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and type(row.get("step")) is int:
            found.append((line, row))
    return found
