"""Any picture file to a small array of bytes."""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from data.budget import Budget, needed
from data.strips import Convert, converted, resized, rounded, shrinkage, tones

# No others: Pillow also opens formats that run programs (PostScript) or that nobody expects here.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
RESIZER = "bicubic, antialiased (Pillow)"  # what `decode` resizes with
CROPS = ("center", "random", "native")
NATIVE = 4  # "native" keeps no more than the middle, so many times the square wide and high
MARGIN = 1.125  # "random" keeps this much more of the shorter side, and up to twice that of the longer
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

MEMORY = Budget(2**29)  # of all that is being decoded

# Up to 179 million pixels is work, not an attack; beyond that Pillow refuses, and the file is skipped.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def decode(path: str | Path, size: int, channels: int = 3, crop: str = "center") -> np.ndarray:
    """The picture in file `path`, resized with antialiasing: uint8 [height, width, channels], 0 to 255.

    crop="center": the centre square, `size` x `size`. crop="random": the shorter side is 1.125 x `size`, or the
    file's own if that is less, and the longer at most twice that, so that squares can be cut from it later.
    crop="native": the picture at its own resolution, for the same; of one with sides of more than 4 x `size`, the
    middle. Enlarged only if it is smaller than a square. Upright by its EXIF tag; whatever is transparent lies on
    white; 16-bit and float pictures are scaled to 0..255. `channels` is 1 or 3.

    Raises an `Exception` with a readable reason for anything that is not a whole picture.
    """
    side = None if crop == "native" else shortest(size, crop)
    with loaded(path, shrinks=lambda sides: max(shrinkage(*cut(sides, size, crop))) > 1, side=side) as (image,):
        target, box = cut(image.size, size, crop)
        turn = orientation(image)
        image = resized(image, target, Image.Resampling.BICUBIC, box, plain(image, channels))
        if turn in TURNS:
            image = image.transpose(TURNS[turn])
        return as_bytes(image, channels)


@contextmanager
def loaded(
    *paths: str | Path, shrinks: Callable[[tuple[int, int]], bool], side: int | None = None, copies: int = 1
) -> Iterator[list[Image.Image]]:
    """Gives the pictures in files, as they lie there, once the memory for them is free (`data.budget`).

    With `side`, they may come smaller, as long as the shorter side can still become `side` without loss. So many
    `copies` will be made of all their pixels, unless `shrinks` says that a picture with these sides shrinks first.
    """
    with ExitStack() as stack:
        images, total = [], 0
        for path in paths:
            try:
                image = stack.enter_context(Image.open(path, formats=FORMATS))
            except UnidentifiedImageError:
                reason = "is empty" if os.path.getsize(path) == 0 else f"is no picture ({', '.join(FORMATS)})"
                raise ValueError(reason) from None
            full = image.size
            if side is not None:
                _shrink_jpeg(image, side)
            total += needed(image, full, 0 if shrinks(image.size) else copies)
            images.append(image)
        stack.enter_context(MEMORY.reserve(total))
        for image in images:
            image.load()
        yield images


def same_shape(sides: tuple[int, int], others: tuple[int, int], rounding: int = 1) -> bool:
    """Whether pictures with these sides are of one shape, but for sides rounded to multiples of `rounding` px."""
    return abs(sides[0] * others[1] - sides[1] * others[0]) <= rounding * max(*sides, *others)


def shortest(size: int, crop: str) -> int:
    """What `decode` makes of the shorter side, of files that are large enough; at least, with crop="native"."""
    return round(size * MARGIN) if crop == "random" else size


def most_bytes(size: int, crop: str, channels: int) -> int:
    """Returns what a picture that `decode` makes takes at most."""
    short = shortest(size, crop)
    return channels * {"center": short**2, "random": 2 * short**2, "native": (NATIVE * size) ** 2}[crop]


def cut(sides: tuple[int, int], size: int, crop: str) -> tuple[tuple[int, int], tuple[int, int, int, int]]:
    """What `decode` makes of a picture of (width, height): the new (width, height), and the box to resize."""
    width, height = sides
    short, longest = min(sides), max(sides)
    side = min(shortest(size, crop), max(size, short))
    if crop == "native":
        scale = max(1.0, side / short)
        box_w, box_h = (min(whole, max(1, int(NATIVE * size / scale))) for whole in sides)
        target = round(box_w * scale), round(box_h * scale)
    else:
        kept = short if crop == "center" else min(longest, 2 * short)
        long_side = side if crop == "center" else round(side * kept / short)
        box_w, box_h = (kept, short) if width >= height else (short, kept)
        target = (long_side, side) if width >= height else (side, long_side)
    left, top = (width - box_w) // 2, (height - box_h) // 2  # whole pixels: no blur where nothing shrinks
    return target, (left, top, left + box_w, top + box_h)


def as_bytes(image: Image.Image, channels: int) -> np.ndarray:
    """uint8 [height, width, channels] of an image in mode L, RGB or F."""
    if image.mode == "F":
        image = converted(image, rounded)
    pixels = np.asarray(image.convert("RGB" if channels == 3 else "L"))
    return pixels if channels == 3 else pixels[:, :, None]


def _shrink_jpeg(image: Image.Image, side: int) -> None:
    """Lets the JPEG decoder leave out what resizing would throw away; eight times faster for large files.

    Where it lands on `side` exactly, its result is an area average, and nothing is left to resize. Elsewhere
    it must leave twice as much, or the two reductions in a row would blur.
    """
    short = min(image.size)
    exact = any(short == side * factor for factor in (2, 4, 8))
    image.draft(image.mode, (side, side) if exact else (2 * side, 2 * side))


def orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(0x0112, 1)
    except Exception:  # damaged EXIF: the picture itself may be fine
        return 1


def plain(image: Image.Image, channels: int) -> Convert | None:
    """Returns what brings the strips of a picture to mode L, RGB or F (0..255), the ones that can be resized as
    they are; None for a picture that is in one."""
    to = "L" if channels == 1 else "RGB"
    if image.mode.startswith(("I", "F")):
        return tones(image)
    if image.has_transparency_data:
        return lambda strip: _on_white(strip.convert("RGBA")).convert(to)
    if image.mode == "1":
        return lambda strip: strip.convert("L")
    if image.mode not in ("L", "RGB") or (channels == 1 and image.mode == "RGB"):
        return lambda strip: strip.convert(to)
    return None


def _on_white(image: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
