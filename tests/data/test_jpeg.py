"""JPEGs without Pillow are what they are with it, to the bit."""

import io

import numpy as np
import pytest
from PIL import Image

from data import decode as module
from data import jpeg
from data.decode import CROPS, decode

PIXELS = np.random.default_rng(0).integers(0, 256, (75, 101, 3), np.uint8)
WHOLE = Image.fromarray(PIXELS).resize((203, 151), Image.Resampling.BICUBIC)
KINDS = {
    "plain": {}, "fine": {"subsampling": 0, "quality": 95}, "coarse": {"subsampling": 2, "quality": 20},
    "progressive": {"progressive": True}, "profile": {"icc_profile": bytes(70_000)},
}  # fmt: skip


def written(image: Image.Image, **options) -> bytes:
    content = io.BytesIO()
    image.save(content, "JPEG", **options)
    return content.getvalue()


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return written(WHOLE, exif=exif)


FILES = {name: written(WHOLE, **options) for name, options in KINDS.items()}
FILES |= {f"turn {i}": turned(i) for i in (1, 3, 6, 7)}
FILES["grey"] = written(WHOLE.convert("L"))
FILES["trailing"] = FILES["plain"] + b"more"


@pytest.mark.parametrize("name", FILES)
def test_the_bits_are_pillow_s(name, monkeypatch):
    assert jpeg.header(FILES[name]) is not None
    cases = [(size, channels, crop) for size in (9, 40, 64, 151) for channels in (1, 3) for crop in CROPS]
    ours = [decode(FILES[name], *case) for case in cases]
    monkeypatch.setattr(jpeg, "header", lambda content: None)
    for case, found in zip(cases, ours, strict=True):
        np.testing.assert_array_equal(found, decode(FILES[name], *case), err_msg=str(case))


def test_what_is_left_to_pillow(monkeypatch):
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6"/></x:xmpmeta>'
    content = FILES["plain"]
    damaged = content[:900] + bytes(90) + content[990:]
    for file in (written(WHOLE.convert("CMYK")), written(WHOLE, xmp=xmp), content[:3], b"\xff\xd8" + b"\xff" * 99):
        assert jpeg.header(file) is None
    for file in (damaged, content[: len(content) // 2]):
        assert jpeg.pixels(file, jpeg.header(file)) is None
    with pytest.raises(OSError, match="truncated"):
        decode(content[: len(content) // 2], 16)
    monkeypatch.setattr(module, "loaded", None)  # Pillow's way
    assert decode(content, 16).shape == (16, 16, 3)
