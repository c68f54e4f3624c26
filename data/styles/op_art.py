"""Op art, after Bridget Riley and Victor Vasarely: stripes and chequers that a smooth field bends."""

import numpy as np

from data.styles.canvas import flat, glaze, grid, smoothstep
from data.styles.color import choose
from data.styles.facts import Facts

# Dark, light, and for some pictures a second pair.
_PALETTES = (
    "0d0d0f f5f3ec",
    "111014 f7f6f2",
    "0b0b0b efeee8",
    "16130f f4efe2",
    "101a3a f3efe4",
    "7a1022 f6e9dc",
    "0f3d3e f2eddc",
    "1b1b3a f2c14e",
    "d7263d f5f1e8",
    "12355b f26419",
    "0b1f4b 7fd1e0 b3123f f6d55c",
    "111111 f4f1ea c8102e f4f1ea",
    "1b2a6b f3f0e6 0c7c59 f3f0e6",
    "3b0f5c f2a65a 0f4c5c f6e7cb",
)


def _bend(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bulges or hollows the plane at one to three places, as Vasarely's Vega does; still one to one."""
    dx, dy = 0.0, 0.0
    for _ in range(int(rng.choice((1, 1, 2, 3)))):
        cx, cy, radius = rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.8), rng.uniform(0.3, 0.55)
        strength = float(rng.choice((-0.6, 0.7))) * rng.uniform(0.7, 1.0)
        pull = strength * np.maximum(0, 1 - ((x - cx) ** 2 + (y - cy) ** 2) / radius**2) ** 2
        dx, dy = dx - pull * (x - cx), dy - pull * (y - cy)
    return x + dx, y + dy


def op_art(rng: np.random.Generator, n: int, facts: Facts) -> np.ndarray:
    """Waves, chequers, rings or squeezed columns in two or four colours; canvas float32 `[3, n, n]`."""
    colors = choose(rng, _PALETTES, hue=12)
    if rng.random() < 0.3:
        colors = colors[::-1]
    x, y = grid(n)
    angle = float(rng.choice((0, 0, np.pi / 2, np.pi / 4, -np.pi / 4)) + rng.normal(0, 0.05))
    c, s = float(np.cos(angle)), float(np.sin(angle))
    u = 0.5 + (x - 0.5) * c + (y - 0.5) * s
    v = 0.5 - (x - 0.5) * s + (y - 0.5) * c
    # At least about 4 pixels a period at 64 pixels, or the eye (and the network) sees only grey.
    cycles = rng.uniform(6, 11)
    kind = rng.integers(4)
    facts.thing(("wave", "check", "ring", "column")[kind], count=0)
    if kind == 0:  # Riley, "Fall", "Current": stripes that sway together
        sway = 0.0
        for _ in range(int(rng.integers(1, 3))):
            quickening = rng.uniform(-0.5, 0.9)
            phase = 2 * np.pi * (rng.uniform(0.6, 1.7) * v * (1 + quickening * v) + rng.random())
            sway = sway + rng.uniform(0.03, 0.09) * np.sin(phase)
        field = np.sin(2 * np.pi * cycles * (u + sway + rng.random()))
    elif kind == 1:  # Vasarely, "Vega": a chequerboard with a sphere under it
        u, v = _bend(rng, u, v)
        field = np.sin(np.pi * cycles * (u + rng.random())) * np.sin(np.pi * cycles * (v + rng.random()))
    elif kind == 2:  # rings, bent, half of them split and set off against each other
        cx, cy = rng.uniform(0.25, 0.75, 2).tolist()
        u, v = _bend(rng, u, v)
        radius, theta = np.hypot(u - cx, v - cy), np.arctan2(v - cy, u - cx)
        arms = int(rng.choice((0, 0, 2, 4, 6, 8)))
        field = np.sin(2 * np.pi * cycles * radius + int(rng.choice((0, 0, 1, 2))) * theta)
        field = field * np.sin(arms * (theta + rng.uniform(-3, 3) * radius)) if arms else field
    else:  # Riley, "Movement in Squares": columns squeezed towards a fold
        fold, squeeze = rng.uniform(0.3, 0.7), rng.uniform(0.6, 0.85)
        fold += rng.uniform(0, 0.08) * np.sin(2 * np.pi * (v * rng.uniform(0.5, 1.2) + rng.random()))
        width = rng.uniform(0.14, 0.25)
        column = u + squeeze * width * np.tanh((u - fold) / width) * -1
        row = np.sin(np.pi * cycles * (v + rng.random())) if rng.random() < 0.7 else 1.0
        field = np.sin(np.pi * cycles * 1.7 * (column + rng.random())) * row
    light = smoothstep(-1e-3, 1e-3, field)
    image = flat(n, colors[0])
    glaze(image, colors[1], light)
    if len(colors) == 4:  # the second pair takes over across the picture
        other = flat(n, colors[2])
        glaze(other, colors[3], light)
        cx, cy = rng.uniform(0.2, 0.8, 2).tolist()
        radial = rng.random() < 0.5
        glaze(image, other, smoothstep(0.2, 0.7, np.hypot(x - cx, y - cy) if radial else v))
    return image
