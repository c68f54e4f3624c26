"""Files on the page: where visitors' lie, how they are looked at, and what is said of them."""

import atexit
import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
from filelock import FileLock
from PIL import Image

from data import picture, picture_writer

BYTES = 50 * 2**20  # of an upload
PIXELS = 100 * 10**6  # of a picture
PREFIX = "gesso-page-"  # of temporary folders
LOCK = ".lock"  # in each, held as long as its process lives
PREVIEW = 1024  # px, longer side of what is shown of a picture

_root: Path | None = None


def root() -> Path:
    """Returns the temporary folder that holds all that visitors bring and make; it goes with the process.

    Those of processes that were killed go when the next one begins.
    """
    global _root
    if _root is None:
        for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
            if _is_left(left):
                shutil.rmtree(left, ignore_errors=True)
        _root = Path(tempfile.mkdtemp(prefix=PREFIX))
        atexit.register(shutil.rmtree, _root, ignore_errors=True)
        lock = FileLock(_root / LOCK)
        with suppress(OSError, NotImplementedError):  # there are none on some disks, and nobody else gets one there
            lock.acquire(timeout=0)
        atexit.register(lock.release)  # before the folder goes: Windows removes no open file
    return _root


def _is_left(folder: Path) -> bool:
    """Says whether nobody uses a folder any more, here or on another machine that has the same disk."""
    if not (folder / LOCK).is_file():  # it has just been made, or there is no telling
        return False
    try:
        with FileLock(folder / LOCK, timeout=0):
            return True
    except (OSError, NotImplementedError):  # `Timeout` among them: its process lives
        return False


def set_up() -> None:
    """Sets the limits for this process: what Gradio keeps lies in `root`, and no picture has more than `PIXELS`."""
    os.environ["GRADIO_TEMP_DIR"] = str(root() / "gradio")
    Image.MAX_IMAGE_PIXELS = PIXELS // 2  # Pillow refuses at twice that


def folder() -> Path:
    """Makes a folder that nobody can guess, for the files of one job."""
    return Path(tempfile.mkdtemp(dir=root()))


def preview(path: str | Path, size: int = PREVIEW) -> np.ndarray:
    """Reads a picture to be shown, uint8 `[height, width, 3]`, no longer than `size` px. Raises `GessoError`."""
    pixels = picture.read(path).pixels
    return fit(pixels, size)


def fit(pixels: np.ndarray, size: int = PREVIEW) -> np.ndarray:
    """Shrinks uint8 `[height, width, 3]` to a longer side of at most `size` px."""
    if max(pixels.shape[:2]) <= size:
        return pixels
    height, width = picture.scale_sides(pixels.shape[:2], size)
    return resize(pixels, (height, width))


def resize(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes uint8 `[height, width, 3]` to (height, width)."""
    return np.asarray(Image.fromarray(pixels).resize(size[::-1], Image.Resampling.BICUBIC))


def write_mask(path: Path, mask: np.ndarray) -> Path:
    """Writes what was drawn, uint8 `[height, width]`, 255 where it was, as a picture; returns its file."""
    picture_writer.write(path, np.repeat(mask[..., None], 3, -1), {})
    return path


def in_words(error: Exception) -> str:
    """Returns an error's message with files by their names alone: where they lie is nobody's business."""
    return re.sub(rf"{re.escape(str(root()))}/(?:[^\s:,]*/)*", "", str(error))
