"""Colours of a set of pictures beside another's: what a generator makes too much or too little of.

Pictures are uint8 or float in [-1, 1], sRGB, `[n, height, width, 3]`; colours are measured in CIE Lab.
"""

from dataclasses import dataclass, field

import numpy as np

from metrics.style import lab

GRAY = 10.0  # of chroma, below which a colour has no hue to speak of
HUES = ("pink", "red_orange", "yellow", "green", "turquoise", "azure", "blue", "violet")  # from 0, 45 ... degrees


@dataclass
class ColorBalance:
    """Sums over all pixels that `update` was given: memory does not grow with them."""

    pixels: int = 0
    pictures: int = 0
    sums: np.ndarray = field(default_factory=lambda: np.zeros(3))  # of lightness, chroma, a picture's deviation
    shares: np.ndarray = field(default_factory=lambda: np.zeros(len(HUES) + 1))

    def update(self, images: np.ndarray) -> "ColorBalance":
        """Takes `[n, height, width, 1 or 3]` in; returns itself."""
        if images.shape[-1] == 1:
            images = np.repeat(images, 3, axis=-1)
        lightness, a, b = np.moveaxis(lab(images), -1, 0)
        chroma = np.hypot(a, b)
        hue = np.floor((np.arctan2(b, a) / (2 * np.pi) + 1 / 16) * len(HUES)).astype(int) % len(HUES)
        bins = np.where(chroma < GRAY, len(HUES), hue)
        self.shares += np.bincount(bins.ravel(), minlength=len(HUES) + 1)
        self.sums += lightness.sum(), chroma.sum(), lightness.std(axis=(1, 2)).sum()
        self.pixels += lightness.size
        self.pictures += len(images)
        return self

    def numbers(self) -> dict[str, float]:
        """Computes mean lightness (0 to 100), chroma, contrast (deviation of lightness), and shares of hues."""
        shares = self.shares / self.pixels
        lightness, chroma, contrast = self.sums / (self.pixels, self.pixels, self.pictures)
        return {
            "lightness": float(lightness), "chroma": float(chroma), "contrast": float(contrast),
            **dict(zip(HUES, shares.tolist(), strict=False)), "grey": float(shares[-1]),
        }  # fmt: skip


def distance(one: ColorBalance, other: ColorBalance) -> float:
    """Computes the share of pixels that would have to change hue, 0 to 1: the shares' total variation distance."""
    return float(np.abs(one.shares / one.pixels - other.shares / other.pixels).sum() / 2)
