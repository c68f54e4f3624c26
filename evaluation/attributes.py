"""Attributes that sentences ask for: style, main colour, object and count, and what could stand in their place."""

import re
from collections.abc import Iterable

from core.vocabulary import words_of
from data.styles.captions import NUMBERS, PLURALS, STYLES
from data.styles.color import COLORS

# Things that are found in each other's place: of another kind, the style would give them away.
THINGS = (
    ("circle", "square", "rectangle", "triangle", "bar", "disc"),
    ("frond", "leaf", "flower", "pebble"),
    ("wave", "check", "ring", "column"),
    ("cypress", "tree", "boat"),
)


def _several(thing: str) -> str:
    return PLURALS.get(thing, f"{thing}s")


GROUPS: dict[str, tuple[tuple[str, ...], ...]] = {
    "style": (tuple(" ".join(words_of(style)) for style in STYLES.values()),),
    "color": (COLORS,),
    "object": (*THINGS, *(tuple(map(_several, things)) for things in THINGS)),
    "count": (NUMBERS[2:7],),
}


def alternatives(text: str, attribute: str) -> list[str]:
    """Returns a text, and the same with each other value of its first word of an attribute; none without one."""
    plain = " ".join(words_of(text))
    found = []
    for group in GROUPS[attribute]:
        match = re.search(rf"\b({'|'.join(group)})\b", plain)
        if match:
            others = [value for value in group if value != match[1]]
            texts = [plain, *(plain[: match.start()] + value + plain[match.end() :] for value in others)]
            found.append((match.start(), texts))
    return min(found)[1] if found else []


def speaks_of(text: str, combinations: Iterable[str]) -> bool:
    """Says whether a text asks for one of `combinations`, as `dataset.without` has them."""
    plain = " ".join(words_of(text))
    for combination in combinations:
        before, on, ground = combination.rpartition(" on ")
        if on:
            style = " ".join(words_of(before))
            if style in plain and re.search(rf"\bon (a )?(an )?{ground}\b", plain):
                return True
        else:
            color, _, thing = combination.rpartition(" ")
            if re.search(rf"\b{color} ({thing}|{_several(thing)})\b", plain):
                return True
    return False
