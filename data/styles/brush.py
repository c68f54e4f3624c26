"""The ink brush: tapered strokes that run dry."""

import numpy as np
from PIL import Image, ImageDraw

from data.styles.canvas import Points, curve, normals, pixels, ribbon


class Brush:
    """Draws on a sheet of ink density of n by n pixels; points are in unit coordinates."""

    def __init__(self, rng: np.random.Generator, n: int):
        self._rng, self._n = rng, n
        self._sheet = Image.new("L", (n, n))
        self._draw = ImageDraw.Draw(self._sheet)

    @property
    def density(self) -> np.ndarray:
        """How much ink lies where: float32 `[n, n]` in [0, 1]."""
        return np.asarray(self._sheet, np.float32) / 255.0

    def stroke(self, controls: Points, width: float, **manner: float) -> None:
        """A stroke along the Bézier curve of three or four control points, in the `manner` of `along`."""
        self.along(curve(controls, 40), width, **manner)

    def along(self, spine: Points, width: float, head=0.5, tail=0.15, tone=1.0, dry=0.0) -> None:
        """A stroke through the points `spine` `[k, 2]`.

        `head` and `tail` are the widths of its ends relative to `width`, `tone` is how black it is; from 0 to
        1, `dry` says how soon the ink runs out.
        """
        t = np.linspace(0, 1, len(spine))
        onset, release = np.minimum(1, t / 0.2), np.minimum(1, (1 - t) / 0.35) ** 0.8
        press = (head + (1 - head) * onset) * (tail + (1 - tail) * release)
        press *= 1 + 0.12 * np.sin(2 * np.pi * (t * self._rng.uniform(0.6, 1.6) + self._rng.random()))
        widths = width * press
        self._draw.polygon(pixels(ribbon(spine, widths), self._n), fill=int(255 * tone))
        if dry <= 0:
            return
        side = normals(spine) * widths[:, None]
        # As the ink runs out, hairs leave streaks of bare paper, more of them towards the end.
        for offset in self._rng.uniform(-0.48, 0.48, int(6 + 22 * dry)):
            start = 1 - dry * self._rng.uniform(0.1, 1.0) ** 0.7
            end = min(1.0, start + self._rng.uniform(0.1, 0.6))
            hair = (spine + offset * side)[int(start * len(spine)) : int(end * len(spine)) + 1]
            if len(hair) > 1:
                thick = max(1, round(width * self._rng.uniform(0.03, 0.09) * self._n))
                bare = int(self._rng.uniform(0, 110) * tone)
                self._draw.line(pixels(hair, self._n), fill=bare, width=thick)
