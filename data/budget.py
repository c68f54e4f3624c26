"""How much memory the pictures that are being decoded may take together, on however many cores."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

# Bytes a pixel while a file is read, beside the picture itself: decoders that hold more than a few rows.
EXTRA = {"WEBP": 16, "TIFF": 8}
COEFFICIENTS = 6  # bytes a pixel of a progressive JPEG, at its full size however small it is to become
LARGEST = 2**31  # bytes for one picture: Pillow's limit is 179 million pixels, and some take 20 bytes for each


def cores() -> int:
    """Counts the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Budget:
    """Lets threads do at the same time what together takes no more than `total` bytes; what takes more, alone."""

    def __init__(self, total: int):
        self.total = total
        self._used = 0
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, num_bytes: int) -> Iterator[None]:
        """Waits until there is room. Not to be nested: two threads would wait for each other."""
        with self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + num_bytes <= self.total)
            self._used += num_bytes
        try:
            yield
        finally:
            with self._changed:
                self._used -= num_bytes
                self._changed.notify_all()


def needed(image: Image.Image, full: tuple[int, int], copies: int) -> int:
    """Returns about how many bytes it takes to read an opened picture and make so many copies of all its pixels.

    `full`: its size in the file, which JPEG's decoder may make less of. Raises `ValueError` for more than any
    picture should take.
    """
    each = 1 if image.mode in ("1", "L", "P") else 2 if image.mode.startswith("I;16") else 4
    each += 4 * copies + EXTRA.get(image.format or "", 0)
    return checked(image.width * image.height * each, full if image.info.get("progressive") else (0, 0))


def checked(total: int, progressive: tuple[int, int]) -> int:
    """Adds what the decoder itself takes for a `progressive` JPEG of this size in the file.

    Raises `ValueError` for more than any picture should take.
    """
    total += progressive[0] * progressive[1] * COEFFICIENTS
    if total > LARGEST:
        raise ValueError(f"is too large: to read it would take {total / 1e9:.1f} GB of memory")
    return total
