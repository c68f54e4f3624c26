import io
import struct
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import GessoError
from data import shards
from data.decode import CROPS, TURNS, decode
from data.decode_folder import decode_opened
from data.folder import PictureFile
from data.source import Source, from_folder
from data.store import Store

COLOUR = (200, 40, 90)
LOSSLESS = [
    ("png", {}),
    ("bmp", {}),
    ("tiff", {}),
    ("tiff", {"compression": "tiff_lzw"}),
    ("webp", {"lossless": True}),
]


def stripes(size: int = 32) -> np.ndarray:
    """uint8 [size, size, 3], four corners of different colours."""
    picture = np.zeros((size, size, 3), np.uint8)
    half = size // 2
    picture[:half, :half], picture[:half, half:] = (255, 0, 0), (0, 255, 0)
    picture[half:, :half], picture[half:, half:] = (0, 0, 255), (255, 255, 0)
    return picture


def near(picture: np.ndarray, colour, tolerance: int) -> bool:
    return int(np.abs(picture.astype(int) - np.array(colour)).max()) <= tolerance


def bomb(side: int = 60000) -> bytes:
    """A PNG of some hundred bytes whose header claims side x side pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + body


@pytest.mark.parametrize(("kind", "options"), LOSSLESS)
def test_lossless_formats_give_the_very_pixels(tmp_path, kind, options):
    Image.fromarray(stripes()).save(tmp_path / f"a.{kind}", **options)
    picture = decode(tmp_path / f"a.{kind}", 32)
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture, stripes())


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("jpg", {}, 3),
        ("jpg", {"progressive": True}, 3),
        ("webp", {"quality": 90}, 6),
        ("gif", {}, 0),
        ("png", {}, 0),
    ],
)
def test_a_colour_stays_that_colour(tmp_path, kind, options, tolerance):
    Image.new("RGB", (90, 70), COLOUR).save(tmp_path / f"a.{kind}", **options)
    picture = decode(tmp_path / f"a.{kind}", 16)
    assert picture.shape == (16, 16, 3)
    assert near(picture, COLOUR, tolerance)


def test_the_suffix_does_not_matter(tmp_path):
    Image.new("RGB", (20, 20), COLOUR).save(tmp_path / "a.jpg", "PNG")
    assert near(decode(tmp_path / "a.jpg", 10), COLOUR, 0)


@pytest.mark.parametrize("kind", ["jpg", "png", "bmp", "tiff"])
def test_grey(tmp_path, kind):
    Image.new("L", (20, 20), 77).save(tmp_path / f"a.{kind}")
    assert near(decode(tmp_path / f"a.{kind}", 10), (77, 77, 77), 1)
    one = decode(tmp_path / f"a.{kind}", 10, channels=1)
    assert one.shape == (10, 10, 1) and near(one, 77, 1)


def test_one_channel_of_a_colour_is_its_luminance(tmp_path):
    Image.new("RGB", (20, 20), COLOUR).save(tmp_path / "a.png")
    picture = decode(tmp_path / "a.png", 10, channels=1)
    assert picture.shape == (10, 10, 1)
    assert near(picture, 0.299 * 200 + 0.587 * 40 + 0.114 * 90, 1)


def test_one_bit(tmp_path):
    Image.fromarray(np.tile([[True, False], [False, True]], (16, 16))).convert("1").save(tmp_path / "a.png")
    assert near(decode(tmp_path / "a.png", 8), 127, 1)


def test_alpha_lies_on_white(tmp_path):
    for name, image in (
        ("clear.png", Image.new("RGBA", (20, 20), (0, 0, 0, 0))),
        ("clear.webp", Image.new("RGBA", (20, 20), (0, 0, 0, 0))),
        ("grey.png", Image.new("LA", (20, 20), (0, 0))),
    ):
        image.save(tmp_path / name)
        assert near(decode(tmp_path / name, 10), (255, 255, 255), 0), name
    Image.new("RGBA", (20, 20), (255, 0, 0, 128)).save(tmp_path / "half.png")
    assert near(decode(tmp_path / "half.png", 10), (255, 127, 127), 1)
    Image.new("LA", (20, 20), (0, 128)).save(tmp_path / "half grey.png")
    assert near(decode(tmp_path / "half grey.png", 10, channels=1), 127, 1)


@pytest.mark.parametrize("kind", ["png", "gif"])
def test_a_palette_with_a_transparent_colour(tmp_path, kind):
    image = Image.fromarray(np.repeat(np.uint8([[0] * 16 + [1] * 16]), 32, axis=0))
    image.putpalette([*COLOUR, 10, 20, 30])
    image.save(tmp_path / f"whole.{kind}")
    image.save(tmp_path / f"part.{kind}", transparency=1)
    whole, part = decode(tmp_path / f"whole.{kind}", 32), decode(tmp_path / f"part.{kind}", 32)
    assert near(whole[:, :16], COLOUR, 0) and near(whole[:, 16:], (10, 20, 30), 0)
    assert near(part[:, :16], COLOUR, 0) and near(part[:, 16:], (255, 255, 255), 0)


def test_the_one_transparent_colour_of_a_png_without_alpha(tmp_path):
    Image.new("RGB", (20, 20), COLOUR).save(tmp_path / "a.png", transparency=COLOUR)
    assert near(decode(tmp_path / "a.png", 10), (255, 255, 255), 0)


@pytest.mark.parametrize("kind", ["jpg", "tiff"])
def test_cmyk(tmp_path, kind):
    options = {"quality": 95} if kind == "jpg" else {}
    Image.new("CMYK", (32, 32), (0, 255, 255, 0)).save(tmp_path / f"red.{kind}", **options)
    assert near(decode(tmp_path / f"red.{kind}", 16), (255, 0, 0), 4)
    Image.new("CMYK", (32, 32), (0, 0, 0, 0)).save(tmp_path / f"white.{kind}", **options)
    assert near(decode(tmp_path / f"white.{kind}", 16), (255, 255, 255), 4)


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_16_bit_grey_keeps_its_tones(tmp_path, kind):
    """Pillow's own convert("L") clips it to white."""
    ramp = np.repeat(np.linspace(0, 65535, 64).astype(np.uint16)[None], 64, axis=0)
    Image.fromarray(ramp).save(tmp_path / f"a.{kind}")
    picture = decode(tmp_path / f"a.{kind}", 64)
    expected = np.repeat((ramp / 257.0)[..., None], 3, axis=2)
    assert np.abs(picture - expected).max() <= 0.51
    Image.fromarray(np.full((20, 20), 300, np.uint16)).save(tmp_path / f"dark.{kind}")
    assert near(decode(tmp_path / f"dark.{kind}", 10, channels=1), 1, 0)


