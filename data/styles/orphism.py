"""Orphism, after Robert and Sonia Delaunay, with a glance at Kandinsky's squares: discs of broken rings."""

import numpy as np

from data.styles.canvas import circle, flat, glaze, grain, grid, linen, noise, smoothstep
from data.styles.color import choose, vary
from data.styles.facts import Facts

_PALETTES = (
    "d7263d f46036 f6c945 2e86ab 1b998b 1d2f6f f3efe0 c5d86d",
    "e63946 f4a261 e9c46a 2a9d8f 264653 457b9d f1faee 8d5a97",
    "c1121f fb8500 ffb703 219ebc 023047 8ecae6 fdf6e3 606c38",
    "9b2226 ca6702 ee9b00 94d2bd 005f73 0a9396 e9d8a6 001219",
    "b5179e f72585 ffca3a 4361ee 3a0ca3 4cc9f0 f8edeb 2b9348",
    "e4572e 17bebb ffc914 2e282a 76b041 3d5a98 fff8e8 d96c9f",
    "a4243b d8973c d8c99b 273e47 bd632f 5b8e7d f6efdd 8cb0b8",
    "ef476f ffd166 06d6a0 118ab2 073b4c f78c6b fcfcf2 7f5aa8",
    "f28482 f5cac3 84a59d f6bd60 3d405b 81b29a f7ede2 e07a5f",
    "1d3557 e63946 f1c453 83c5be 006d77 ffddd2 edf6f9 e29578",
)


def _disc(rng: np.random.Generator, image: np.ndarray, colors, cx, cy, reach, sectors, lean) -> None:
    """Paints a disc of three to six rings in place, each cut in `sectors` parts of different colour."""
    n = image.shape[1]
    left, top = max(0, int((cx - reach) * n) - 1), max(0, int((cy - reach) * n) - 1)
    right, bottom = min(n, int((cx + reach) * n) + 2), min(n, int((cy + reach) * n) + 2)
    rings = int(rng.integers(3, 7))
    steps = np.cumsum(rng.uniform(0.6, 1.4, rings))
    picks = np.argsort(rng.random((rings, len(colors))), axis=1)[:, :sectors]  # no colour twice in a ring
    table = vary(rng, colors[picks.ravel()], 0.02, 0.08, 4).astype(np.float32).T.copy()
    if right <= left or bottom <= top:
        return
    x, y = grid(n)
    dx, dy = x[:, left:right] - np.float32(cx), y[top:bottom] - np.float32(cy)
    theta = np.arctan2(dy, dx) / np.float32(2 * np.pi) + np.float32(lean)
    radius = np.sqrt(dx * dx + dy * dy) * np.float32(1 / reach)
    ring = np.searchsorted((steps / steps[-1]).astype(np.float32), radius.ravel()).reshape(radius.shape)
    sector = np.floor(theta % 1.0 * sectors).astype(np.int64) % sectors
    paint = table.take(np.minimum(ring, rings - 1) * sectors + sector, axis=1)
    glaze(image[:, top:bottom, left:right], paint, smoothstep(1.0, 0.999, radius))


def orphism(rng: np.random.Generator, n: int, facts: Facts) -> np.ndarray:
    """Overlapping discs on broken colour, or a grid of squares with rings; canvas float32 `[3, n, n]`."""
    colors = choose(rng, _PALETTES, hue=9)
    image = flat(n, colors[rng.integers(len(colors))])
    if rng.random() < 0.35:  # Kandinsky, "Squares with Concentric Circles"
        columns, rows = int(rng.integers(2, 5)), int(rng.integers(2, 5))
        facts.thing("circle", count=columns * rows)
        facts.say("on colored squares")
        for i in range(rows):
            for j in range(columns):
                down = slice(round(i * n / rows), round((i + 1) * n / rows))
                across = slice(round(j * n / columns), round((j + 1) * n / columns))
                ground = vary(rng, colors[rng.integers(len(colors)), None])
                image[:, down, across] = ground.reshape(3, 1, 1)
                cx, cy = (j + 0.5 + rng.normal(0, 0.03)) / columns, (i + 0.5 + rng.normal(0, 0.03)) / rows
                _disc(rng, image, colors, cx, cy, rng.uniform(0.38, 0.49) / max(rows, columns), 1, 0.0)
    else:  # Delaunay, "Rhythm", "Simultaneous Discs"
        lean = rng.choice((0.0, 0.125, rng.random()))
        sectors = int(rng.choice((2, 4, 4)))
        # The ground is a piece of a vast disc.
        _disc(rng, image, colors, *rng.uniform(0.2, 0.8, 2), 1.5, sectors, lean)
        sizes = np.sort(rng.uniform(0.1, 0.36, int(rng.integers(2, 7))))[::-1]
        sizes[0] = rng.uniform(0.3, 0.46)
        for reach in sizes:
            parts = int(rng.choice((1, 2, sectors)))
            middle = rng.uniform(0.1, 0.9, 2)
            _disc(rng, image, colors, *middle, reach, parts, lean)
            facts.shape(middle + reach * circle(48), "disc")
    grain(image, noise(rng, n, 24, 24), 0.02)
    grain(image, noise(rng, n, 90, 90), 0.018)
    grain(image, linen(rng, n), 0.015)
    return image
