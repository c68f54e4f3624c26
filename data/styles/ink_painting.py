"""Ink painting, after Sesshū Tōyō, Hasegawa Tōhaku and the Zen calligraphers: brush, paper and a red seal."""

import numpy as np

from data.styles.brush import Brush
from data.styles.canvas import Points, box, circle, curve, flat, glaze, grain, grid, mask, noise, smoothstep
from data.styles.color import choose
from data.styles.facts import Facts

# Paper, ink, seal.
_PALETTES = (
    "f1e8d4 1a1816 b3261e",
    "ebe0c6 201c1a a8281c",
    "f5f0e4 15171a c0302a",
    "e4d5b4 1c1815 9f2a1c",
    "efe9dc 1d222a b83228",
    "d9c7a0 181410 962418",
    "e9e6de 17191c c23a2e",
    "f3ead0 23201e ad2f22",
)


def ink_painting(rng: np.random.Generator, n: int, facts: Facts) -> np.ndarray:
    """Ensō, bamboo, characters, plum branch, orchid or misty mountains; canvas float32 `[3, n, n]`."""
    paper, black, red = choose(rng, _PALETTES, hue=3)
    image = flat(n, paper)
    grain(image, noise(rng, n, 5), 0.02)
    fibers = noise(rng, n, 110)
    grain(image, fibers + noise(rng, n, 12, 90), 0.01)
    facts.ground(paper)
    brush, blossoms = Brush(rng, n), []
    subject = rng.choice(6, p=(0.17, 0.19, 0.2, 0.14, 0.12, 0.18))
    if subject == 0:
        _enso(rng, brush)
        facts.thing("circle", black)
    elif subject == 1:
        _bamboo(rng, brush)
        facts.thing("bamboo")
    elif subject == 2:
        facts.thing("character", count=_characters(rng, brush))
    elif subject == 3:
        blossoms = _branch(rng, brush)
        facts.thing("branch")
        facts.thing("blossom", red, count=0)
    elif subject == 4:
        _orchid(rng, brush)
        facts.thing("orchid")
    else:
        _mountains(rng, image, black)
        facts.thing("mountain", count=0)
        if _birds(rng, brush) > 1:
            facts.thing("bird", count=0)
    # Ink sinks into the fibres: denser here, paler there.
    glaze(image, black, np.clip(brush.density * (0.95 + 0.05 * fibers), 0, 1))
    if blossoms:
        glaze(image, red, 0.85 * mask(n, blossoms))
    facts.thing("seal", red, place=_seal(rng, image, red, paper))
    return image


def _enso(rng: np.random.Generator, brush: Brush) -> None:
    """The circle of Zen, in one breath."""
    sweep = rng.uniform(5.3, 6.2) * rng.choice((-1, 1))
    angle = rng.uniform(0, 2 * np.pi) + np.linspace(0, sweep, 90)
    uneven = 1 + rng.normal(0, 0.04) * np.cos(angle) + np.linspace(0, rng.normal(0, 0.07), 90)
    radius = rng.uniform(0.24, 0.33) * uneven
    ring = np.stack((np.cos(angle), np.sin(angle) * rng.uniform(0.92, 1.05)), axis=1) * radius[:, None]
    center = 0.5 + rng.normal(0, 0.025, 2)
    brush.along(center + ring, rng.uniform(0.06, 0.13), head=0.75, tail=0.45, dry=rng.uniform(0.5, 0.95))


