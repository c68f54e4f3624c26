"""JPEG files by libjpeg-turbo alone, outside Python's lock: nearly all pictures are some.

Pillow decodes them by the same library, to the same bits, but holds the lock while it looks at a file and copies;
with small pictures and several cores, that is most of the time. It still does whatever this leaves to it.
"""

import struct
from typing import NamedTuple

import numpy as np
import simplejpeg
from PIL import Image

MOST = 2 * (Image.MAX_IMAGE_PIXELS or 2**27)  # pixels; Pillow says why not

SIZES = {0xC0, 0xC1, 0xC2}  # markers of what begins a picture: baseline, extended, progressive
# Lossless, arithmetic, ...; and what does not come before the picture's size.
OTHERS = {0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xDB), 0xFF}
APPLICATION = 0xE1  # of cameras: which side is up, if it says that
ORIENTATION = 0x0112


class Header(NamedTuple):
    """What a file says before its pixels. `turn` is the EXIF orientation, 1 for upright."""

    width: int
    height: int
    channels: int
    progressive: bool
    turn: int


def header(content: bytes) -> Header | None:
    """Reads the header of a JPEG file; None for all that is better left to Pillow."""
    place, turn = 2, None
    while place + 10 < len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        size = content[place + 2] << 8 | content[place + 3]
        if marker in SIZES:
            depth, height, width, channels = struct.unpack_from(">BHHB", content, place + 4)
            usual = depth == 8 and channels in (1, 3) and 0 < width * height <= MOST
            return Header(width, height, channels, marker == 0xC2, turn or 1) if usual else None
        if marker in OTHERS or size < 2:
            return None
        if marker == APPLICATION:
            segment = content[place + 4 : place + 2 + size]
            if b"rientation" in segment or turn is not None:  # XMP, which may say it, too; or two that say it
                return None
            if segment.startswith(b"Exif\0\0"):
                turn = _turn(segment)
        place += 2 + size
    return None


def _turn(segment: bytes) -> int:
    exif = Image.Exif()
    try:
        exif.load(segment)
        return exif.get(ORIENTATION, 1)
    except Exception:  # damaged: the picture itself may be fine
        return 1


def pixels(content: bytes, found: Header, factor: int = 1) -> np.ndarray | None:
    """uint8 [height, width, channels], sides divided by `factor` (1, 2, 4 or 8) and rounded up; None for Pillow."""
    height, width = -(-found.height // factor), -(-found.width // factor)
    space = "GRAY" if found.channels == 1 else "RGB"
    try:
        picture = simplejpeg.decode_jpeg(content, space, min_height=height, min_width=width)
    except ValueError:  # whatever it warns of: Pillow knows which of these are damages
        return None
    return picture if picture.shape[:2] == (height, width) else None
