"""Analytic cubism, after Georges Braque and Pablo Picasso: a still life broken into shaded planes."""

import numpy as np
from PIL import Image, ImageDraw

from data.styles.canvas import (
    Points,
    box,
    flat,
    from_sheet,
    glaze,
    grain,
    ink,
    linen,
    noise,
    pixels,
    to_sheet,
)
from data.styles.color import choose, shift, vary
from data.styles.facts import Facts

# From dark to light; the last is the accent.
_PALETTES = (
    "2a2420 5a4a38 8a7350 b59a6a dcc79a 4f6470",
    "1f2224 4a4f50 7d7f78 a8a596 d8d0b8 9a6a3a",
    "2b1f1a 6a4a30 9c7444 c49c62 e6d2a4 3f5a5a",
    "1c2630 3d5366 6d8595 a3b3b5 dcdccb b07a45",
    "262019 57503a 868060 b0a982 dad3b0 7a3f2a",
    "241d22 534650 857480 b09c94 dccbb4 5f7a78",
    "1d211c 44523f 74805f a3a67f d9d3ac a35f38",
    "2a2a2c 5c5c5e 8f8d88 bcb5a5 e5ddc8 6a5237",
    "30201a 7a4a32 a86f45 c99a6a ead2a8 33485a",
    "1a1f2a 39445a 6a7486 9f9f9c d6cbb0 8f4a34",
)


def _plane(image: np.ndarray, points: Points, color: np.ndarray, start: float, end: float, dabs: np.ndarray):
    """Glazes a polygon in place, as opaque as `start` at its first edge and as `end` at the far side."""
    n = image.shape[1]
    low = np.clip(np.floor(points.min(0) * n).astype(int), 0, n - 1)
    high = np.clip(np.ceil(points.max(0) * n).astype(int), low + 1, n)
    sheet = Image.new("L", tuple((high - low).tolist()))
    ImageDraw.Draw(sheet).polygon(((points * n) - low).ravel().tolist(), fill=255)
    edge = points[1] - points[0]
    normal = np.array([-edge[1], edge[0]]) / (np.linalg.norm(edge) + 1e-9)
    reach = (points - points[0]) @ normal
    reach = reach[np.argmax(np.abs(reach))]
    reach = reach if abs(reach) > 1e-6 else 1e-6
    y = ((np.arange(low[1], high[1]) + 0.5) / n - points[0, 1])[:, None] * (normal[1] / reach)
    x = ((np.arange(low[0], high[0]) + 0.5) / n - points[0, 0])[None, :] * (normal[0] / reach)
    t = (x + y).astype(np.float32)
    window = np.s_[low[1] : high[1], low[0] : high[0]]
    alpha = np.clip(start + (end - start) * t + 0.13 * dabs[window], 0, 1)
    glaze(image[:, *window], color, alpha * (np.asarray(sheet, np.float32) / 255.0))


def cubism(rng: np.random.Generator, n: int, facts: Facts) -> np.ndarray:
    """Some 30 planes about an upright axis, with hints of a guitar; canvas float32 `[3, n, n]`."""
    *tones, accent = choose(rng, _PALETTES, hue=7)
    tones = np.array(tones)
    image = flat(n, tones[rng.integers(1, 4)])
    dabs = noise(rng, n, 56, 22)  # short sideways touches of the brush
    axis = rng.normal(0, 0.18)
    oblique = rng.uniform((0.5, -0.9, 0.2), (0.9, -0.5, 0.4))
    angles = axis + np.array((0, np.pi / 2, *oblique))
    center = 0.5 + rng.uniform(-0.08, 0.08, 2)
    spread = rng.uniform(0.15, 0.24)
    planes, colors, edges = [], [], []
    count = int(rng.integers(24, 38))
    for k in range(count):
        progress = k / count
        place = center + rng.normal(0, 1, 2) * (spread, 1.35 * spread) * (1.6 - 0.8 * progress)
        size = (0.62 - 0.42 * progress) * rng.uniform(0.7, 1.3)
        angle = angles[rng.integers(5)] + rng.normal(0, 0.06)
        points = box(*place, size * rng.uniform(0.35, 0.8), size, angle + rng.choice((0, np.pi / 2)))
        points = points + rng.normal(0, 0.06 * size, points.shape)
        if rng.random() < 0.4:
            points = np.delete(points, rng.integers(4), axis=0)
        first = rng.integers(len(points))
        points = np.concatenate((points[first:], points[:first]))
        # The heart of the picture is light, its rim dark; neighbours still differ sharply.
        glow = np.exp(-(((place - center) / (0.24, 0.34)) ** 2).sum())
        tone = np.clip(rng.normal(0.5 + 3.2 * glow, 1.5), 0, 4)
        color = tones[int(tone)] * (1 - tone % 1) + tones[min(4, int(tone) + 1)] * (tone % 1)
        colors.append(accent if rng.random() < 0.13 else color)
        planes.append((points, rng.uniform(0.8, 1.0), rng.uniform(-0.1, 0.4)))
        edges.append((points[:2], rng.random(), rng.uniform(0.004, 0.009)))

    for (points, start, end), color in zip(planes, vary(rng, np.array(colors), 0.02, 0.1, 5), strict=True):
        _plane(image, points, color, start, end, dabs)
    sheet = to_sheet(image)
    draw = ImageDraw.Draw(sheet)
    dark, light = ink(shift(tones[0], -0.04)), ink(tones[4])
    for ends, kind, width in edges:
        if kind < 0.6:
            draw.line(pixels(ends, n), fill=dark if kind < 0.42 else light, width=max(1, round(width * n)))
    if _guitar(rng, draw, n, center, axis, dark, light):
        facts.thing("guitar")
    facts.thing("plane", count=0)
    image = from_sheet(sheet)
    grain(image, dabs, 0.035)
    grain(image, linen(rng, n), 0.02)
    return image


def _guitar(rng: np.random.Generator, draw: ImageDraw.ImageDraw, n: int, center, axis, dark, light) -> bool:
    """Strings, a sound hole and arcs of the body: the clues that the analytic cubists left; are they clear?"""
    thin = max(1, round(0.006 * n))
    lean = axis + rng.normal(0, 0.25)
    along, across = np.array([np.sin(lean), -np.cos(lean)]), np.array([np.cos(lean), np.sin(lean)])
    if strings := rng.random() < 0.6:
        start, length = center + rng.normal(0, 0.05, 2), rng.uniform(0.25, 0.45)
        for k in range(int(rng.integers(3, 6))):
            foot = start + across * (k - 2) * 0.022
            draw.line(pixels(np.stack((foot, foot + along * length)), n), fill=dark, width=thin)
    if sounds := rng.random() < 0.65:
        hole, radius = center + rng.normal(0, 0.07, 2), rng.uniform(0.035, 0.06)
        bounds = pixels(np.stack((hole - radius, hole + radius)), n)
        draw.ellipse(bounds, fill=dark, outline=light, width=thin)
    for _ in range(int(rng.integers(1, 4))):
        hub, radius, turn = center + rng.normal(0, 0.14, 2), rng.uniform(0.08, 0.2), rng.uniform(0, 360)
        bounds = pixels(np.stack((hub - radius, hub + radius)), n)
        draw.arc(bounds, turn, turn + rng.uniform(90, 190), fill=dark, width=max(1, round(0.01 * n)))
    return strings and sounds
