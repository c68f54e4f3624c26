"""Any picture file to a small array of bytes."""

import io
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from data import gif, jpeg
from data.budget import Budget, checked, needed
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

JPEG = b"\xff\xd8\xff"  # how one begins

MEMORY = Budget(2**29)  # of all that is being decoded

# Up to 179 million pixels is work, not an attack; beyond that Pillow refuses, and the file is skipped.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def decode(file: str | Path | bytes, size: int, channels: int = 3, crop: str = "center") -> np.ndarray:
    """The picture in a file, its path or its bytes, antialiased: uint8 [height, width, channels], 0 to 255.

    crop="center": the centre square, `size` x `size`. crop="random": the shorter side is 1.125 x `size`, or the
    file's own if that is less, and the longer at most twice that, so that squares can be cut from it later.
    crop="native": the picture at its own resolution, for the same; of one with sides of more than 4 x `size`, the
    middle. Enlarged only if it is smaller than a square. Upright by its EXIF tag; whatever is transparent lies on
    white; 16-bit and float pictures are scaled to 0..255. `channels` is 1 or 3.

    Raises an `Exception` with a readable reason for anything that is not a whole picture.
    """
    side = None if crop == "native" else shortest(size, crop)
    shrinks = partial(_shrinks, size=size, crop=crop)
    content = file if isinstance(file, bytes) else _jpeg(file)
    if content.startswith(JPEG):
        with _loaded_jpeg(content, shrinks, side) as (pixels, turn):
            if pixels is not None:
                height, width, bands = pixels.shape
                (across, down), _ = cut((width, height), size, crop)
                if turn not in TURNS and pixels.shape == (down, across, channels):
                    return pixels
                image = Image.fromarray(pixels if bands == 3 else pixels[:, :, 0])
                return _finished(image, turn, size, channels, crop)
    with loaded(content or file, shrinks=shrinks, side=side) as (image,):
        return _finished(image, orientation(image), size, channels, crop)


def _finished(image: Image.Image, turn: int, size: int, channels: int, crop: str) -> np.ndarray:
    target, box = cut(image.size, size, crop)
    image = resized(image, target, Image.Resampling.BICUBIC, box, plain(image, channels))
    if turn in TURNS:
        image = image.transpose(TURNS[turn])
    return as_bytes(image, channels)


def _shrinks(sides: tuple[int, int], size: int, crop: str) -> bool:
    return max(shrinkage(*cut(sides, size, crop))) > 1


def _jpeg(path: str | Path) -> bytes:
    """What is in a file, if it is a JPEG; else nothing."""
    with open(path, "rb") as file:
        start = file.read(len(JPEG))
        return start + file.read() if start == JPEG else b""


@contextmanager
def _loaded_jpeg(
    content: bytes, shrinks: Callable[[tuple[int, int]], bool], side: int | None
) -> Iterator[tuple[np.ndarray | None, int]]:
    """Gives the pixels of what `loaded` would give of a JPEG, and its orientation; None is for Pillow to try."""
    found = jpeg.header(content)
    if found is None:
        yield None, 1
        return
    full = (found.width, found.height)
    factor = 1 if side is None else jpeg_factor(full, side)
    sides = (-(-found.width // factor), -(-found.height // factor))
    each = found.channels + (1 if found.channels == 1 else 4) + (0 if shrinks(sides) else 4)
    total = checked(sides[0] * sides[1] * each, full if found.progressive else (0, 0))
    with MEMORY.reserve(total):
        yield jpeg.pixels(content, found, factor), found.turn


@contextmanager
def opened(file: str | Path | bytes) -> Iterator[Image.Image]:
    """Opens a picture; no pixels are read. Raises what Pillow does, and `ValueError` as `gif.check_comments`."""
    with io.BytesIO(file) if isinstance(file, bytes) else open(file, "rb") as content:
        gif.check_comments(content)
        with Image.open(content, formats=FORMATS) as image:
            yield image


@contextmanager
def loaded(
    *files: str | Path | bytes, shrinks: Callable[[tuple[int, int]], bool], side: int | None = None, copies: int = 1
) -> Iterator[list[Image.Image]]:
    """Gives the pictures in files, as they lie there, once the memory for them is free (`data.budget`).

    With `side`, they may come smaller, as long as the shorter side can still become `side` without loss. So many
    `copies` will be made of all their pixels, unless `shrinks` says that a picture with these sides shrinks first.
    """
    with ExitStack() as stack:
        images, total = [], 0
        for file in files:
            try:
                image = stack.enter_context(opened(file))
            except UnidentifiedImageError:
                length = len(file) if isinstance(file, bytes) else os.path.getsize(file)
                reason = f"is no picture ({', '.join(FORMATS)})" if length else "is empty"
                raise ValueError(reason) from None
            full = image.size
            if side is not None and (factor := jpeg_factor(full, side)) > 1:
                image.draft(image.mode, (full[0] // factor, full[1] // factor))
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


def jpeg_factor(sides: tuple[int, int], side: int) -> int:
    """How many times smaller, 1, 2, 4 or 8, a JPEG's decoder may make one with these sides, for a shorter `side`.

    It leaves out what resizing would throw away, eight times faster for large files.

    Where it lands on `side` exactly, its result is an area average, and nothing is left to resize. Elsewhere
    it must leave twice as much, or the two reductions in a row would blur.
    """
    short = min(sides)
    exact = any(short == side * factor for factor in (2, 4, 8))
    most = short // (side if exact else 2 * side)
    return next(factor for factor in (8, 4, 2, 1) if most >= factor or factor == 1)


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
