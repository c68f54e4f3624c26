"""Reports: tables on the terminal, and `evaluation.json`."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.files import printable, write_json

Row = Mapping[str, float]


def table(rows: Mapping[str, Row]) -> str:
    """Lays out rows of numbers: a line for each, a column for each number that occurs in one.

    Names may be a stranger's: they do nothing to a terminal.
    """
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    lines = [["", *map(printable, columns)]]
    lines += [
        [printable(name), *(number(row[column]) if column in row else "" for column in columns)]
        for name, row in rows.items()
    ]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns) + 1)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def tables(name: str, numbers: Mapping[str, Any]) -> list[str]:
    """Lays out nested numbers: a row for each mapping of numbers, and a table of its own for each mapping of rows.

    Numbers that are in no mapping are a row called `name`; what is no number is left out.
    """
    of_rows = {key: value for key, value in numbers.items() if _is_rows(value)}
    rows = {key: value for key, value in numbers.items() if isinstance(value, Mapping) and key not in of_rows}
    own = {key: value for key, value in numbers.items() if isinstance(value, int | float)}
    if own:
        rows[name] = own
    return [table(rows)] * bool(rows) + [table(value) for value in of_rows.values()]


def _is_rows(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(row, Mapping) for row in value.values())


def number(value: float) -> str:
    """Writes a number with the four digits that count."""
    if isinstance(value, int) and abs(value) >= 1e4:
        return f"{value:,}"  # whatever its length, which no float may have
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def described(settings: Mapping[str, object]) -> str:
    """Writes what numbers depend on, in a line."""
    return printable(", ".join(f"{key} {value}" for key, value in settings.items() if value is not None))


def write(folder: Path, rows: Mapping[str, Row], settings: Mapping[str, object]) -> Path:
    """Writes `evaluation.json`: the first row's numbers, the other rows, and what they all depend on."""
    (_, values), *others = rows.items()
    content = {
        **_finite(values),
        "baselines": {name: _finite(row) for name, row in others},
        "settings": dict(settings),
    }
    path = folder / "evaluation.json"
    write_json(path, content)
    return path


def _finite(row: Row) -> dict[str, float | None]:
    """Replaces what JSON does not know: infinity, which PSNR is of equal pictures, and NaN."""
    return {name: value if math.isfinite(value) else None for name, value in row.items()}
