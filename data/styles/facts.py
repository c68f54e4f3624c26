"""What a painter tells of its picture while it paints: the facts that its captions are made of.

Told by the code that paints, and only what is to be seen in the end: shapes lie on a small sheet of their own, and
those that others cover are not spoken of.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from data.styles.canvas import Points, pixels
from data.styles.color import name_colors

SHEET = 128  # px, side of the sheet on which it is seen what covers what
WHOLE, HINT = 0.6, 0.12  # a shape is seen if so much of it is; of less than a hint of it nobody speaks
SMALLEST = 0.002  # share of the picture that a shape has to have, to be seen at 64 px


@dataclass(frozen=True)
class Thing:
    """Something to be seen, `count` times; `count` 0: several, uncounted. `place` is known of single things."""

    name: str
    count: int
    color: str | None = None
    place: str | None = None


class Facts:
    """Gathers what a painter tells: grounds, things, shapes that may be covered, and phrases ("at night")."""

    def __init__(self):
        self.grounds: list[np.ndarray] = []
        self.surface = "ground"
        self.phrases: list[str] = []
        self._told: list[tuple[str, np.ndarray | None, int, str | None]] = []
        self._shapes: list[tuple[str | None, np.ndarray | None, float]] = []
        self._sheet = Image.new("I", (SHEET, SHEET), -1)
        self._draw = ImageDraw.Draw(self._sheet)

    def ground(self, *colors: np.ndarray, surface: str = "ground") -> None:
        """Tells the colours, sRGB `[3]`, of what all else lies on: a ground, or several "squares"."""
        self.grounds.extend(colors)
        self.surface = surface

    def thing(self, name: str, color: np.ndarray | None = None, count: int = 1, place: str | None = None) -> None:
        """Tells of something that is surely to be seen; `count=0` for several that nobody would count."""
        self._told.append((name, color, count, place))

    def say(self, phrase: str) -> None:
        """Tells a phrase that follows the things: of the place, the hour, the season."""
        self.phrases.append(phrase)

    def shape(self, points: Points, name: str | None = None, color: np.ndarray | None = None) -> None:
        """Tells of a polygon in unit coordinates, which later ones may cover; one without a name only covers."""
        self._draw.polygon(pixels(points, SHEET), fill=len(self._shapes))
        x, y = np.asarray(points).T
        area = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
        self._shapes.append((name, color, float(area)))

    def hinted(self) -> frozenset[tuple[str, str]]:
        """Returns colour and name of whatever is to be seen, be it so little that nobody speaks of it."""
        _, seen = self._seen()
        found = [(name, c) for (name, c, _), part in zip(self._shapes, seen, strict=True) if name and part > 0]
        found += [(name, c) for name, c, *_ in self._told]
        colored = [(name, c) for name, c in found if c is not None]
        colors = name_colors(np.array([c for _, c in colored]).reshape(-1, 3))
        return frozenset((color, name) for color, (name, _) in zip(colors, colored, strict=True))

    def _seen(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns what lies uppermost, by number, and how much of the sheet is seen of each shape."""
        numbers = np.asarray(self._sheet).ravel()
        return numbers, np.bincount(numbers[numbers >= 0], minlength=len(self._shapes)) / SHEET**2

    def things(self) -> list[Thing]:
        """Lists what is to be seen, of each name and colour once, the largest first; then what was told as sure."""
        numbers, seen = self._seen()
        named = [i for i, (name, _, _) in enumerate(self._shapes) if name is not None]
        given = [self._shapes[i][1] for i in named] + [color for _, color, _, _ in self._told]
        names = iter(name_colors(np.array([c for c in given if c is not None]).reshape(-1, 3)))
        colors = [None if color is None else next(names) for color in given]

        areas, counts, places, unclear = Counter(), Counter(), {}, set()
        for i, color in zip(named, colors, strict=False):
            name, _, area = self._shapes[i]
            kind = (name, color)
            if seen[i] < max(SMALLEST, WHOLE * area):
                if seen[i] > HINT * area:
                    unclear.add(kind)
                continue
            counts[kind] += 1
            areas[kind] += seen[i]
            places[kind] = _place(*np.divmod(np.flatnonzero(numbers == i), SHEET))
        found = []
        for kind, _ in areas.most_common():
            count = 0 if kind in unclear and counts[kind] > 1 else counts[kind]
            found.append(Thing(kind[0], count, kind[1], places[kind] if count == 1 else None))
        told = zip(self._told, colors[len(named) :], strict=True)
        return found + [Thing(name, count, color, place) for (name, _, count, place), color in told]


def _place(rows: np.ndarray, columns: np.ndarray) -> str:
    """Says where in the picture these pixels of the sheet lie, by their middle."""
    across, down = columns.mean() / SHEET, rows.mean() / SHEET
    if max(abs(across - 0.5), abs(down - 0.5)) < 0.14:
        return "in the middle"
    if abs(across - 0.5) > abs(down - 0.5):
        return "on the left" if across < 0.5 else "on the right"
    return "at the top" if down < 0.5 else "at the bottom"
