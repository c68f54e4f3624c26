"""The file `metrics.jsonl`, a run's numbers, one JSON object a row: written, read and cut here."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from core.errors import GessoError
from core.files import atomic, open_regular

LONGEST = 2**16  # bytes of a row: ours have some hundred
MOST = 2**26  # bytes of rows that are held at once: the last ones
LARGEST = 2**32  # bytes of a file that is cut


def read(path: Path) -> list[dict[str, Any]]:
    """Returns the rows of a file, oldest first; none if there is no file. See `each`."""
    return list(each(path))


def each(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the rows of a file, oldest first; of a very large one, the last ones.

    A row that is damaged is passed over: of a killed run, the last one may be cut short. All values are numbers.
    """
    return (row for _, row in _lines(path, MOST))


def is_number(value: Any) -> bool:
    """Says whether a value is a number to reckon with, be it NaN: those of JSON may have any length."""
    return type(value) is float or (type(value) is int and abs(value) < 2**63)


def append(path: Path, row: dict[str, Any]) -> None:
    """Adds a row, which has a "step", at the end of a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_regular(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def cut(path: Path, step: int, every: int, ours: Callable[[dict], bool]) -> None:
    """Drops those of `ours` that a straight run would not have, and rows that are damaged.

    Those are the rows from between the checkpoint at `step` and the kill, and a short last one, of a step that is
    no multiple of `every`. Raises `GessoError` for a file that is larger than any run's.
    """
    if not path.exists():
        return
    if path.is_file() and path.stat().st_size > LARGEST:
        raise GessoError(f"{path} is larger than {LARGEST} bytes: no run writes so much. Move it away.")
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        for line, row in _lines(path, LARGEST):
            if not ours(row) or row["step"] < step or (row["step"] == step and step % every == 0):
                file.write(f"{line}\n")


def _lines(path: Path, most: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Reads each line that holds a row, with it, of the last `most` bytes of a file."""
    if not path.is_file():
        return
    with open_regular(path) as file:
        size = file.seek(0, os.SEEK_END)
        start = file.seek(max(0, size - most))
        begun = start == 0  # whether it stands where a line begins
        while start < size and (line := file.readline(LONGEST)):
            start += len(line)
            begins, begun = begun, line.endswith(b"\n")
            if not begins or (len(line) == LONGEST and not begun):
                continue  # a part of a longer one
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            try:
                row = json.loads(text)
            except (ValueError, RecursionError):
                continue
            if isinstance(row, dict) and type(row.get("step")) is int and all(map(is_number, row.values())):
                yield text, row
