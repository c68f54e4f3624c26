"""Colour field painting, after Mark Rothko: stacked rectangles with breathing edges on a stained ground."""

import numpy as np

from data.styles.canvas import box, flat, glaze, grain, grid, linen, noise, smoothstep
from data.styles.color import choose, shift
from data.styles.facts import Facts

# The ground first, then the rectangles.
_PALETTES = (
    "8e1b12 e8642c f5b335 c23a1e",  # orange, red, yellow
    "d9701e f2c230 b3261a e9a13b",
    "3a0d12 7d1a1e 1d0a10 a3352b",  # the dark maroons of the Seagram murals
    "1b1f3a 2f5fa8 0f1226 6b8fc9",  # blues
    "24402f 3f7d5a 12251d b5b04a",  # greens
    "e3c7a0 f3ead7 d98f6a b85c44",  # pale
    "b8cbd0 eef0e6 6f95a8 3c5f78",
    "5a2a52 c8547d 2b1630 f0a08a",  # purples and pinks
    "f0c9b8 e05a47 f6ead8 f29c7d",
    "e9b824 f4dd7a d8401f f7efcf",
    "191413 4a4038 8c8377 0d0b0b",  # the black-on-greys
    "c4432b 1f3f66 e58a3c 10233f",  # red about blue
    "2d2a4a d96f32 f1c453 8f2d56",
    "7a9e7e e6d8a8 2f5d50 d4a24c",
    "3c1518 f2f0e4 a33b20 d58936",
    "0f3b4c e2725b 1c7c7d f4c095",
)


def color_field(rng: np.random.Generator, n: int, facts: Facts) -> np.ndarray:
    """Two to four soft rectangles; canvas float32 `[3, n, n]`."""
    ground, *colors = choose(rng, _PALETTES, hue=11)
    colors = [colors[i] for i in rng.permutation(len(colors))] + [shift(ground, rng.choice((-0.1, 0.1)))]
    count = int(rng.choice((2, 2, 3, 3, 3, 4)))
    facts.ground(ground)
    margin = rng.uniform(0.05, 0.13)
    gaps = rng.uniform(0.02, 0.05, count - 1)
    shares = rng.dirichlet(np.full(count, 2.0)) * 0.62 + 0.38 / count
    heights = (shares * (1 - 2 * margin - gaps.sum())).tolist()

    x, y = grid(n)
    image = flat(n, ground)
    grain(image, noise(rng, n, 3, 3), 0.07)  # the ground is stained, not even
    grain(image, noise(rng, n, 10, 24), 0.035)
    # One pair of displacements serves all edges; the brush went mostly sideways.
    sway_x = 0.0022 * noise(rng, n, 34, 12) + 0.006 * noise(rng, n, 7, 4)
    sway_y = 0.0022 * noise(rng, n, 12, 34) + 0.006 * noise(rng, n, 4, 7)
    top = margin
    for i in range(count):
        bottom = top + heights[i]
        inset = margin + rng.uniform(-0.02, 0.025)
        soft = rng.uniform(0.016, 0.042)
        across = np.minimum(x - inset, 1 - inset - x) + sway_x
        down = np.minimum(y - top, bottom - y) + sway_y
        alpha = smoothstep(-soft, soft, across) * smoothstep(-soft, soft, down)
        brushed = 0.55 * noise(rng, n, 5, 4) + 0.45 * noise(rng, n, 36, 9)
        alpha *= np.clip(rng.uniform(0.84, 0.97) + 0.09 * brushed, 0, 1)
        glaze(image, colors[i], alpha)
        # A warmer, lighter heart: the inner glow for which the pictures are known.
        glow = smoothstep(0, 0.3, across) * smoothstep(0, 0.5 * heights[i], down)
        glaze(image, shift(colors[i], rng.uniform(0.02, 0.07), 1.1), 0.6 * glow)
        facts.shape(box(0.5, (top + bottom) / 2, 1 - 2 * inset, bottom - top), "rectangle", colors[i])
        top = bottom + (float(gaps[i]) if i < count - 1 else 0.0)
    grain(image, linen(rng, n), 0.02)
    return image
