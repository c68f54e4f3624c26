"""Neo-plasticism, after Piet Mondrian: black lines, primaries and many whites at right angles."""

import numpy as np

from data.styles.canvas import box, flat, grain, noise
from data.styles.color import choose, vary
from data.styles.facts import Facts

# Red, yellow, blue, black, grey, white.
_PALETTES = (
    "d3241c f2c71b 1d3f95 141414 b9bcc0 f2efe6",
    "c81d11 f7d117 0f52ba 0f0f10 c9c8c4 f6f4ee",
    "b7281d e9b52b 23477e 1c1a18 aeb1b3 ece6d8",
    "e03a21 fbd83a 2b5fc4 101014 d2d4d6 f8f7f2",
    "a8201a e6bc3c 143d72 191716 a5a39c e9e4d6",
    "d93a2b f4d35e 1f4e9e 121212 bfc7cf eef1f2",
    "bd2a2e f0c419 2a4b8d 0d0d0d d8d2c4 faf5e9",
    "cf1f2e ffcc00 0a3d91 161616 b4bac2 f1efe9",
)

Rectangle = tuple[float, float, float, float]  # left, top, right, bottom


def _split(rng: np.random.Generator, cell: Rectangle, depth: int, stop: float) -> tuple[list, list]:
    """Cuts a cell in two again and again: the cells that remain, and the cuts as rectangles of no width.

    A later cut ends at an earlier one: so lines meet in T's, as Mondrian's do, and not only in crosses.
    """
    left, top, right, bottom = cell
    width, height = right - left, bottom - top
    if depth >= 2 and (rng.random() < stop or max(width, height) < 0.26):
        return [cell], []
    at = rng.uniform(*((0.2, 0.4), (0.6, 0.8), (0.15, 0.85))[rng.integers(3)])
    if rng.random() < width**2 / (width**2 + height**2):
        cut = left + at * width
        line, halves = (cut, top, cut, bottom), ((left, top, cut, bottom), (cut, top, right, bottom))
    else:
        cut = top + at * height
        line, halves = (left, cut, right, cut), ((left, top, right, cut), (left, cut, right, bottom))
    first, second = (_split(rng, half, depth + 1, stop) for half in halves)
    return first[0] + second[0], [line] + first[1] + second[1]


def neo_plasticism(rng: np.random.Generator, n: int, facts: Facts) -> np.ndarray:
    """An asymmetric grid of 4 to 20 cells, of which a few are coloured; canvas float32 `[3, n, n]`."""
    red, yellow, blue, black, gray, white = choose(rng, _PALETTES, hue=2)
    cells, lines = _split(rng, (0.0, 0.0, 1.0, 1.0), 0, rng.uniform(0.1, 0.6))
    areas = np.array([(right - left) * (bottom - top) for left, top, right, bottom in cells])

    # Whites differ from cell to cell: cool, warm, a little grey.
    colors = vary(rng, np.tile(white, (len(cells), 1)), 0.01, 0.4, 20)
    primaries = rng.permutation(np.stack((red, yellow, blue)))
    colored = max(2, round(len(cells) * rng.uniform(0.2, 0.5)))
    lead = rng.choice(len(cells), p=areas / areas.sum())
    order = [lead] + [i for i in rng.permutation(len(cells)) if i != lead]
    for k, i in enumerate(order[:colored]):
        accent = rng.random()
        colors[i] = primaries[k % 3] if k < 3 or accent > 0.25 else black if accent < 0.1 else gray

    facts.ground(white)
    for i in order[:colored]:
        left, top, right, bottom = cells[i]
        sides = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
        facts.shape(box(*sides), "rectangle", colors[i])
    facts.thing("line", black, count=0)
    image = flat(n, white)
    for (left, top, right, bottom), color in zip(cells, colors, strict=True):
        window = np.s_[:, round(top * n) : round(bottom * n), round(left * n) : round(right * n)]
        image[window] = color[:, None, None]
    grain(image, noise(rng, n, 96, 12), 0.012)
    grain(image, noise(rng, n, 6), 0.012)
    thickness = rng.uniform(0.022, 0.045)
    for left, top, right, bottom in lines:
        half = thickness * np.exp(rng.normal(0, 0.15)) / 2
        rows = slice(max(0, round((top - half) * n)), round((bottom + half) * n))
        columns = slice(max(0, round((left - half) * n)), round((right + half) * n))
        image[:, rows, columns] = black[:, None, None]
        middle, size = ((left + right) / 2, (top + bottom) / 2), (right - left, bottom - top)
        facts.shape(box(*middle, *np.maximum(size, 2 * half)))
    return image
