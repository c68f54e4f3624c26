"""Any picture file to a small array of bytes, and folders of them on all cores."""

import errno
import logging
import os
import shutil
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from data import store

log = logging.getLogger(__name__)

# No others: Pillow also opens formats that run programs (PostScript) or that nobody expects here.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
CROPS = ("center", "random", "native")
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

# Up to 179 million pixels is work, not an attack; beyond that Pillow refuses, and the file is skipped.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def decode(path: str | Path, size: int, channels: int = 3, crop: str = "center") -> np.ndarray:
    """The picture in file `path`, resized with antialiasing: uint8 [height, width, channels], 0 to 255.

    crop="center": the centre square, `size` x `size`. crop="random": the shorter side is 1.125 x `size`, or the
    file's own if that is less, and the longer at most twice that, so that squares can be cut from it later.
    crop="native": all of the picture at its own resolution, for the same. Enlarged only if it is smaller than a
    square. Upright by its EXIF tag; whatever is transparent lies on white; 16-bit and float pictures are scaled to
    0..255. `channels` is 1 or 3.

    Raises an `Exception` with a readable reason for anything that is not a whole picture.
    """
    image, turn = open_picture(path, channels, None if crop == "native" else shortest(size, crop))
    target, box = cut(image.size, size, crop)
    image = image.resize(target, Image.Resampling.BICUBIC, box, reducing_gap=3.0)
    if turn in TURNS:
        image = image.transpose(TURNS[turn])
    return as_bytes(image, channels)


def open_picture(path: str | Path, channels: int, side: int | None = None) -> tuple[Image.Image, int]:
    """The picture in mode L, RGB or F (0..255), as it lies in the file, and how to turn it (`TURNS`).

    With `side`, it may come smaller, as long as the shorter side can still become `side` without loss.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            if side is not None:
                _shrink_jpeg(image, side)
            image.load()
            return _plain(image, channels), orientation(image)
    except UnidentifiedImageError:
        reason = "is empty" if os.path.getsize(path) == 0 else f"is no picture ({', '.join(FORMATS)})"
        raise ValueError(reason) from None


def same_shape(sides: tuple[int, int], others: tuple[int, int], rounding: int = 1) -> bool:
    """Whether pictures with these sides are of one shape, but for sides rounded to multiples of `rounding` px."""
    return abs(sides[0] * others[1] - sides[1] * others[0]) <= rounding * max(*sides, *others)


def shortest(size: int, crop: str) -> int:
    """What `decode` makes of the shorter side, of files that are large enough; at least, with crop="native"."""
    return round(size * MARGIN) if crop == "random" else size


def cut(sides: tuple[int, int], size: int, crop: str) -> tuple[tuple[int, int], tuple[int, int, int, int]]:
    """What `decode` makes of a picture of (width, height): the new (width, height), and the box to resize."""
    width, height = sides
    short, longest = min(sides), max(sides)
    side = min(shortest(size, crop), max(size, short))
    if crop == "native":
        scale = max(1.0, side / short)
        return (round(width * scale), round(height * scale)), (0, 0, width, height)
    kept = short if crop == "center" else min(longest, 2 * short)
    long_side = side if crop == "center" else round(side * kept / short)
    box_w, box_h = (kept, short) if width >= height else (short, kept)
    target = (long_side, side) if width >= height else (side, long_side)
    left, top = (width - box_w) // 2, (height - box_h) // 2  # whole pixels: no blur where nothing shrinks
    return target, (left, top, left + box_w, top + box_h)


def as_bytes(image: Image.Image, channels: int) -> np.ndarray:
    """uint8 [height, width, channels] of an image in mode L, RGB or F."""
    if image.mode == "F":
        image = Image.fromarray(np.clip(np.asarray(image) + 0.5, 0, 255).astype(np.uint8))
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


def _plain(image: Image.Image, channels: int) -> Image.Image:
    """To mode L, RGB or F (0..255), the ones that can be resized as they are."""
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(to_bytes_range(np.asarray(image), image.mode))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if image.mode == "1":
        return image.convert("L")
    if image.mode not in ("L", "RGB") or (channels == 1 and image.mode == "RGB"):
        return image.convert("L" if channels == 1 else "RGB")
    return image


def to_bytes_range(pixels: np.ndarray, mode: str) -> np.ndarray:
    """float32 in 0..255. Files do not say what white is: 65535 in 16 bits, else guessed from the values."""
    pixels = np.nan_to_num(pixels.astype(np.float32), posinf=0.0, neginf=0.0)
    low, high = float(pixels.min()), float(pixels.max())
    if mode.startswith("I;16"):
        return pixels / 257.0
    for white in (1.0, 255.0, 65535.0) if mode == "F" else (255.0, 65535.0):
        if low >= 0.0 and high <= white:
            return pixels * (255.0 / white)
    return (pixels - low) * (255.0 / max(high - low, 1e-12))


def decode_folder(root: Path, names: Sequence[str], size: int, crop: str, folder: Path, channels: int = 3) -> None:
    """Decodes the files `root / name` on all cores, and writes those that can be read to `folder` (`store`).

    The others are noted there as "name: reason". Memory does not grow with the number of files.
    Raises `OSError` before any work if the disk clearly has no room.
    """
    log.info("Decoding %d pictures from %s to %d px, once; then they are cached", len(names), root, size)
    decode_all(
        names, lambda i: decode(os.path.join(root, names[i]), size, channels, crop), size * size * channels, folder
    )


def decode_all(names: Sequence[str], one: Callable[[int], np.ndarray], num_bytes: int, folder: Path) -> None:
    """`decode_folder` for whatever `one` makes of a number in `names`: uint8 [height, width, channels].

    `num_bytes`: what one takes at least.
    """
    needed, free = len(names) * num_bytes, shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(errno.ENOSPC, f"{needed / 1e9:.1f} GB needed, {free / 1e9:.1f} GB free")
    started = time.perf_counter()
    skipped: list[str] = []
    count = store.write(folder, _in_threads(names, one, num_bytes, skipped), skipped)
    log.info("Decoded %d pictures in %.1f s", count, time.perf_counter() - started)


def _in_threads(
    names: Sequence[str], one: Callable[[int], np.ndarray], num_bytes: int, skipped: list[str]
) -> Iterator[tuple[int, np.ndarray]]:
    """Yields (number in `names`, picture) in order. Threads, not processes: Pillow works outside Python's
    lock, and threads start in no time. Only a few megabytes are under way at a time."""
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    chunk = max(1, min(32, 2**21 // num_bytes))

    def work(first: int) -> list[tuple[int, np.ndarray | str]]:
        return [(i, _attempt(one, i)) for i in range(first, min(first + chunk, len(names)))]

    firsts = iter(range(0, len(names), chunk))
    with ThreadPoolExecutor(threads) as pool, tqdm(total=len(names), unit="img", disable=None) as bar:
        pending = deque(pool.submit(work, first) for first in islice(firsts, 2 * threads))
        while pending:
            results = pending.popleft().result()
            pending.extend(pool.submit(work, first) for first in islice(firsts, 1))
            for i, result in results:
                if isinstance(result, str):
                    skipped.append(f"{names[i]}: {result}")
                else:
                    yield i, result
            bar.update(len(results))


def _attempt(one: Callable[[int], np.ndarray], number: int) -> np.ndarray | str:
    try:
        return one(number)
    except Exception as error:  # whatever is wrong with one file must not stop the others
        return getattr(error, "strerror", None) or str(error) or type(error).__name__
