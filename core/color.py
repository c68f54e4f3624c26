"""Keeping the content's colours in style transfer (Gatys et al. 2016, "Preserving Color in Neural Artistic Style
Transfer", arXiv:1606.05897). Images float32 `[height, width, 3]` in [-1, 1]."""

import numpy as np

LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue, by ITU-R BT.601, as in JPEG and Pillow
# RGB to YIQ: luminance, and two axes of colour.
YIQ = np.array([LUMINANCE, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], np.float32)
RGB = np.linalg.inv(YIQ).astype(np.float32)


def with_luminance(image: np.ndarray, luminance: np.ndarray) -> np.ndarray:
    """Gives `image` the light and dark of `luminance`, a picture of its size, and keeps its colours."""
    mixed = image @ YIQ.T
    mixed[..., 0] = luminance @ YIQ[0]
    return np.clip(mixed @ RGB.T, -1, 1)


def match_luminance(image: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Gives `image` the mean and deviation of luminance that `reference`, of any size, has, and keeps its colours.

    What is to paint only light and dark is then as light, and as rich in contrast, as what it paints.
    """
    mixed = image @ YIQ.T
    light, wanted = mixed[..., 0], reference @ YIQ[0]
    mixed[..., 0] = (light - light.mean()) * (wanted.std() / max(light.std(), 1e-5)) + wanted.mean()
    return np.clip(mixed @ RGB.T, -1, 1)


def prepared(style: np.ndarray, content: np.ndarray, preserve: str) -> np.ndarray:
    """Returns the style picture as it is learned from where the content's colours are kept.

    `preserve` is none, luminance or histogram, as `preserve_color=` has it.
    """
    match = {"luminance": match_luminance, "histogram": match_colors}.get(preserve)
    return style if match is None else match(style, content)


def finished(content: np.ndarray, painted: np.ndarray, preserve: str) -> np.ndarray:
    """Returns what was painted of a content; in its colours, where luminance alone is asked for."""
    return with_luminance(content, painted) if preserve == "luminance" else painted


def match_colors(image: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Gives `image` the mean and covariance of colours that `reference`, of any size, has.

    The linear map is the one that moves colours least (Pitié & Kokaram 2007, "The linear Monge-Kantorovitch linear
    colour mapping"): `S^-1/2 (S^1/2 R S^1/2)^1/2 S^-1/2` of the two covariances.
    """
    pixels, wanted = image.reshape(-1, 3).astype(np.float64), reference.reshape(-1, 3).astype(np.float64)
    regular = 1e-5 * np.eye(3)  # a grey picture has no covariance to divide by
    source, target = (np.cov(colors, rowvar=False, bias=True) + regular for colors in (pixels, wanted))
    root = _root(source)
    inverse = np.linalg.inv(root)
    transfer = inverse @ _root(root @ target @ root) @ inverse
    matched = (pixels - pixels.mean(axis=0)) @ transfer + wanted.mean(axis=0)
    return np.clip(matched, -1, 1).astype(np.float32).reshape(image.shape)


def _root(matrix: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return vectors @ np.diag(np.sqrt(np.maximum(values, 0))) @ vectors.T