def _bamboo(rng: np.random.Generator, brush: Brush) -> None:
    """Jointed stems in grey, leaves in black."""
    for _ in range(int(rng.integers(1, 4))):
        x, lean, tone = rng.uniform(0.2, 0.8), rng.normal(0, 0.12), rng.uniform(0.45, 0.8)
        width, y = rng.uniform(0.025, 0.055), 1.05
        while y > -0.05:
            length = rng.uniform(0.17, 0.26)
            foot = np.array((x + lean * (1 - y), y))
            top = foot + np.array((lean * length, 0.012 - length))
            brush.stroke((foot, (foot + top) / 2, top), width, head=1, tail=0.95, tone=tone, dry=0.35)
            if rng.random() < 0.75:
                side = rng.choice((-1, 1))
                for _ in range(int(rng.integers(2, 6))):
                    reach, droop = rng.uniform(0.12, 0.24) * side, rng.uniform(-0.03, 0.18)
                    leaf = top + np.array([(0, 0), (0.55 * reach, 0.2 * droop - 0.02), (reach, droop)])
                    black = rng.uniform(0.75, 1.0)
                    brush.stroke(leaf, rng.uniform(0.022, 0.038), head=0.1, tail=0.02, tone=black)
            y -= length


def _characters(rng: np.random.Generator, brush: Brush) -> int:
    """One great character or a column or two of them: no real writing, but its strokes; how many are they?"""
    columns, rows = ((1, 1), (1, 2), (1, 3), (2, 3))[rng.choice(4, p=(0.4, 0.25, 0.2, 0.15))]
    size = min(0.74, 0.86 / rows)
    for i in range(rows):
        for j in range(columns):
            center = 0.5 + np.array((0.4 * (j - (columns - 1) / 2), 0.87 / max(rows, 2) * (i - (rows - 1) / 2)))
            _character(rng, brush, center, size)
    return rows * columns


def _character(rng: np.random.Generator, brush: Brush, center: Points, size: float) -> None:
    width, dry = size * rng.uniform(0.1, 0.15), rng.uniform(0.1, 0.7)
    x = rng.normal(0, 0.08)
    for height in np.linspace(-0.33, 0.25, int(rng.integers(2, 4))) + rng.normal(0, 0.03):
        half = rng.uniform(0.18, 0.42)
        bar = np.array([(-half, height + 0.03), (0, height - 0.05), (half, height - 0.02)])
        brush.stroke(center + size * bar, 0.85 * width, head=0.8, tail=0.7, dry=dry * rng.random())
    post = np.array([(x, -0.45), (x + 0.03, 0), (x - 0.01, rng.uniform(0.3, 0.48))])
    brush.stroke(center + size * post, width, head=0.7, tail=0.3, dry=dry)
    for side, head in ((-1, 0.8), (1, 0.4)):
        if rng.random() < 0.75:
            leg = np.array([(x, -0.05), (x + side * 0.15, 0.2), (x + side * 0.42, rng.uniform(0.28, 0.45))])
            brush.stroke(center + size * leg, 1.1 * width, head=head, tail=0.1, dry=dry * 0.5)
    for _ in range(int(rng.integers(0, 3))):
        dot = rng.uniform(-0.35, 0.35, 2) + np.array([(0, 0), (0.05, 0.03), (0.07, 0.11)])
        brush.stroke(center + size * dot, 1.1 * width, head=0.3, tail=0.5)


def _branch(rng: np.random.Generator, brush: Brush) -> list[Points]:
    """A plum branch across the sheet; returns the outlines of its blossoms, to be painted in red."""
    side = rng.choice((0, 1))
    start = np.array((side * 1.1 - 0.05, rng.uniform(0.6, 1.0)))
    end = np.array((0.85 - side * 0.7, rng.uniform(0.1, 0.4)))
    spine = curve((start, (start + end) / 2 + rng.normal(0, 0.12, 2), end), 40)
    spine[1:-1] += rng.normal(0, 0.004, (38, 2))
    brush.along(spine, rng.uniform(0.05, 0.08), head=1, tail=0.15, tone=0.9, dry=0.6)
    blossoms, rim = [], circle(30)
    petals = 0.85 + 0.2 * np.abs(np.cos(np.arange(30) * np.pi / 6))[:, None]  # five of them
    for at in rng.integers(8, 38, int(rng.integers(4, 8))):
        reach = np.array((rng.uniform(-0.18, 0.18), rng.uniform(-0.3, -0.1) * rng.choice((1, 1, -0.7))))
        twig = curve((spine[at], spine[at] + reach * (0.2, 0.6), spine[at] + reach), 20)
        brush.along(twig, 0.018, head=1, tail=0.3, tone=0.9)
        for k in rng.integers(6, 20, int(rng.integers(1, 4))):
            blossoms.append(twig[k] + rng.normal(0, 0.012, 2) + rng.uniform(0.022, 0.034) * petals * rim)
    return blossoms