@pytest.mark.parametrize("scale", [1.0, 255.0, 65535.0])
def test_float_tiff(tmp_path, scale):
    ramp = np.repeat(np.linspace(0, 1, 32, dtype=np.float32)[None], 32, axis=0)
    Image.fromarray(ramp * np.float32(scale)).save(tmp_path / "a.tiff")
    picture = decode(tmp_path / "a.tiff", 32, channels=1)
    assert np.abs(picture[..., 0] - ramp * 255).max() <= 0.51


def test_float_tiff_of_any_values(tmp_path):
    ramp = np.repeat(np.linspace(-3, 9, 32, dtype=np.float32)[None], 32, axis=0)
    ramp[5, 5] = np.nan
    Image.fromarray(ramp).save(tmp_path / "a.tiff")
    picture = decode(tmp_path / "a.tiff", 32)
    assert picture[0, 0, 0] == 0 and picture[0, -1, 0] == 255
    assert (np.diff(picture[0, :, 0].astype(int)) > 0).all()


def test_32_bit_integers(tmp_path):
    ramp = np.repeat(np.linspace(0, 65535, 32).astype(np.int32)[None], 32, axis=0)
    Image.fromarray(ramp).save(tmp_path / "a.tiff")
    assert np.abs(decode(tmp_path / "a.tiff", 32)[..., 0] - ramp / 257).max() <= 0.51


