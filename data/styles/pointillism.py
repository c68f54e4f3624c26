"""Pointillism, after Georges Seurat and Paul Signac: a landscape in separate dots of unmixed colour."""

import numpy as np

from data.styles.canvas import flat, glaze, grid, smoothstep
from data.styles.color import choose, choose_numbered, to_oklab, to_rgb
from data.styles.facts import Facts
from data.styles.scenery import Scenery

# Sky above, sky at the horizon, light, far hills, near hills, ground, ground's second.
_PALETTES = (
    "6fa8dc cfe4ee fff2b3 8fa6d6 4a7f5a 7fc0c0 a7cf7a",
    "f08aa5 fbd7a0 ffef9f a78ad6 5f5fb5 6fa7d6 f29f7f",  # Signac's sunsets
    "f7b44c fce6a8 fff8d8 e57f90 7f5fa8 4f98b8 f0a05a",
    "8fbce8 f6d0dc fff0c0 8fa0dd 4f8f7f 5fa5d0 e8a0b8",
    "a8d0e0 f2efc8 fff6c0 98b390 3f6f3f 8fb02f d9cf4a",  # La Grande Jatte
    "5a5fb8 d58fc0 ffd29a 6050a6 303f8f 3f5fb0 b57fc0",
    "2f85c0 9fd3d8 ffe98f 4f98a8 1f6f5f 1f85b0 f0c84a",
    "e8b070 f6e6c8 ffd060 c08060 8f4f30 c9702f e0a83f",
    "1f2f6f 4f6fb0 ffe08f 2a4590 182858 26469a 5f7fc0",
    "98d8cc eef3cf ffdf7f 7fc0b0 3f8f6f 4fb8b0 b0d85f",
    "7f6fc0 f7a98f fff0a0 5f60b0 3a3a80 e07f60 6f80c8",
)
_HOURS = {1: "at sunset", 2: "at sunset", 5: "at dusk", 8: "at night", 10: "at sunset"}  # by palette


def pointillism(rng: np.random.Generator, n: int, facts: Facts) -> np.ndarray:
    """Three layers of dots on primed canvas; canvas float32 `[3, n, n]`."""
    number, colors = choose_numbered(rng, _PALETTES, hue=8)
    scene = Scenery(rng, colors, water=0.7, sails=0.6, trees=0.5)
    scene.tell(facts, _HOURS.get(number))
    x, y = grid(n)
    image = flat(n, to_rgb(to_oklab(choose(rng, ("efe6d2", "e9e0cc", "f2ecdf"))[0])))
    pitch = rng.uniform(0.037, 0.05)
    for layer in range(3):
        # One dot to each cell of a turned grid: a pixel finds its dot by arithmetic, none is drawn singly.
        angle = rng.uniform(0, np.pi)
        c, s = float(np.cos(angle)), float(np.sin(angle))
        cells = int(np.ceil(1.5 / pitch)) + 2
        u = ((x - 0.5) * c + (y - 0.5) * s) / np.float32(pitch) + cells / 2
        v = ((y - 0.5) * c - (x - 0.5) * s) / np.float32(pitch) + cells / 2
        radius = rng.uniform(0.36, 0.5, (cells, cells)).astype(np.float32)
        offset = (rng.uniform(-1, 1, (2, cells, cells)) * (0.5 - radius) * 1.6 + 0.5).astype(np.float32)
        center_u = (np.arange(cells)[None, :] + offset[0] - cells / 2) * pitch
        center_v = (np.arange(cells)[:, None] + offset[1] - cells / 2) * pitch
        cx, cy = 0.5 + center_u * c - center_v * s, 0.5 + center_u * s + center_v * c
        # Only the dots that can reach the canvas ask the scene; the others are never looked at.
        seen = (np.maximum(np.abs(cx - 0.5), np.abs(cy - 0.5)) < 0.5 + pitch).ravel()
        lab = np.zeros((cells * cells, 3))
        lab[seen] = scene.look(np.clip(cx, 0, 1).ravel()[seen], np.clip(cy, 0, 1).ravel()[seen])[0]

        # Divided colour: purer than nature, hue and lightness scattered; now and then the complement.
        count = cells * cells
        chroma = np.where(rng.random(count) < 0.07, -0.8, 1.25) * np.exp(rng.normal(0, 0.15, count))
        lab[:, 1:] = lab[:, 1:] * chroma[:, None] + rng.normal(0, 0.027, (count, 2))
        lab[:, 0] += rng.normal(0, 0.045, count)
        paints = to_rgb(lab).astype(np.float32).T.copy()

        row, column = np.floor(v), np.floor(u)
        cell = (row * cells + column).astype(np.intp)
        du, dv = u - column - offset[0].take(cell), v - row - offset[1].take(cell)
        alpha = smoothstep(-0.09, 0.09, radius.take(cell) - np.sqrt(du * du + dv * dv))
        glaze(image, paints.take(cell, axis=1), alpha if layer else alpha * np.float32(0.8))
    return image
