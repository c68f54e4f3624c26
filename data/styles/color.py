"""Colour in OKLab, the perceptual space of Björn Ottosson (2020), where equal steps look equally large.

Palettes are written as sRGB hex, since that is how one picks them by eye; they are varied and mixed in OKLab.
"""

import numpy as np

_RGB_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LMS_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_LMS_TO_RGB = np.linalg.inv(_RGB_TO_LMS)
_LAB_TO_LMS = np.linalg.inv(_LMS_TO_LAB)


def _transform(matrix: np.ndarray, colors: np.ndarray) -> np.ndarray:
    # Not `@`: einsum does not go through BLAS, whose last bits may depend on its threads.
    return np.einsum("ij,...j->...i", matrix, colors)


def to_oklab(rgb: np.ndarray) -> np.ndarray:
    """OKLab `[..., 3]` of sRGB `[..., 3]` in [0, 1]: lightness in [0, 1], green to red, blue to yellow."""
    rgb = np.asarray(rgb, np.float64)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((np.maximum(rgb, 0.04045) + 0.055) / 1.055) ** 2.4)
    return _transform(_LMS_TO_LAB, np.cbrt(_transform(_RGB_TO_LMS, linear)))


def to_rgb(lab: np.ndarray) -> np.ndarray:
    """sRGB `[..., 3]` in [0, 1] of OKLab `[..., 3]`; what lies outside the gamut is clipped."""
    linear = np.clip(_transform(_LMS_TO_RGB, _transform(_LAB_TO_LMS, lab) ** 3), 0.0, 1.0)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def palette(hexes: str) -> np.ndarray:
    """sRGB `[colours, 3]` in [0, 1] of hex colours with spaces between them, such as "e63946 f1faee"."""
    return np.array([list(bytes.fromhex(color)) for color in hexes.split()]) / 255.0


def shift(rgb: np.ndarray, lightness=0.0, chroma=1.0, hue=0.0) -> np.ndarray:
    """`rgb` `[..., 3]` with lightness added, chroma multiplied, hue turned (degrees), scalars or `[...]`."""
    lab = to_oklab(rgb)
    angle = np.deg2rad(hue)
    a, b = lab[..., 1] * chroma, lab[..., 2] * chroma
    turned = (a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle))
    return to_rgb(np.stack((lab[..., 0] + lightness, *turned), axis=-1))


def vary(rng: np.random.Generator, rgb: np.ndarray, lightness=0.02, chroma=0.12, hue=6.0) -> np.ndarray:
    """`rgb` `[n, 3]`, every colour moved a little by itself: standard deviations of `shift`'s arguments."""
    light, pure, turn = rng.standard_normal((3, len(rgb)))
    return shift(rgb, light * lightness, np.exp(pure * chroma), turn * hue)


def choose(rng: np.random.Generator, palettes: tuple[str, ...], hue: float = 7.0) -> np.ndarray:
    """One of `palettes` as sRGB `[colours, 3]`, turned as a whole by some degrees for variety."""
    return choose_numbered(rng, palettes, hue)[1]


def choose_numbered(
    rng: np.random.Generator, palettes: tuple[str, ...], hue: float = 7.0
) -> tuple[int, np.ndarray]:
    """The number of one of `palettes`, and what `choose` makes of it."""
    number = int(rng.integers(len(palettes)))
    picked = palette(palettes[number])
    turned = shift(picked, rng.normal(0, 0.012), np.exp(rng.normal(0, 0.08)), rng.normal(0, hue))
    return number, vary(rng, turned, 0.012, 0.06, 2.5)


# What people call colours: some shades of each name.
_NAMES = {
    "black": "0d0d0d 1d1b1a 14161a",
    "grey": "4f4f50 6c6a68 8f8d88 b2b2b2",
    "white": "ffffff f2efe6 ebe4d6 e2e2e2",
    "red": "d3241c a32018 7a1022 c81d2f e5484a",
    "orange": "f28c28 e8642c d9701e f4a261",
    "yellow": "f2c71b f6d86a e2b02c fbe58a",
    "green": "2f8f4f 4f7a4a 1f4f33 8fb02f a8cf7a 12301f",
    "turquoise": "1f8a8a 4fb8b0 7fc8c0 0f5558 bfe0d6",
    "blue": "1f3f8f 2b5fc4 12234f 6fa8dc a9cfe6 4a7bb7 8192ac",
    "purple": "6a3d8f 3a0ca3 9a7ac0 4b3f7a 5a2a52 a78ad6",
    "pink": "e87fa0 f2b6c4 d1568f f0c9b8",
    "brown": "5a3a22 8a5a2b 6a4a30 a87848 3d2416",
    "beige": "dcc79a e3c7a0 cdb48c d9c7a8",
}
COLORS = tuple(_NAMES)


def name_colors(rgb: np.ndarray) -> list[str]:
    """Names sRGB colours `[n, 3]` in [0, 1] as people would: the names of the nearest shades."""
    shades = [(name, shade) for name, shades in _NAMES.items() for shade in shades.split()]
    table = to_oklab(palette(" ".join(shade for _, shade in shades)))
    far = np.abs((to_oklab(np.clip(rgb, 0, 1))[:, None] - table) * (0.7, 1.0, 1.0)) ** 2
    return [shades[i][0] for i in far.sum(axis=2).argmin(axis=1)]
