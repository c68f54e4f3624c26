"""Sentences about a painting, made of the facts that its painter told: "two red circles on white, suprematism"."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from data.styles.color import name_colors
from data.styles.facts import Facts, Thing

STYLES = {  # in words
    "color_field": "color field", "neo_plasticism": "neo-plasticism", "suprematism": "suprematism",
    "pointillism": "pointillism", "op_art": "op art", "post_impressionism": "post-impressionism",
    "cubism": "cubism", "ink_painting": "ink painting", "orphism": "orphism", "cut_outs": "cut-outs",
}  # fmt: skip
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PLURALS = {"leaf": "leaves", "cypress": "cypresses"}
MOST = 3  # kinds of things in a sentence
SHARE = 0.12  # of the picture that a colour takes to be named


@dataclass(frozen=True)
class Description:
    """What is to be seen on a painting: `colors` by how much they take, the main one first."""

    style: str
    colors: tuple[str, ...]
    grounds: tuple[str, ...]
    surface: str
    things: tuple[Thing, ...]
    phrases: tuple[str, ...]
    hinted: frozenset[tuple[str, str]] = frozenset()  # colours and names of all of which anything is to be seen


def describe(style: str, facts: Facts, canvas: np.ndarray) -> Description:
    """Puts what was told, and the colours of the canvas `[3, n, n]` itself, in words."""
    sheet = Image.fromarray((np.clip(canvas, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0))
    small = np.asarray(sheet.reduce(2)).reshape(-1, 3) / 255
    counts = Counter(name_colors(small)).most_common(4)
    colors = [name for i, (name, n) in enumerate(counts) if n >= SHARE * len(small) or i == 0]
    grounds = name_colors(np.array(facts.grounds)) if facts.grounds else []
    things = facts.things()
    standing_out = [thing for thing in things if len(grounds) != 1 or thing.color != grounds[0]]
    return Description(
        STYLES[style], tuple(colors), tuple(dict.fromkeys(grounds)), facts.surface,
        tuple(standing_out or things), tuple(facts.phrases), facts.hinted(),
    )  # fmt: skip


def combinations(described: Description) -> set[str]:
    """Lists what goes together on a painting: things with their colour, "red circle"; "cut-outs on blue".

    Also of things of which nobody speaks, as others cover them, or the ground has their colour.
    """
    colored = {f"{color} {name.split()[-1]}" for color, name in described.hinted}
    return colored | {f"{described.style} on {ground}" for ground in described.grounds}


def sentences(described: Description, rng: np.random.Generator, num: int) -> list[str]:
    """Words a description in `num` ways; each leaves out some of what could be said."""
    return [_sentence(described, rng) for _ in range(num)]


def _sentence(described: Description, rng: np.random.Generator) -> str:
    things = _spoken_of(described.things, rng)
    several = Counter(thing.name for thing in described.things)
    parts = [_listed([_named(thing, several[thing.name] == 1, rng) for thing in things])] if things else []
    if described.grounds and (not parts or rng.random() < 0.8):
        ground = " and ".join(described.grounds)
        if described.surface != "ground":
            parts.append(f"on {ground} {described.surface}")
        else:
            parts.append(f"on {ground}" if rng.random() < 0.5 else f"on {_a(f'{ground} ground')}")
    if not parts or (not described.grounds and rng.random() < 0.7):
        parts.append(f"in {_listed(described.colors[: rng.integers(1, 4)])}")
    parts += [phrase for phrase in described.phrases if rng.random() < 0.7]
    body = " ".join(parts)
    form = rng.random() * (1.0 if len(parts) > 1 else 0.9)
    if form < 0.45:
        return f"{body}, {described.style}"
    if form < 0.75:
        return f"{described.style}, {body}"
    if form < 0.9:
        return f"{described.style} with {body}" if things else f"{described.style} {body}"
    return body


def _spoken_of(things: Sequence[Thing], rng: np.random.Generator) -> list[Thing]:
    """The largest most often, else any: of small ones beside large ones there would be no word."""
    some = min(int(rng.integers(1, MOST + 1)), len(things))
    chosen = np.sort(rng.permutation(len(things))[:some]) if rng.random() < 0.3 else range(some)
    return [things[i] for i in chosen]


def _named(thing: Thing, alone: bool, rng: np.random.Generator) -> str:
    """ "three yellow leaves", "a red circle on the left"; where there are others of its name, with its colour."""
    *size, noun = thing.name.split()
    color = [] if thing.color is None or (alone and rng.random() < 0.15) else [thing.color]
    name = " ".join([*size, *color, noun])
    if thing.count == 1:
        place = f" {thing.place}" if thing.place is not None and rng.random() < 0.3 else ""
        return _a(name) + place
    plural = " ".join([*size, *color, PLURALS.get(noun, f"{noun}s")])
    if thing.count == 0 or thing.count >= len(NUMBERS) or rng.random() < 0.1:
        return plural
    return f"{NUMBERS[thing.count]} {plural}"


def _a(words: str) -> str:
    if words == "bamboo":
        return words
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"


def _listed(words: Sequence[str]) -> str:
    """ "red, yellow and blue"."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
