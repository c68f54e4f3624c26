"""Peak signal-to-noise ratio: how near restored pictures come to the true ones, pixel by pixel.

Super-resolution papers measure it on luminance alone, with as many pixels shaved off each side as the scale:
`psnr(luminance(images), luminance(references), border=4)`. Pictures should be rounded to 8 bits before, as those
that are looked at are.
"""

import numpy as np

from core.color import LUMINANCE

# BT.601, of RGB in 0..1 to 16..235: what MATLAB's rgb2ycbcr computes.
OFFSET, WEIGHTS = 16.0, tuple(219 * weight for weight in LUMINANCE)


def psnr(
    images: np.ndarray, references: np.ndarray, data_range: float | None = None, border: int = 0
) -> np.ndarray:
    """Computes `10 log10(range^2 / mean squared difference)` of each picture in dB, infinite for equal ones: `[n]`.

    Of `[n, height, width, channels]`, uint8, or float in 0..`data_range`. Raises `ValueError` as `compared` does.
    """
    a, b, data_range = compared(images, references, data_range, border)
    errors = np.array([np.mean(np.square(x.astype(np.float64) - y)) for x, y in zip(a, b, strict=True)])
    with np.errstate(divide="ignore"):
        return 10 * np.log10(data_range**2 / errors)


def psnr_luminance(images: np.ndarray, references: np.ndarray, border: int = 0) -> np.ndarray:
    """Computes `psnr` of the `luminance` of RGB pictures, uint8, as papers on super-resolution do, in float."""
    pairs = (
        (luminance(x / 255.0, 1.0), luminance(y / 255.0, 1.0)) for x, y in zip(images, references, strict=True)
    )
    return np.array([psnr(x[None], y[None], 1.0, border)[0] for x, y in pairs])


def luminance(images: np.ndarray, data_range: float | None = None) -> np.ndarray:
    """Computes BT.601's Y of RGB `[..., 3]` as MATLAB's `rgb2ycbcr`: `[..., 1]`, 16/255 to 235/255 of the range.

    uint8 stays uint8, rounded; float in 0..`data_range` becomes float64 in the same range, and is not rounded,
    which moves a PSNR by hundredths of a dB. Papers take 255 for Y's range all the same.
    """
    images = np.asarray(images)
    if images.shape[-1:] != (3,):
        raise ValueError(f"Luminance is of RGB [..., 3], not {images.shape}.")
    scale = _range(images, data_range)
    y = OFFSET / 255 * scale + sum(images[..., i] * (weight / 255) for i, weight in enumerate(WEIGHTS))
    return (np.floor(y + 0.5).astype(np.uint8) if images.dtype == np.uint8 else y)[..., None]


def compared(
    images: np.ndarray, references: np.ndarray, data_range: float | None, border: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Cuts `border` pixels off each side of both; returns them and the range: 255 for uint8.

    Raises `ValueError` for other shapes than two equal `[n, height, width, channels]`, for two types of pixels,
    pictures that have nothing but border, and floats outside 0..`data_range`.
    """
    a, b = np.asarray(images), np.asarray(references)
    if a.shape != b.shape or a.ndim != 4 or (a.dtype == np.uint8) != (b.dtype == np.uint8):
        raise ValueError(
            "Compare pictures of one shape [n, height, width, channels] and one kind of pixels: "
            f"not {a.shape} {a.dtype} with {b.shape} {b.dtype}."
        )
    scale = _range(a, data_range)
    _range(b, data_range)
    if border < 0 or min(a.shape[1:3]) <= 2 * border:
        raise ValueError(f"A border of {border} leaves nothing of {a.shape[1]}x{a.shape[2]} px.")
    inner = (slice(None), slice(border, a.shape[1] - border), slice(border, a.shape[2] - border))
    return a[inner], b[inner], scale


def _range(images: np.ndarray, data_range: float | None) -> float:
    if images.dtype == np.uint8:
        if data_range not in (None, 255):
            raise ValueError(f"uint8 pictures have a range of 255, not {data_range}.")
        return 255.0
    if data_range is None:
        raise ValueError("Float pictures need their data_range: 1 for values in 0..1, 255 for 0..255.")
    if images.size and not (images.min() >= 0 and images.max() <= data_range):
        raise ValueError(f"Clip to 0..{data_range:g}: pixels are from {images.min():g} to {images.max():g}.")
    return float(data_range)
