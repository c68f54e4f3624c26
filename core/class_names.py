"""Names of classes, of which some are parts of a larger one: `cubism/03-1a2b3c` is a part of `cubism`."""

import re
from collections.abc import Sequence

PART = re.compile(r"(.+)/\d+-[0-9a-f]{6}")


def part_name(whole: str, number: int, digest: str) -> str:
    """Names part `number` of the class `whole`; the `digest`, hexadecimal, tells it from other pictures'."""
    return f"{whole}/{number:02d}-{digest[:6]}"


def whole(name: str) -> str:
    """Returns the class that `name` is a part of, or `name` itself."""
    found = PART.fullmatch(name)
    return found[1] if found else name


def wholes(names: Sequence[str]) -> tuple[str, ...]:
    """Returns the classes that `names` are, or are parts of, each once, in their order."""
    return tuple(dict.fromkeys(map(whole, names)))
