"""Suprematism, after Kazimir Malevich, Ilya Chashnik and El Lissitzky: tilted bars, squares and discs, afloat."""

import numpy as np
from PIL import ImageDraw

from data.styles.canvas import box, circle, flat, from_sheet, grain, ink, linen, noise, pixels, to_sheet, turn
from data.styles.color import choose, vary
from data.styles.facts import Facts

# The ground, then black, then the colours from the most to the least used.
_PALETTES = (
    "ece5d6 161413 c8281e 1f3f8f e2b02c 4f7a4a",
    "f1ece0 121214 d63a22 254d9b f0c33c d98fa0",
    "e6dfcf 1d1a18 b3261e 2b5a7a d99b2b 6a6a68",
    "efeae3 0f1116 c21f32 0f4c81 f2b705 2f7f6f",
    "e9e4d8 201c1a a82a1f 3a4f8a d8a53a 8b9a5b",
    "f3f0e9 151515 e0452b 1d5fa8 f6cf4a e6a1b0",
    "e3ddd0 191616 8f1d1a 27395f c98f2a 5f7f86",
    "eee6d2 1a1716 cf3b1c 134a6e e7a41f 7d5a8c",
)


_COLORED = 0.4  # of the pictures are on a ground of another colour than white
_BARE = 0.3  # of the pictures have hardly more than one form, as Malevich's squares and circles


def suprematism(rng: np.random.Generator, n: int, facts: Facts) -> np.ndarray:
    """One leading form, most often with a drift of smaller ones along a diagonal; canvas float32 `[3, n, n]`."""
    ground, *inks = choose(rng, _PALETTES, hue=4)
    if rng.random() < _COLORED:
        swapped = int(rng.integers(5))
        ground, inks[swapped] = inks[swapped], ground
    bare = rng.random() < _BARE
    axis = rng.uniform(0.25, 1.2) * rng.choice((-1, 1))
    along, across = np.array([np.cos(axis), np.sin(axis)]), np.array([-np.sin(axis), np.cos(axis)])
    weights = np.array([0.34, 0.24, 0.15, 0.15, 0.12])
    sheet = to_sheet(flat(n, ground))
    draw = ImageDraw.Draw(sheet)

    facts.ground(ground)

    def put(points: np.ndarray, color: np.ndarray, name: str | None = None) -> None:
        if len(points) < 5:
            points = points + rng.normal(0, 0.003, points.shape)  # by hand: no corner is quite square
        facts.shape(points, name, color)
        draw.polygon(pixels(points, n), fill=ink(vary(rng, color[None])[0]))

    # The leading form: a quadrilateral, disc or triangle a little off the centre, and large unless it may be alone.
    small = bare and rng.random() < 0.5
    scale, size = (0.4, "small") if small else (1.0, "large")
    center = 0.5 + rng.uniform(-0.13, 0.13, 2) * (2 if small else 1)
    kind = rng.random()
    first = int(rng.choice(5, p=None if bare else weights))
    if kind < 0.62:
        width, ratio = scale * rng.uniform(0.36, 0.56), rng.uniform(0.5, 1.0)
        name = "square" if ratio > 0.85 else "rectangle"
        put(box(*center, width, width * ratio, axis + rng.choice((0, np.pi / 2))), inks[first], f"{size} {name}")
    elif kind < 0.85:
        put(center + scale * rng.uniform(0.16, 0.26) * circle(96), inks[first], f"{size} circle")
    else:
        corners = scale * rng.uniform(0.27, 0.36) * turn(circle(3), axis + rng.normal(0, 0.15))
        put(center + corners, inks[first], f"{size} triangle")

    # Then bars from thick to thin. They hold to the axis or stand square on it; a few dissent.
    count = int(rng.integers(0, 4) if bare else rng.integers(6, 14))
    places = 0.5 + rng.normal(0, 0.3, count)[:, None] * along + rng.normal(0, 0.18, count)[:, None] * across
    for k, place in enumerate(np.clip(places, 0.1, 0.9)):
        size = 1.0 - 0.6 * k / count
        length = size * rng.uniform(0.18, 0.55)
        aside = rng.choice((0, 0, 0, np.pi / 2, np.pi / 2, rng.uniform(-0.8, 0.8)))
        angle = axis + aside + rng.normal(0, 0.03)
        # The first two lie on the leading form, and must not have its colour.
        color = inks[(first + int(rng.integers(1, 5))) % 5 if k < 2 else rng.choice(5, p=weights)]
        form = rng.random()
        if form < 0.72:
            put(box(*place, length, length * rng.uniform(0.1, 0.32) + 0.012, angle), color, "bar")
        elif form < 0.84:
            side = size * rng.uniform(0.06, 0.14)
            put(box(*place, side, side, angle), color, "small square")
        elif form < 0.94:
            put(place + size * rng.uniform(0.03, 0.08) * circle(48), color, "small circle")
        else:  # a stack of thin parallel lines
            for line in range(3):
                put(box(*(place + (line - 1) * 0.034 * across), length, 0.011, axis), color)

    image = from_sheet(sheet)
    grain(image, noise(rng, n, 40, 40), 0.015)
    grain(image, noise(rng, n, 3, 3), 0.014)
    grain(image, linen(rng, n), 0.016)
    return image
