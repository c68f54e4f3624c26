"""Large pictures a strip at a time: what is made of one on the way to a small one then takes next to no memory."""

import math
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

PIXELS = 2**20  # of a strip, unless a row alone has more
GAP = 3.0  # before filtering, pictures shrink by whole factors, to no less than so many times what is wanted
SUPPORT = {Image.Resampling.HAMMING: 1.0, Image.Resampling.BICUBIC: 2.0, Image.Resampling.LANCZOS: 3.0}  # pixels

Box = tuple[float, float, float, float]
Convert = Callable[[Image.Image], Image.Image]


def converted(image: Image.Image, convert: Convert | None) -> Image.Image:
    """Returns `convert(image)`, of a `convert` that looks at each pixel alone; None is for nothing to be done."""
    if convert is None or image.width * image.height <= PIXELS:
        return image if convert is None else convert(image)
    return _joined(((top, convert(strip)) for top, strip in strips(image, (0, 0, *image.size))), image.size)


def resized(
    image: Image.Image, size: tuple[int, int], resample: Image.Resampling, box: Box, convert: Convert | None
) -> Image.Image:
    """Returns `convert(image).resize(size, resample, box, reducing_gap=GAP)`, with less memory.

    Where Pillow would first shrink the picture by whole factors, each strip is shrunk as soon as it is converted.
    """
    factors = shrinkage(size, box)
    least = 1.0 if max(factors) == 1 else 0.0
    sides = [max(least, (box[i + 2] - box[i]) / size[i]) for i in (0, 1)]
    reach = [(SUPPORT[resample] - 0.5) * side for side in sides]  # what the filter sees beyond the box
    left, top = (max(0, int(box[i] - reach[i])) for i in (0, 1))
    right, bottom = (min(image.size[i], math.ceil(box[i + 2] + reach[i])) for i in (0, 1))
    if max(factors) == 1:
        seen = image if convert is None else converted(image.crop((left, top, right, bottom)), convert)
        offset = (0, 0) if convert is None else (left, top)
    else:
        parts = (
            ((y - top) // factors[1], (strip if convert is None else convert(strip)).reduce(factors))
            for y, strip in strips(image, (left, top, right, bottom), factors[1])
        )
        seen = _joined(parts, (-(-(right - left) // factors[0]), -(-(bottom - top) // factors[1])))
        offset = (left, top)
    return seen.resize(size, resample, tuple((box[i] - offset[i % 2]) / factors[i % 2] for i in range(4)))


def shrinkage(size: tuple[int, int], box: Box) -> tuple[int, int]:
    """Returns the whole factors that `box` shrinks by before it is filtered to `size`; 1 and 1 are for none."""
    across, down = (int((box[i + 2] - box[i]) / size[i] / GAP) or 1 for i in (0, 1))
    return across, down


def tones(image: Image.Image) -> Convert:
    """Returns what brings the strips of a picture of 16 or 32 bits, or of floats, to mode F in 0..255.

    Files do not say what white is: 65535 in 16 bits, else guessed from the values of the whole picture.
    """
    if image.mode.startswith("I;16"):
        return lambda strip: Image.fromarray(_numbers(strip) / 257.0)
    extremes = [(part.min(), part.max()) for part in (_numbers(strip) for _, strip in strips(image))]
    low, high = float(min(part[0] for part in extremes)), float(max(part[1] for part in extremes))
    for white in (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0):
        if low >= 0.0 and high <= white:
            return lambda strip: Image.fromarray(_numbers(strip) * (255.0 / white))
    return lambda strip: Image.fromarray((_numbers(strip) - low) * (255.0 / max(high - low, 1e-12)))


def _numbers(strip: Image.Image) -> np.ndarray:
    return np.nan_to_num(np.asarray(strip).astype(np.float32), posinf=0.0, neginf=0.0)


def rounded(strip: Image.Image) -> Image.Image:
    """Returns what `tones` made in whole numbers: mode L."""
    return Image.fromarray(np.clip(np.asarray(strip) + 0.5, 0, 255).astype(np.uint8))


def strips(
    image: Image.Image, box: tuple[int, int, int, int] | None = None, multiple: int = 1
) -> Iterator[tuple[int, Image.Image]]:
    """Yields each strip of the box, so high that all rows but the last make a multiple, and where it begins."""
    left, top, right, bottom = box or (0, 0, *image.size)
    rows = max(1, PIXELS // ((right - left) * multiple)) * multiple
    for y in range(top, bottom, rows):
        yield y, image.crop((left, y, right, min(y + rows, bottom)))


def _joined(parts: Iterator[tuple[int, Image.Image]], size: tuple[int, int]) -> Image.Image:
    whole = None
    for top, part in parts:
        whole = whole or Image.new(part.mode, size)
        whole.paste(part, (0, top))
    return whole
