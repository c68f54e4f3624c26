"""Pictures with 16 bits a colour, PNG and TIFF, for print: Pillow reads them and cannot write them."""

import io
import struct
import zlib
from collections.abc import Mapping

import numpy as np
from PIL.PngImagePlugin import PngInfo, putchunk
from PIL.TiffImagePlugin import ImageFileDirectory_v2

# Tags of TIFF, and values of some.
WIDTH, HEIGHT, BITS, COMPRESSION, MEANING = 256, 257, 258, 259, 262
PLACE, SAMPLES, ROWS, LENGTH, PREDICTOR, EXTRA, PROFILE = 273, 277, 278, 279, 317, 338, 34675
RGB, DEFLATE, DIFFERENCES, UNASSOCIATED = 2, 8, 2, 2  # alpha by which colours are not multiplied
START = 8  # of the directory, behind the header


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
