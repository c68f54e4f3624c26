"""Cut-outs, after Henri Matisse: fronds, petals and pebbles scissored from gouache-painted paper."""

import numpy as np
from PIL import Image, ImageDraw

from data.styles.canvas import circle, curve, from_sheet, grain, ink, noise, normals, pixels, turn
from data.styles.color import choose, to_oklab, vary
from data.styles.facts import Facts

# White first, then the papers.
_PALETTES = (
    "f7f3e8 1f4fa3 e4432f f2b632 1f8a5b e87fa0 17181c",
    "f8f5ec 2a6fc9 f28c28 f6cf45 d1365f 3a9a6a 2a2a55",
    "f4efe2 143d8d 3f8fd2 f4f0e0 e2b13c d94f2b 10202f",
    "f9f4e6 0f7f6f f3c13a e4572e 6a3d8f f29bb2 1b1b1b",
    "f6f1e7 3350a8 78b7e0 e8edf0 f0b84a c93a4a 1d2a55",
    "f5eedd c8322b f0a030 2f6f4f 24408f e9c7b0 201a1a",
    "f8f4ea 7a4fa0 e96a8d f5c84c 2f9f8f f08a4a 25204a",
    "f7f2e4 1f6f9f 9ccfae f2d06b e2604a 365f3f 14222c",
)


def _frond(rng: np.random.Generator, length: float) -> np.ndarray:
    """The outline of a frond of seaweed from (0, 0) upwards: lobes that lean forward on a bent spine."""
    lobes = rng.integers(3, 7)
    t = np.linspace(0, 1, 24 * lobes)
    bends = rng.normal(0, (0.2, 0.2, 0.12))
    spine = curve(np.array([(0, 0), (bends[0], -0.4), (bends[1], -0.75), (bends[2], -1)]), t.size)
    normal = normals(spine)
    tangent = np.stack((normal[:, 1], -normal[:, 0]), axis=1)
    envelope = np.sin(np.pi * (0.1 + 0.88 * t)) ** 0.7
    waist, breadth, sweep = rng.uniform(0.07, 0.1), rng.uniform(0.2, 0.36), rng.uniform(0.3, 0.9)
    sides = []
    for sign in (-1, 1):
        scallop = np.abs(np.sin(np.pi * (lobes * t + (0.0 if sign > 0 else rng.uniform(0, 0.5))))) ** 1.3
        width = (waist + (breadth - waist) * scallop) * envelope
        sides.append(spine + sign * normal * width[:, None] + tangent * (sweep * width * scallop)[:, None])
    return np.concatenate((sides[0], sides[1][::-1])) * length


def _shape(rng: np.random.Generator, size: float) -> tuple[np.ndarray, str]:
    """A frond, a flower, a leaf or a pebble about (0, 0), some `size` long, in any turn, and which it is."""
    kind = rng.random()
    angle = np.arange(120) * np.pi / 60
    if kind < 0.6:
        lean = rng.uniform(-np.pi, np.pi) if rng.random() < 0.4 else rng.normal(0, 0.5)
        return turn(_frond(rng, size) + np.array((0, size / 2)), lean), "frond"
    if kind < 0.75:  # a flower of four to seven petals
        petals = rng.integers(4, 8)
        radius = 0.5 * size * (0.45 + 0.5 * np.abs(np.cos(petals * angle / 2)) ** 0.8)
    elif kind < 0.88:  # a leaf
        blade = np.stack((np.sin(angle) * np.abs(np.sin(angle / 2)) ** 1.5 * 0.42, -np.cos(angle)), axis=1)
        return turn(blade * size / 2, rng.uniform(-np.pi, np.pi)), "leaf"
    else:  # a pebble
        wave = sum(rng.normal(0, 0.12 / k) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in (2, 3, 4))
        radius = 0.4 * size * (1 + wave)
    radius = radius * (1 + 0.02 * np.sin(9 * angle + rng.uniform(0, 6.3)))
    return turn(circle(120) * radius[:, None], rng.uniform(-np.pi, np.pi)), "flower" if kind < 0.75 else "pebble"


