"""Structural similarity, SSIM (Wang et al. 2004, IEEE TIP 13:4) and MS-SSIM (Wang, Simoncelli & Bovik 2003).

Means, variances and covariance of two pictures in a Gaussian window, 11x11 with a deviation of 1.5 pixels, wherever
it lies wholly inside. 1 for equal pictures. Pictures pass one by one, each channel for itself; the mean over the
channels is returned. `metrics.psnr.luminance` gives what super-resolution papers measure.
"""

import numpy as np
from scipy import ndimage

from metrics.psnr import compared

RADIUS, SIGMA = 5, 1.5
K1, K2 = 0.01, 0.03
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, finest first, from the paper
_GAUSSIAN = np.exp(-0.5 * np.square(np.arange(-RADIUS, RADIUS + 1) / SIGMA))
_WINDOW = _GAUSSIAN / _GAUSSIAN.sum()


def ssim(
    images: np.ndarray, references: np.ndarray, data_range: float | None = None, border: int = 0
) -> np.ndarray:
    """Computes SSIM of each picture: float64 `[n]`, at most 1; below 0 where one is like the other's negative.

    Of `[n, height, width, channels]`, uint8, or float in 0..`data_range`, less `border` pixels at each side. At the
    pictures' own size: the authors' programme first shrinks those of 384 px or more. Raises `ValueError` as
    `metrics.psnr.compared` does, and for pictures below 11 px.
    """
    pictures = _pictures(images, references, data_range, border, scales=1)
    return np.array([np.mean(_means(x, y, scale)[0]) for x, y, scale in pictures])


def ms_ssim(
    images: np.ndarray, references: np.ndarray, data_range: float | None = None, border: int = 0
) -> np.ndarray:
    """Computes MS-SSIM of each picture: float64 `[n]`, 0 to 1; a product over five scales, halved one by one.

    Contrast and structure count at every scale, luminance at the coarsest. Where structure is negative a power of
    it does not exist; it is taken for 0. Raises `ValueError` as `ssim` does, here for pictures below 161 px.
    """
    result = []
    for x, y, scale in _pictures(images, references, data_range, border, scales=len(WEIGHTS)):
        product = 1.0
        for i, weight in enumerate(WEIGHTS):
            if i:
                x, y = _halved(x), _halved(y)
            both, structure = _means(x, y, scale)
            product = product * np.maximum(both if i == len(WEIGHTS) - 1 else structure, 0) ** weight
        result.append(np.mean(product))
    return np.array(result)


def _pictures(images: np.ndarray, references: np.ndarray, data_range: float | None, border: int, scales: int):
    a, b, scale = compared(images, references, data_range, border)
    least = 2 * RADIUS * 2 ** (scales - 1) + 1  # a side is rounded up when halved
    if min(a.shape[1:3]) < least:
        raise ValueError(f"Pictures of {a.shape[1]}x{a.shape[2]} px are too small: {least} px or more.")
    return ((x.astype(np.float64), y.astype(np.float64), scale) for x, y in zip(a, b, strict=True))


def _means(x: np.ndarray, y: np.ndarray, data_range: float) -> tuple[np.ndarray, np.ndarray]:
    """Averages SSIM, and its part without luminance, of two pictures `[height, width, channels]` over places."""
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    mean_x, mean_y = _windowed(x), _windowed(y)
    covariance = _windowed(x * y) - mean_x * mean_y
    variances = _windowed(x * x) - mean_x**2 + _windowed(y * y) - mean_y**2
    structure = (2 * covariance + c2) / (variances + c2)
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return np.mean(luminance * structure, axis=(0, 1)), np.mean(structure, axis=(0, 1))


def _windowed(x: np.ndarray) -> np.ndarray:
    """Computes Gaussian means at the places whose window lies inside."""
    for axis in (0, 1):
        x = ndimage.correlate1d(x, _WINDOW, axis=axis)
    return x[RADIUS:-RADIUS, RADIUS:-RADIUS]


def _halved(x: np.ndarray) -> np.ndarray:
    """Averages 2x2 pixels; the last row and column of an odd size count twice."""
    x = np.pad(x, [(0, size % 2) for size in x.shape[:2]] + [(0, 0)], mode="edge")
    return (x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4
