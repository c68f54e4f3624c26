"""A landscape as functions of the place: what colour lies at (x, y) and which way a brush would go there.

Post-impressionism and pointillism both paint from it, each in its own hand.
"""

import numpy as np

from data.styles.color import to_oklab, to_rgb
from data.styles.facts import WHOLE, Facts

SKY, HILL, GROUND, TREE, LIGHT = range(5)
_SEEN = 64  # px, side of the picture in which it is seen what hides what


class Scenery:
    """Sky with a sun or moon, ridges behind one another, water or field, perhaps trees, perhaps sails.

    `palette` is sRGB `[7, 3]`: sky above, sky at the horizon, light, far hills, near hills, ground twice;
    `water`, `sails`, `trees` are the chances of these.
    """

    def __init__(self, rng: np.random.Generator, palette: np.ndarray, *, water: float, sails: float, trees: float):
        self.top, self.low, self.light, self.far, self.near, self.ground, self.second = to_oklab(palette)
        self.horizon = rng.uniform(0.46, 0.7)
        self.sun = np.array([rng.uniform(0.15, 0.85), rng.uniform(0.12, self.horizon - 0.12)])
        self.radius = rng.uniform(0.055, 0.1)
        self.water = rng.random() < water
        places = rng.uniform((0.05, 0.05), (0.95, self.horizon), (3, 2))
        self.swirls = [(*place, rng.choice((-1, 1))) for place in places]
        self.waves = rng.uniform(0, 2 * np.pi, 8)
        self.furrow = rng.uniform(0.2, 0.8)
        self.ridges = []
        count = int(rng.integers(1, 4))
        for k in range(count):
            height = rng.uniform(0.02, 0.2) * (1 - 0.5 * k / count)
            tones = rng.uniform(0.6, 1.4, 3) * (1.0, 2.3, 5.1), rng.uniform(0, 2 * np.pi, 3)
            peaked = rng.random() < 0.4
            self.ridges.append((self.horizon - height, rng.uniform(0.25, 0.55) * height, *tones, peaked))
        # A tree is (x, foot, height, width, pointed); a sail is (x, foot, height, lean).
        self.trees, self.sails = [], []
        if rng.random() < trees:
            pointed = rng.random() < 0.65
            for _ in range(int(rng.integers(1, 6))):
                # On land anywhere, smaller further away; before water on the near bank, which the frame cuts.
                foot = 1.08 if self.water else self.horizon + rng.uniform(0.02, 0.28)
                height = rng.uniform(0.22, 0.42) if pointed else rng.uniform(0.16, 0.28)
                height *= 0.6 + 2 * (foot - self.horizon)
                width = height * (rng.uniform(0.13, 0.2) if pointed else rng.uniform(0.35, 0.5))
                self.trees.append((rng.uniform(0.04, 0.96), foot, height, width, pointed))
        if self.water and rng.random() < sails:
            for _ in range(int(rng.integers(1, 5))):
                foot = self.horizon + rng.uniform(0.03, 0.2)
                height = 0.12 + 0.9 * (foot - self.horizon)
                self.sails.append((rng.uniform(0.1, 0.9), foot, height, rng.choice((-1, 1))))

    def _ridge(self, k: int, x: np.ndarray) -> np.ndarray:
        base, swing, frequencies, phases, peaked = self.ridges[k]
        tones = np.sin(np.pi * frequencies * x[..., None] + phases)
        tones = 1 - 2 * np.abs(tones) if peaked else tones
        return base - swing * (tones[..., 0] + 0.45 * tones[..., 1] + 0.2 * tones[..., 2])

    def look(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What lies at points x, y `[k]`: OKLab colours `[k, 3]`, brush angles `[k]`, SKY etc. `[k]`."""
        w, what = self.waves, np.full(x.shape, SKY)
        # Sky: a gradient in bands that drift, brighter about the sun.
        drift = 0.08 * np.sin(5 * x + 9 * y + w[0]) + 0.05 * np.sin(11 * x - 7 * y + w[1])
        t = np.clip(y / self.horizon + drift, 0, 1)[:, None]
        color = self.top * (1 - t) + self.low * t
        dx, dy = x - self.sun[0], y - self.sun[1]
        distance = np.hypot(dx, dy)
        ring = 0.5 + 0.5 * np.cos(distance * 42 + w[2])
        halo = (np.exp(-((distance / (2.6 * self.radius)) ** 2)) * (0.35 + 0.4 * ring))[:, None]
        color = color * (1 - halo) + self.light * halo
        flow = np.stack((np.ones_like(x), 0.45 * np.sin(4 * x + w[3]) + 0.3 * np.sin(7 * y + w[4])))
        for cx, cy, sense in ((*self.sun, 1.0), *self.swirls):
            near = 3.2 * sense * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 0.025)
            length = np.hypot(x - cx, y - cy) + 1e-6
            flow += near * np.stack((-(y - cy), x - cx)) / length
        angle = np.arctan2(flow[1], flow[0])
        disc = distance < self.radius
        color[disc], what[disc] = self.light, LIGHT

        for k in range(len(self.ridges)):
            line = self._ridge(k, x)
            there = (y > line) & (y < self.horizon + 0.1)
            depth = (k + 1) / len(self.ridges)
            shade = np.clip((y - line) / 0.16, 0, 1)[:, None]
            tone = self.far * (1 - depth) + self.near * depth
            tone = tone + (0.06 - 0.09 * shade) * (1.0, 0.0, 0.0)
            slope = np.arctan2(self._ridge(k, x + 0.01) - line, 0.01)
            color[there], what[there], angle[there] = tone[there], HILL, slope[there]

        below = y > self.horizon
        depth = np.clip((y - self.horizon) / (1 - self.horizon), 0, 1)
        if self.water:
            ripple = np.sin(60 * (y - self.horizon) / (0.35 + depth) + 3 * np.sin(6 * x + w[5]) + w[6])
            t = (np.clip(0.5 - 0.35 * depth + 0.22 * ripple, 0, 1))[:, None]
            tone = self.ground * (1 - t) + (0.5 * self.low + 0.5 * self.second) * t
            glint = np.exp(-((dx / (0.03 + 0.1 * depth)) ** 2)) * (0.45 + 0.4 * ripple)
            tone = tone + np.clip(glint, 0, 1)[:, None] * (self.light - tone)
            lay = 0.12 * np.sin(9 * x + 5 * y + w[7])
        else:
            fan = (x - self.furrow) / (0.25 + depth)
            t = (0.5 + 0.5 * np.sin(22 * fan + w[5]) * np.clip(depth + 0.25, 0, 1))[:, None]
            tone = self.ground * (1 - t) + self.second * t - 0.08 * depth[:, None] * (1.0, 0.0, 0.0)
            lay = np.arctan2(0.3 + depth, fan * 0.9)
        color[below], what[below], angle[below] = tone[below], GROUND, lay[below]

        for tree in self.trees:
            tx, _, _, width, _ = tree
            there, t, lean = _tree(tree, x, y)
            lit = np.clip(0.5 - (x - lean) / width * np.sign(tx - self.sun[0]) * 0.5, 0, 1)[:, None]
            tone = self.near * 0.8 + 0.2 * self.ground + (0.22 * lit - 0.16) * (1.0, 0.0, 0.0)
            color[there], what[there] = tone[there], TREE
            angle[there] = (np.pi / 2 + 0.5 * np.sin(18 * t + tx * 5))[there]
        for boat in self.sails:
            there, hull = _boat(boat, x, y)
            color[there], what[there], angle[there] = (0.95, 0.0, 0.02), TREE, np.pi / 2
            color[hull], what[hull], angle[hull] = self.near * (0.6, 1.2, 1.2), TREE, 0.0
        return color, angle, what

    def tell(self, facts: Facts, hour: str | None) -> None:
        """Tells what is to be seen of it, `hour` ("at night", "in spring") as the palette has it."""
        places = (np.arange(_SEEN) + 0.5) / _SEEN
        x, y = np.tile(places, _SEEN), np.repeat(places, _SEEN)
        _, _, what = self.look(x, y)
        number = np.full(x.shape, -1)
        masks = [_tree(tree, x, y)[0] for tree in self.trees]
        masks += [np.logical_or(*_boat(boat, x, y)) for boat in self.sails]
        for i, there in enumerate(masks):
            number[there] = i
        kinds = ["cypress" if tree[4] else "tree" for tree in self.trees] + ["boat"] * len(self.sails)
        shares = [np.mean(number[there] == i) if there.sum() > 12 else 0 for i, there in enumerate(masks)]
        for kind in dict.fromkeys(kinds):
            of_kind = [share for share, own in zip(shares, kinds, strict=True) if own == kind]
            count = int(sum(share > WHOLE for share in of_kind))
            there = np.any([mask for mask, own in zip(masks, kinds, strict=True) if own == kind], axis=0)
            apart = _stretches(there.reshape(_SEEN, _SEEN).any(axis=0)) == len(of_kind)
            if count:
                facts.thing(kind, count=count if (apart and count == len(of_kind)) or len(of_kind) == 1 else 0)
        if np.mean(what == LIGHT) > WHOLE * np.pi * self.radius**2:
            facts.thing("moon" if hour in ("at night", "at dusk") else "sun", to_rgb(self.light))
        if np.mean(what == HILL) > 0.04:
            facts.thing("mountain" if any(ridge[-1] for ridge in self.ridges) else "hill", count=0)
        facts.say("by the sea" if self.water else "in the fields")
        if hour is not None:
            facts.say(hour)


def _stretches(there: np.ndarray) -> int:
    """Counts the unbroken stretches of True."""
    return int(np.count_nonzero(np.diff(np.pad(there, 1).astype(int)) == 1))


def _tree(tree: tuple, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where a tree stands, how far up, and where its middle is: `[k]` each."""
    tx, foot, height, width, pointed = tree
    t = np.clip((foot - y) / height, 0, 1)
    lean = tx + 0.15 * width * np.sin(7 * t + tx * 9)
    if pointed:  # a cypress: a flame
        profile = 1.7 * t**0.45 * (1 - t) ** 0.8
    else:  # a round crown on a trunk
        profile = np.where(t < 0.18, 0.12, np.sqrt(np.clip(1 - (1.5 * t - 0.5) ** 2, 0, 1)))
    return (np.abs(x - lean) < width * profile) & (y < foot) & (y > foot - height), t, lean


def _boat(boat: tuple, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where a boat's sail is, and its hull: `[k]` each."""
    sx, foot, height, lean = boat
    t = (foot - y) / height
    sail = (t > 0.12) & (t < 1) & ((x - sx) * lean > 0) & ((x - sx) * lean < 0.5 * height * (1 - t))
    hull = (np.abs(x - sx - lean * 0.1 * height) < 0.42 * height) & (t >= 0) & (t <= 0.12)
    return sail, hull