def _orchid(rng: np.random.Generator, brush: Brush) -> None:
    """Long blades out of one root."""
    root = np.array((rng.uniform(0.3, 0.7), rng.uniform(0.82, 0.95)))
    for _ in range(int(rng.integers(6, 12))):
        reach, rise = rng.normal(0, 0.3), rng.uniform(0.3, 0.75)
        tip = (reach * 1.3, abs(reach) * 0.5 - rise)
        blade = np.array([(0, 0), (reach * 0.15, -rise * 0.6), (reach * 0.7, -rise * 1.05), tip])
        black = rng.uniform(0.6, 1.0)
        brush.stroke(root + blade, rng.uniform(0.018, 0.036), head=0.4, tail=0.03, tone=black, dry=0.3)


def _mountains(rng: np.random.Generator, image: np.ndarray, black: np.ndarray) -> None:
    """Ranges in washes that darken towards us, their feet in mist."""
    n = image.shape[1]
    x, y = grid(n)
    grainy = noise(rng, n, 40)
    count = int(rng.integers(2, 5))
    for k in range(count):
        line = rng.uniform(0.2, 0.34) + 0.48 * k / count
        for octave in range(5):
            wave = np.sin(1.3 * np.pi * 2**octave * rng.uniform(0.8, 1.2) * x + rng.uniform(0, 6.3))
            line = line + 0.15 * 0.5**octave * (np.abs(wave) - 0.6 if octave < 3 else 0.6 * wave)
        below = y - line
        wash = smoothstep(0, 0.012, below) * np.clip(1 - below / rng.uniform(0.22, 0.4), 0, 1) ** 1.3
        strength = 0.25 + 0.62 * (k + 1) / count
        glaze(image, black, np.clip(strength * wash * (1 + 0.16 * grainy), 0, 1))


def _birds(rng: np.random.Generator, brush: Brush) -> int:
    """Up to four of them; how many are they?"""
    count = int(rng.integers(0, 5))
    for _ in range(count):
        place = np.array((rng.uniform(0.2, 0.8), rng.uniform(0.06, 0.2)))
        for side in (-1, 1):
            wing = np.array([(0, 0.006), (0.01 * side, -0.011), (0.03 * side, -0.013)])
            brush.stroke(place + wing, 0.01, head=0.5, tail=0.25)
    return count


def _seal(rng: np.random.Generator, image: np.ndarray, red: np.ndarray, paper: np.ndarray) -> str:
    """The painter's seal in a lower corner: a red square with a few cut lines; on which side is it?"""
    n, size = image.shape[1], rng.uniform(0.07, 0.1)
    x, y = rng.choice((0.12, 0.87)) + rng.normal(0, 0.01), rng.uniform(0.78, 0.9)
    glaze(image, red, 0.92 * mask(n, [box(x, y, size, size * rng.uniform(1, 1.25), rng.normal(0, 0.03))]))
    cuts = [box(x, y + h * size, size * 0.6, size * 0.12) for h in (-0.28, 0.02, 0.3)]
    cuts.append(box(x, y, size * 0.12, size * 0.7))
    glaze(image, paper, 0.8 * mask(n, [cuts[i] for i in rng.permutation(4)[:3]]))
    return "on the left" if x < 0.5 else "on the right"
