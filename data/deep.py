"""Pictures with 16 bits a colour, PNG and TIFF, for print: Pillow reads half of them and writes none."""

import io
import re
import struct
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo, putchunk
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from data.strips import GAP

# Tags of TIFF, and values of some.
WIDTH, HEIGHT, BITS, COMPRESSION, MEANING = 256, 257, 258, 259, 262
PLACE, SAMPLES, ROWS, LENGTH, PREDICTOR, EXTRA, PROFILE = 273, 277, 278, 279, 317, 338, 34675
RGB, DEFLATE, DIFFERENCES, UNASSOCIATED = 2, 8, 2, 2  # alpha by which colours are not multiplied
START = 8  # of the directory, behind the header


def read(path: Path, turn: Image.Transpose | None = None) -> np.ndarray | None:
    """Reads the colours of a picture of 16 bits each, turned: uint16 `[height, width, 3]`; None of any other file.

    Of each colour's two bytes, Pillow takes the upper one. If it is told that they stand in the other order, it
    takes the lower one for that: so it reads the file twice.
    """
    try:
        upper, lower = _bytes(path, False), _bytes(path, True)
    except UnidentifiedImageError:  # neither PNG nor TIFF
        return None
    if upper is None or lower is None:
        return None
    colors = []
    for image in (upper, lower):
        image = image if turn is None else image.transpose(turn)
        colors.append(np.asarray(image)[..., :3].astype(np.uint16))
    return colors[0] << 8 | colors[1]


def _bytes(path: Path, swapped: bool) -> Image.Image | None:
    """One byte of each colour: the upper, or if the two are taken for `swapped`, the lower."""
    with Image.open(path, formats=("PNG", "TIFF")) as image:
        tiles = []
        for tile in image.tile:
            raw, *others = [tile.args] if isinstance(tile.args, str) else tile.args
            match = re.fullmatch(r"(RGB[AX]?;16)([LBN])", str(raw))  # little, big, or the machine's own
            if not match:
                return None
            order = {"little": "L", "big": "B"}[sys.byteorder] if match[2] == "N" else match[2]
            raw = match[1] + ({"L": "B", "B": "L"}[order] if swapped else order)
            tiles.append(tile._replace(args=(raw, *others) if others else raw))
        image.tile = tiles
        image.load()
        return image.copy() if tiles else None


def resized(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes uint16 `[height, width, channels]` to another (width, height), as pictures of eight bits are."""
    channels = (Image.fromarray(channel.astype(np.float32)) for channel in np.moveaxis(pixels, -1, 0))
    found = [np.asarray(c.resize(size, Image.Resampling.LANCZOS, reducing_gap=GAP)) for c in channels]
    return rounded(np.stack(found, axis=-1))


def rounded(values: np.ndarray) -> np.ndarray:
    """Turns numbers of any kind into uint16; what is beyond is clipped."""
    return np.clip(np.rint(values), 0, 65535).astype(np.uint16)


def png(pixels: np.ndarray, text: PngInfo, icc: bytes | None = None) -> bytes:
    """Encodes uint16 `[height, width, 3 or 4]`, the fourth channel alpha, with text chunks and a profile."""
    height, width, channels = pixels.shape
    rows = np.ascontiguousarray(pixels, ">u2").view(np.uint8).reshape(height, -1)
    filtered = np.full((height, 1 + rows.shape[1]), 2, np.uint8)  # 2, "up": less the row above
    filtered[:, 1:] = np.diff(rows, axis=0, prepend=np.zeros_like(rows[:1]))
    file = io.BytesIO()
    file.write(b"\x89PNG\r\n\x1a\n")
    putchunk(file, b"IHDR", struct.pack(">2I5B", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0))
    if icc is not None:
        putchunk(file, b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc))
    for name, content, *_ in text.chunks:
        putchunk(file, name, content)
    putchunk(file, b"IDAT", zlib.compress(filtered))
    putchunk(file, b"IEND", b"")
    return file.getvalue()


def tiff(pixels: np.ndarray, tags: Mapping[int, str], icc: bytes | None = None) -> bytes:
    """Encodes uint16 `[height, width, 3 or 4]`, the fourth channel alpha, with texts by tag and a profile."""
    height, width, channels = pixels.shape
    pixels = pixels.astype("<u2")
    pixels[:, 1:] -= pixels[:, :-1].copy()
    strip = zlib.compress(pixels.tobytes())
    directory = ImageFileDirectory_v2()
    directory.update(tags)
    directory.update({WIDTH: width, HEIGHT: height, BITS: (16,) * channels, SAMPLES: channels, MEANING: RGB})
    directory.update({COMPRESSION: DEFLATE, PREDICTOR: DIFFERENCES, ROWS: height, LENGTH: len(strip)})
    directory[PLACE] = 0  # behind the directory: Pillow adds where that ends
    if channels == 4:
        directory[EXTRA] = UNASSOCIATED
    if icc is not None:
        directory[PROFILE] = icc
    return struct.pack("<2sHI", b"II", 42, START) + directory.tobytes(START) + strip