@pytest.mark.parametrize("crop", CROPS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, orientation, crop):
    """The picture is stored turned, as cameras do, and comes out upright."""
    back = {6: 8, 8: 6}.get(orientation, orientation)  # all others are their own inverse
    upright = Image.fromarray(np.repeat(stripes(32), 3, axis=1))  # landscape: 96 x 32
    stored = upright.transpose(TURNS[back]) if back in TURNS else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "turned.png", exif=exif)
    upright.save(tmp_path / "upright.png")
    np.testing.assert_array_equal(
        decode(tmp_path / "turned.png", 32, crop=crop), decode(tmp_path / "upright.png", 32, crop=crop)
    )
    stored.save(tmp_path / "turned.jpg", exif=exif, quality=95, subsampling=0)
    upright.save(tmp_path / "upright.jpg", quality=95, subsampling=0)
    turned, plain = (decode(tmp_path / f"{name}.jpg", 16, crop=crop) for name in ("turned", "upright"))
    assert turned.shape == plain.shape
    assert np.abs(turned.astype(int) - plain).mean() < 2


def test_orientation_follows_the_standard(tmp_path):
    """6: "the 0th row is the right-hand side", so what is stored upper left belongs to the upper right."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(stripes()).save(tmp_path / "a.png", exif=exif)
    picture = decode(tmp_path / "a.png", 32)
    assert near(picture[:16, 16:], (255, 0, 0), 0) and near(picture[16:, 16:], (0, 255, 0), 0)


def test_damaged_exif_does_not_matter(tmp_path):
    Image.new("RGB", (20, 20), COLOUR).save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff rubbish")
    assert near(decode(tmp_path / "a.jpg", 10), COLOUR, 4)


@pytest.mark.parametrize("kind", ["png", "jpg", "tiff", "webp"])
@pytest.mark.parametrize("factor", [4, 5, 32])
def test_shrinking_is_antialiased(tmp_path, kind, factor):
    """A checkerboard of single pixels becomes grey; without antialiasing it is black, white or moiré."""
    side = 16 * factor
    board = np.indices((side, side)).sum(axis=0) % 2 * np.uint8(255)
    options = {"jpg": {"quality": 100}, "webp": {"lossless": True}}.get(kind, {})
    Image.fromarray(board.astype(np.uint8)).convert("RGB").save(tmp_path / f"a.{kind}", **options)
    assert near(decode(tmp_path / f"a.{kind}", 16), 127.5, 4)


def test_centre_crop(tmp_path):
    """A third of landscape and portrait pictures is kept: the middle one."""
    wide = np.repeat(np.uint8([[[255, 0, 0]] * 30 + [[0, 255, 0]] * 30 + [[0, 0, 255]] * 30]), 30, axis=0)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    Image.fromarray(wide.swapaxes(0, 1)).save(tmp_path / "tall.png")
    for name in ("wide", "tall"):
        for size in (10, 30, 40):  # smaller, as it is, larger
            picture = decode(tmp_path / f"{name}.png", size)
            assert picture.shape == (size, size, 3)
            assert near(picture[3:-3, 3:-3], (0, 255, 0), 0)  # at the edges, the filter sees beyond


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(64, 64, (36, 36)), (128, 64, (36, 72)), (64, 96, (54, 36)), (640, 64, (36, 72)), (64, 640, (72, 36))],
)
def test_what_is_kept_for_random_crops(tmp_path, width, height, expected):
    Image.new("RGB", (width, height), COLOUR).save(tmp_path / "a.png")
    picture = decode(tmp_path / "a.png", 32, crop="random")
    assert picture.shape == (*expected, 3) and near(picture, COLOUR, 0)


def test_native_crops_keep_the_resolution(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 90, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(decode(tmp_path / "a.png", 32, crop="native"), pixels)
    assert decode(tmp_path / "a.png", 60, crop="native").shape == (60, 135, 3)


def test_tiny_pictures_grow(tmp_path):
    for width, height in ((1, 1), (1, 50), (50, 1), (3, 2)):
        Image.new("RGB", (width, height), COLOUR).save(tmp_path / "a.png")
        for crop in CROPS:
            picture = decode(tmp_path / "a.png", 16, crop=crop)
            assert min(picture.shape[:2]) >= 16 and near(picture, COLOUR, 0)


def test_large_jpegs_look_as_if_resized_from_all_their_pixels(tmp_path):
    """Whatever the JPEG decoder leaves out on the way."""
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)).resize(
        (1200, 800), Image.Resampling.BICUBIC
    )
    smooth.save(tmp_path / "a.jpg", quality=98, subsampling=0)
    smooth.save(tmp_path / "a.png")
    for size in (64, 100, 333):
        jpeg, png = (decode(tmp_path / f"a.{kind}", size).astype(int) for kind in ("jpg", "png"))
        assert np.abs(jpeg - png).mean() < 1.5


def test_files_that_are_no_pictures_have_a_reason(tmp_path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("no picture at all")
    (tmp_path / "bomb.png").write_bytes(bomb())
    (tmp_path / "script.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")
    for name, reason in (
        ("empty.jpg", "is empty"),
        ("text.jpg", "is no picture"),
        ("bomb.png", "pixels"),
        ("script.png", "is no picture"),
    ):
        with pytest.raises(Exception, match=reason):
            decode(tmp_path / name, 16)
    with pytest.raises(FileNotFoundError):
        decode(tmp_path / "none.jpg", 16)


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "bmp", "gif", "tiff"])
def test_truncated_files_are_refused(tmp_path, kind):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    content = io.BytesIO()
    Image.fromarray(noise).save(content, {"jpg": "jpeg"}.get(kind, kind))
    (tmp_path / f"a.{kind}").write_bytes(content.getvalue()[: len(content.getvalue()) // 2])
    with pytest.raises((GessoError, OSError, ValueError), match=r"\w"):
        decode(tmp_path / f"a.{kind}", 16)


def decoded(source: Source, size: int, cache: Path) -> Store:
    """Its pictures, as `image_folder.from_source` has them decoded."""
    names = [picture.path for picture in source.pictures]

    def jobs(numbers):
        return (partial(decode_opened, file, size, 3, "center") for file in source.files(numbers))

    folders, begins = shards.decoded("pictures", {}, names, source.pictures, jobs, 3 * size**2, 1, cache)
    return Store(folders, size, 3, begins)


def test_a_folder_keeps_the_order_and_names_what_it_skips(tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    names = [f"{i}.png" for i in range(150)]
    for i, name in enumerate(names):
        Image.new("RGB", (20, 20), (i, 0, 0)).save(root / name)
    (root / "7.png").write_text("x")
    (root / "99.png").write_bytes((root / "99.png").read_bytes()[:40])
    source = from_folder(root, [PictureFile(name, 1, 1) for name in names])
    store = decoded(source, 8, tmp_path / "cache")
    kept = [i for i in range(150) if i not in (7, 99)]
    assert store.sources.tolist() == kept and store.shape == (148, 8, 8, 3)
    np.testing.assert_array_equal(store[np.arange(148)][:, 0, 0, 0], kept)
    assert [line.split(":")[0] for line in store.skipped] == ["7.png", "99.png"]
    assert all(len(line) > 10 for line in store.skipped)


def test_no_work_is_begun_on_a_disk_without_room(tmp_path):
    with pytest.raises(GessoError, match="GB needed"):
        decoded(from_folder(tmp_path, [PictureFile("a.png", 1, 1)]), 2**24, tmp_path / "cache")
    assert [path for path in (tmp_path / "cache").iterdir() if path.suffix != ".lock"] == []
