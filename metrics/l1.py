"""Mean absolute error: how far pixels are off, as pix2pix and its kin are trained and compared."""

import numpy as np

from metrics.psnr import compared


def l1(images: np.ndarray, references: np.ndarray, data_range: float | None = None, border: int = 0) -> np.ndarray:
    """Averages each picture's absolute differences, on the scale of pixels in [-1, 1]: float64 `[n]`, 0 to 2.

    Arguments and errors as those of `metrics.psnr.psnr`.
    """
    a, b, data_range = compared(images, references, data_range, border)
    return np.array([2 * np.mean(np.abs(x.astype(np.float64) - y)) / data_range for x, y in zip(a, b, strict=True)])
