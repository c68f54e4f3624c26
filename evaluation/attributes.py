"""Attributes that sentences ask for: style, main colour, object and count, and what could stand in their place."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Asked:
    """What a text asks for: `value`, one of `values`, between what stands before and after it."""

    before: str
    value: str
    after: str
    values: tuple[str, ...]

    def saying(self, value: str) -> str:
        """Words the text with another value, in lower case and without signs."""
        return f"{self.before}{value}{self.after}"


def asked(text: str, attribute: str) -> Asked | None:
    """Finds the first word of an attribute in a text; None where there is none."""
    plain = " ".join(words_of(text))
    found = []
    for values in GROUPS[attribute]:
        match = re.search(rf"\b({'|'.join(values)})\b", plain)
        if match:
            found.append(Asked(plain[: match.start()], match[1], plain[match.end() :], values))
    return min(found, key=lambda asked: len(asked.before), default=None)


def alternatives(text: str, attribute: str) -> list[str]:
    """Returns a text, and the same with each other value of its first word of an attribute; none without one."""
    found = asked(text, attribute)
    if found is None:
        return []
    return [found.saying(value) for value in (found.value, *(v for v in found.values if v != found.value))]


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


def speaking_of(texts: Iterable[str], combinations: Iterable[str]) -> list[int]:
    """Lists the numbers of the texts that ask for one of `combinations`."""
    return [i for i, text in enumerate(texts) if speaks_of(text, combinations)]
