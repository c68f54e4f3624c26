"""Post-impressionism, after Vincent van Gogh: loaded strokes that follow wind, hill and water."""

import numpy as np
from PIL import Image, ImageDraw

from data.styles.canvas import from_sheet, grain, noise
from data.styles.color import choose_numbered, to_rgb
from data.styles.facts import Facts
from data.styles.scenery import Scenery

# Sky above, sky at the horizon, light, far hills, near hills, ground, ground's second.
_PALETTES = (
    "16265c 4a7bb7 f6d34b 24406e 12233f 2c4a56 48703f",  # starry night
    "2f6fb5 a9cfe0 fdf0b0 5f8a9c 3d6b47 e3b23c c98a1e",  # wheat at noon
    "d9512c f7b23b fff1a8 7a4a6e 44324f 8a5a2b c9822e",  # sunset
    "7fb6c9 e9e3b4 f9d66b 6f93a8 587a4a 9aa84f c7b45a",  # olive grove
    "4b3f7a c98aa6 fbd38d 5a4f86 332f55 3e5a6b 6b7f63",  # mauve dusk
    "3e8f9c bfe0cf fff4c2 4f7f8f 2a5a5f 1f6f78 4fa08f",  # green sea
    "e8b33a f6df86 fff6d0 8c5a3f 5a3a3a a63d2a d0662f",  # the red vineyard
    "8fa3b8 d8dde0 f7e7c0 8193a8 4b5a6c dfe3e4 a7b6c4",  # winter
    "5fa8d8 d5ebe6 fff0b8 86a97a 3f7a40 8cbf4f f0b7c0",  # orchard in spring
    "0f2f4a 2f6f7f f3e08c 1d4a55 0f2a33 17455a 3f7f7f",  # nocturne
    "2a2350 7a4a7f ffcf6b 3b2f5f 221a3a 7a5a2f c08a3a",  # harvest moon
    "3a4f6f 7f9aaf f3e2a0 3f5a50 2a3f33 6b8a3f d8b83f",  # before the storm
)
_HOURS = {  # and seasons, by palette
    0: "at night", 1: "at noon", 2: "at sunset", 4: "at dusk", 6: "in autumn", 7: "in winter", 8: "in spring",
    9: "at night", 10: "at dusk", 11: "before the storm",
}  # fmt: skip
_COLUMNS = 30


def post_impressionism(rng: np.random.Generator, n: int, facts: Facts) -> np.ndarray:
    """About 900 strokes over an underpainting; canvas float32 `[3, n, n]`."""
    number, palette = choose_numbered(rng, _PALETTES, hue=6)
    scene = Scenery(rng, palette, water=0.45, sails=0.15, trees=0.6)
    scene.tell(facts, _HOURS.get(number))

    # The underpainting shows where strokes leave gaps.
    under = (np.arange(32) + 0.5) / 32
    color, _, _ = scene.look(np.tile(under, 32), np.repeat(under, 32))
    small = Image.fromarray((to_rgb(color - (0.05, 0, 0)) * 255 + 0.5).astype(np.uint8).reshape(32, 32, 3))
    sheet = small.resize((n, n), Image.Resampling.BILINEAR)
    draw = ImageDraw.Draw(sheet)

    cells = np.arange(_COLUMNS**2)
    x = (cells % _COLUMNS + rng.uniform(0, 1, cells.size)) / _COLUMNS
    y = (cells // _COLUMNS + rng.uniform(0, 1, cells.size)) / _COLUMNS
    color, angle, what = scene.look(x, y)
    scale = rng.uniform(0.85, 1.25)
    # Tables by what is there are in scenery's order: SKY, HILL, GROUND, TREE, LIGHT.
    length = scale * np.array([0.1, 0.075, 0.075, 0.05, 0.045])[what] * rng.uniform(0.7, 1.3, cells.size)
    width = scale * np.array([0.027, 0.027, 0.025, 0.022, 0.026])[what] * rng.uniform(0.75, 1.25, cells.size)

    # Follow the flow half a stroke each way, so that strokes curve.
    def step(sign: float) -> tuple[np.ndarray, np.ndarray]:
        mx, my = x + sign * np.cos(angle) * length / 4, y + sign * np.sin(angle) * length / 4
        _, bent, _ = scene.look(mx, my)
        bent = np.where(np.cos(bent - angle) > 0.5, bent, angle)
        return mx + sign * np.cos(bent) * length / 4, my + sign * np.sin(bent) * length / 4

    paths = np.stack((*step(-1), x, y, *step(1)), axis=1)
    side = np.stack((-np.sin(angle), np.cos(angle)), axis=1) * (width * 0.28)[:, None]
    bold = np.array([0.05, 0.05, 0.06, 0.05, 0.02])[what]
    jitter = rng.standard_normal((cells.size, 3)) * np.stack((bold, 0.4 * bold, 0.4 * bold), axis=1)
    base = to_rgb(color + jitter)
    ridge = to_rgb(color + jitter + np.abs(rng.normal(0, 0.07, cells.size))[:, None] * (1.0, 0.0, 0.0))
    base, ridge = (np.rint(255 * c).astype(int).tolist() for c in (base, ridge))

    # Far things first, light and trees last; inside each, in no order.
    rank = np.array([0, 1, 1, 2, 1])
    lines, crests = (paths * n).tolist(), ((paths + np.tile(side, 3)) * n).tolist()
    thick, thin = (np.maximum(1, np.rint(width * n / part)).astype(int).tolist() for part in (1, 3))
    for i in np.argsort(rank[what] + rng.random(cells.size)).tolist():
        draw.line(lines[i], fill=tuple(base[i]), width=thick[i])
        draw.line(crests[i], fill=tuple(ridge[i]), width=thin[i])
    image = from_sheet(sheet)
    grain(image, noise(rng, n, 128), 0.02)
    return image