def cut_outs(rng: np.random.Generator, n: int, facts: Facts) -> np.ndarray:
    """A mosaic of panels, a chequered sea, a sheaf or a free scatter; canvas float32 `[3, n, n]`."""
    white, *papers = choose(rng, _PALETTES, hue=6)
    papers = rng.permutation(np.array(papers))
    contrast = np.abs(to_oklab(papers) - to_oklab(white)).sum(1)
    papers = papers[contrast > 0.2]  # a white shape must show on each
    sheet = Image.new("RGB", (n, n), ink(white))
    draw = ImageDraw.Draw(sheet)

    def cut(points: np.ndarray, place, color: np.ndarray, name: str | None = None) -> None:
        facts.shape(points + place, name, color)
        draw.polygon(pixels(points + place, n), fill=ink(vary(rng, color[None], 0.012, 0.05, 2)[0]))

    def panel(left: float, top: float, right: float, bottom: float, color: np.ndarray) -> None:
        corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
        cut(corners + rng.normal(0, 0.004, (4, 2)), 0, color)

    def cut_shape(size: float, place, color: np.ndarray) -> None:
        points, name = _shape(rng, size)
        cut(points, place, color, name)

    kind = rng.choice(4, p=(0.36, 0.2, 0.2, 0.24))
    if kind == 0:  # panels, one shape to each
        facts.say("on colored panels")
        columns, rows = ((1, 2), (2, 1), (2, 2), (2, 2), (3, 2), (2, 3), (3, 3))[rng.integers(7)]
        xs = np.linspace(0, 1, columns + 1) + np.pad(rng.normal(0, 0.04, columns - 1), 1)
        ys = np.linspace(0, 1, rows + 1) + np.pad(rng.normal(0, 0.04, rows - 1), 1)
        for i in range(rows):
            for j in range(columns):
                ground = (i * 2 + j) % len(papers)
                panel(xs[j], ys[i], xs[j + 1], ys[i + 1], papers[ground])
                other = (ground + rng.integers(1, len(papers))) % len(papers)
                color = white if rng.random() < 0.5 else papers[other]
                room = np.array([xs[j + 1] - xs[j], ys[i + 1] - ys[i]])
                place = ((xs[j] + xs[j + 1]) / 2, (ys[i] + ys[i + 1]) / 2)
                if room.max() > 1.5 * room.min():  # a long panel holds two
                    offset = 0.25 * (room > room.min()) * room.max()
                    cut_shape(rng.uniform(0.8, 1.0) * room.min(), place - offset, color)
                    place = place + offset
                cut_shape(rng.uniform(0.8, 1.02) * room.min(), place, color)
    elif kind == 1:  # "Polynesia, the Sea": two papers in chequer, white creatures
        facts.ground(*papers[:2], surface="squares")
        rows = int(rng.integers(3, 6))
        for i in range(rows):
            for j in range(rows):
                panel(j / rows, i / rows, (j + 1) / rows, (i + 1) / rows, papers[(i + j) % 2])
        for k in rng.permutation(9)[: rng.integers(5, 9)]:
            place = (np.array([k % 3, k // 3]) + 0.5) / 3 + rng.normal(0, 0.03, 2)
            cut_shape(rng.uniform(0.26, 0.4), place, white)
    elif kind == 2:  # "The Sheaf": fronds fan out from below
        paper = white if rng.random() < 0.6 else papers[-1]
        facts.ground(paper)
        facts.say("in a sheaf")
        panel(-0.1, -0.1, 1.1, 1.1, paper)
        foot = np.array([0.5 + rng.normal(0, 0.06), rng.uniform(0.82, 0.95)])
        leans = np.linspace(-1.15, 1.15, int(rng.integers(7, 12))) + rng.normal(0, 0.06)
        for k, lean in enumerate(leans[rng.permutation(len(leans))]):
            out = np.array([np.sin(lean), -np.cos(lean)])
            away = rng.uniform(0.08, 0.44)
            frond = turn(_frond(rng, rng.uniform(0.34, 0.46)), lean)
            cut(frond, foot + out * away, papers[k % (len(papers) - 1)], "frond")
    else:  # a scatter on one paper, with a band of another
        panel(-0.1, -0.1, 1.1, 1.1, papers[0])
        facts.ground(papers[0])
        if rng.random() < 0.6:
            split = rng.uniform(0.25, 0.75)
            facts.ground(papers[1])
            panel(*((split, -0.1, 1.1, 1.1) if rng.random() < 0.5 else (-0.1, split, 1.1, 1.1)), papers[1])
        side = int(rng.choice((2, 3, 3)))
        for k in range(side * side):
            place = (np.array([k % side, k // side]) + 0.5) / side + rng.normal(0, 0.035, 2)
            color = white if rng.random() < 0.3 else papers[rng.integers(2, len(papers))]
            cut_shape(rng.uniform(0.8, 1.15) / side, place, color)

    image = from_sheet(sheet)
    grain(image, noise(rng, n, 14, 40), 0.018)  # gouache dries in broad streaks
    grain(image, noise(rng, n, 4, 4), 0.012)
    return image
