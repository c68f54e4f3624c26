"""Pictures in the cache as their files have them, decoded whenever they are streamed: less disk, more work.

A million pictures of 256 px are 197 GB decoded. What `data.jpeg` reads stays as it is, to the byte; all else is cut
and resized as ever, and kept as PNG.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from data import jpeg
from data.decode import JPEG, TURNS, cut, decode, jpeg_factor, shortest
from data.decode_folder import Opened
from data.store import File, Store


def encode_opened(file: Opened, size: int, crop: str) -> File:
    """Makes of a file what is kept. Raises an `Exception` with a readable reason for what is no whole picture.

    Its facts are the height and width of what it becomes, its length, by how much its decoder is to shrink it (0
    for a PNG), and the box to resize, as `data.decode.cut` has it.
    """
    with file as opened:
        content = opened if isinstance(opened, bytes) else Path(opened).read_bytes()
    found = jpeg.header(content) if content.startswith(JPEG) else None
    # Decoded as small as can be, to see whether it is whole.
    if found is not None and found.turn not in TURNS and jpeg.pixels(content, found, 8) is not None:
        sides = (found.width, found.height)
        factor = 1 if crop == "native" else jpeg_factor(sides, shortest(size, crop))
        (width, height), box = cut((-(-sides[0] // factor), -(-sides[1] // factor)), size, crop)
        return File(content, (height, width, len(content), factor, *box))
    picture, png = decode(content, size, 3, crop), io.BytesIO()
    Image.fromarray(picture).save(png, "PNG")
    height, width = picture.shape[:2]
    return File(png.getvalue(), (height, width, len(png.getvalue()), 0, 0, 0, width, height))


class EncodedStore(Store):
    """As `Store`, of files that become `heights` by `widths`. `files` int64 [n, 6] are length, factor and box."""

    def __init__(self, folders: Sequence[Path], size: int, crop: str, begins: Sequence[int] = (0,)):
        super().__init__(folders, size, 3, begins)
        self.crop, self.unit = crop, 1
        self.files = np.ascontiguousarray(self.index[:, 4:])

    def _bytes(self, index: np.ndarray) -> int:
        return int(index[:, 4].sum()) if len(index) else 0

    def picture(self, number: int) -> np.ndarray:
        """uint8 [height, width, 3], the whole of a picture. By Pillow: TensorFlow resizes a little otherwise."""
        start = int(self.offsets[number])
        return decode(
            self.pixels[start : start + int(self.files[number, 0])].tobytes(), self.shape[1], 3, self.crop
        )
