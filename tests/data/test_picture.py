import io
import logging
import os
import struct
from pathlib import Path

import av
import numpy as np
import PIL
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from core.errors import GessoError
from core.images import provenance_text
from data import deep, picture, picture_writer, provenance
from data.decode import TURNS, decode
from data.picture import Picture, find, read, sides
from data.picture_writer import write

COLOUR = (200, 40, 90)
CHUNKS = {"Software": "Gesso 0", "Source": "Made by a neural network", "Seed": "7"}
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")


def scene(height: int = 48, width: int = 64) -> np.ndarray:
    """uint8 [height, width, 3]: smooth, all corners different."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    red, green, blue = 255 * x / width, 255 * y / height, 128 + 100 * np.sin(x / 9)
    return np.stack((red, green, blue), axis=-1).astype(np.uint8)


def apart(one: np.ndarray, other) -> int:
    """The largest difference of two pictures (or of one from a colour)."""
    return int(np.abs(one.astype(int) - np.asarray(other)).max())


def profile(primaries: dict[bytes, tuple[float, float, float]]) -> bytes:
    """The ICC profile of sRGB's curve with other primaries (rXYZ, gXYZ, bXYZ, as seen under D50)."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for i in range(struct.unpack(">I", content[128:132])[0]):
        name, start, _ = struct.unpack(">4sII", content[132 + 12 * i : 144 + 12 * i])
        if name in primaries:
            fixed = (round(value * 65536) for value in primaries[name])
            content[start + 8 : start + 20] = struct.pack(">3i", *fixed)
    return bytes(content)


SRGB = {
    b"rXYZ": (0.43607, 0.22249, 0.01392),
    b"gXYZ": (0.38515, 0.71687, 0.09708),
    b"bXYZ": (0.14307, 0.06061, 0.71410),
}
DISPLAY_P3 = {
    b"rXYZ": (0.51512, 0.24120, -0.00105),
    b"gXYZ": (0.29198, 0.69225, 0.04189),
    b"bXYZ": (0.15710, 0.06657, 0.78407),
}


def p3_to_srgb(colour) -> np.ndarray:
    """What ICC conversion should give, by the formulas: [3], 0 to 255, clipped."""
    value = np.array(colour) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    to_xyz = [np.array(list(primaries.values())).T for primaries in (DISPLAY_P3, SRGB)]
    linear = np.clip(np.linalg.solve(to_xyz[1], to_xyz[0] @ linear), 0, 1)
    return 255 * np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("kind", ["png", "bmp", "tiff", "webp"])
def test_lossless_formats_give_the_very_pixels(tmp_path, kind):
    Image.fromarray(scene()).save(tmp_path / f"a.{kind}", **({"lossless": True} if kind == "webp" else {}))
    found = read(tmp_path / f"a.{kind}")
    assert found.pixels.dtype == np.uint8 and found.alpha is None and found.icc is None
    np.testing.assert_array_equal(found.pixels, scene())


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".PNG", ".JPG"])
def test_written_and_read_again(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write(path, scene(), CHUNKS)
    assert apart(read(path).pixels, scene()) <= {".jpg": 6, ".jpeg": 6, ".webp": 40}.get(suffix.lower(), 0)
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
    with Image.open(path) as image:
        assert image.format == picture_writer.OUTPUTS[suffix.lower()]
        if image.format == "PNG":
            assert image.text == CHUNKS
        else:
            tags = image.getexif() if image.format != "TIFF" else image.tag_v2
            assert tags[270] == "Software: Gesso 0; Source: Made by a neural network; Seed: 7"
            assert tags[305] == "Gesso 0"


def test_jpeg_keeps_the_colours_of_single_pixels(tmp_path):
    """4:4:4: red and blue in turn stay so."""
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:, ::2], pixels[:, 1::2] = (230, 20, 20), (20, 20, 230)
    write(tmp_path / "a.jpg", pixels, CHUNKS)
    assert np.abs(read(tmp_path / "a.jpg").pixels.astype(int) - pixels).mean() < 12


OLD = pytest.mark.skipif(int(PIL.__version__.split(".")[0]) < 13, reason="Pillow 12 cannot read what it writes")


@pytest.mark.parametrize("mode", ["L", "P", "1", "LA", "CMYK", pytest.param("YCbCr", marks=OLD)])
def test_modes(tmp_path, mode):
    path = tmp_path / ("a.tiff" if mode in ("CMYK", "YCbCr") else "a.png")
    image = Image.fromarray(scene())
    (image.quantize(200) if mode == "P" else image.convert(mode)).save(path)
    found = read(path)
    assert found.pixels.shape == (48, 64, 3) and (found.alpha is not None) == (mode == "LA")
    grey = np.repeat(np.asarray(image.convert("L"))[..., None], 3, axis=-1)
    expected = {"L": grey, "LA": grey, "P": scene(), "CMYK": scene(), "YCbCr": scene()}.get(mode)
    if expected is None:
        assert set(np.unique(found.pixels)) == {0, 255}
    else:
        assert np.abs(found.pixels.astype(int) - expected).mean() < 8


def test_cmyk_jpeg(tmp_path):
    Image.new("CMYK", (32, 32), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    assert apart(read(tmp_path / "a.jpg").pixels, (255, 0, 0)) <= 4


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_16_bits_keep_their_tones(tmp_path, kind):
    ramp = np.repeat(np.linspace(0, 65535, 64).astype(np.uint16)[None], 48, axis=0)
    Image.fromarray(ramp).save(tmp_path / f"a.{kind}")
    assert np.abs(read(tmp_path / f"a.{kind}").pixels - ramp[..., None] / 257).max() <= 0.51
    assert read(tmp_path / f"a.{kind}", 32).pixels.shape == (24, 32, 3)


def test_float_tiff(tmp_path):
    ramp = np.repeat(np.linspace(0, 1, 32, dtype=np.float32)[None], 32, axis=0)
    Image.fromarray(ramp).save(tmp_path / "a.tiff")
    assert np.abs(read(tmp_path / "a.tiff").pixels - ramp[..., None] * 255).max() <= 0.51


@pytest.mark.parametrize("kind", ["png", "jpg", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, orientation, kind):
    """Stored turned, as cameras do; colours and transparency come out upright."""
    back = {6: 8, 8: 6}.get(orientation, orientation)  # all others are their own inverse
    upright = Image.fromarray(np.dstack((scene(), scene()[..., 0] // 2 + 100)))
    upright = upright.convert("RGB") if kind == "jpg" else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright.transpose(TURNS[back]) if back in TURNS else upright
    stored.save(tmp_path / f"a.{kind}", exif=exif, **({"quality": 95, "subsampling": 0} if kind == "jpg" else {}))
    found = read(tmp_path / f"a.{kind}")
    assert found.pixels.shape == (48, 64, 3) and picture.sides(tmp_path / f"a.{kind}") == (48, 64)
    assert apart(found.pixels, scene()) <= (8 if kind == "jpg" else 0)
    if kind != "jpg":
        np.testing.assert_array_equal(found.alpha, scene()[..., 0] // 2 + 100)
    assert read(tmp_path / f"a.{kind}", 32).pixels.shape == (24, 32, 3)


@pytest.mark.parametrize("kind", ["jpg", "png"])
@pytest.mark.parametrize(("height", "width"), [(480, 640), (640, 480), (333, 1000), (3, 900)])
def test_size_is_the_longer_side(tmp_path, height, width, kind):
    image = Image.fromarray(scene(height, width))
    image.save(tmp_path / f"a.{kind}", **({"quality": 98, "subsampling": 0} if kind == "jpg" else {}))
    for size in (1, 37, 160, 320, 639, 1000, 1500):  # whatever JPEG's decoder leaves out on the way
        pixels = read(tmp_path / f"a.{kind}", size).pixels
        assert max(pixels.shape[:2]) == size
        scale = size / max(height, width)
        assert pixels.shape[:2] == (max(1, round(height * scale)), max(1, round(width * scale)))
        if min(pixels.shape) > 1:
            plain = np.asarray(image.resize(pixels.shape[1::-1], Image.Resampling.LANCZOS)).astype(int)
            assert np.abs(pixels - plain).mean() < 2.5


def test_shrinking_is_antialiased(tmp_path):
    board = (np.indices((128, 128)).sum(axis=0) % 2 * 255).astype(np.uint8)
    Image.fromarray(board).save(tmp_path / "a.png")
    assert apart(read(tmp_path / "a.png", 32).pixels, 127.5) <= 4


def test_transparency_is_kept_apart(tmp_path):
    rgba = np.dstack((scene(), np.full((48, 64), 255, np.uint8)))
    rgba[:, :20, 3], rgba[:, 20:30, 3] = 0, 128
    Image.fromarray(rgba).save(tmp_path / "a.png")
    found = read(tmp_path / "a.png")
    np.testing.assert_array_equal(found.alpha, rgba[..., 3])
    np.testing.assert_array_equal(found.pixels[:, 20:], scene()[:, 20:])  # not mixed with anything
    assert (found.pixels[:, :20] == 255).all()  # nobody sees what was there


def test_what_nobody_sees_does_not_bleed_into_what_is_seen(tmp_path):
    rgba = np.zeros((60, 60, 4), np.uint8)
    rgba[:, 30:] = (*COLOUR, 255)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    for size in (20, 47, 90):
        found = read(tmp_path / "a.png", size)
        assert found.alpha.shape == (size, size)
        assert apart(found.pixels[found.alpha > 40], COLOUR) <= 4


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has none")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    for reading in (read, sides):
        with pytest.raises(GessoError, match=r"a\.png cannot be read.*no regular file"):
            reading(tmp_path / "a.png")
    assert provenance.chunks(tmp_path / "a.png") is None


def test_comments_that_would_take_minutes_are_refused(tmp_path):
    """Each of Pillow's is added to a copy of those before."""
    frames = [Image.fromarray(np.full((8, 8), level, np.uint8)) for level in (0, 90)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], comment=b"hi" * 1000)
    assert read(tmp_path / "a.gif").pixels.shape == (8, 8, 3)
    content = (tmp_path / "a.gif").read_bytes()
    first = content.index(b"!\xfe")
    said = b"!\xfe" + (b"\xff" + b"c" * 255) * 5000 + b"\0"
    end = content.rindex(b";")
    for place in (first, end):  # before the first picture, and after the last
        (tmp_path / "b.gif").write_bytes(content[:place] + said + content[place:])
        for look in (read, sides, lambda path: decode(path, 8, 3)):
            with pytest.raises((GessoError, ValueError), match="more than 1 MB of comments"):
                look(tmp_path / "b.gif")
        assert provenance.chunks(tmp_path / "b.gif") is None


def test_a_description_that_is_a_number_is_no_provenance(tmp_path):
    entry = struct.pack("<HHIHH", 0x010E, 3, 1, 7, 0)  # of type SHORT
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)
    Image.new("RGB", (4, 4)).save(tmp_path / "a.jpg", exif=exif)
    assert Image.open(tmp_path / "a.jpg").getexif()[0x010E] == 7
    assert provenance.chunks(tmp_path / "a.jpg") is None


@pytest.mark.parametrize("depth", [8, 16])
def test_one_transparent_colour_of_16_bits_is_ignored_in_words(tmp_path, depth, caplog):
    Image.fromarray(np.full((20, 30), 3000, np.uint16)).save(tmp_path / "a.png", transparency=3000)
    found = read(tmp_path / "a.png", 15, depth)
    assert found.alpha is None and found.pixels.dtype == f"uint{depth}" and "transparency is ignored" in caplog.text


@pytest.mark.parametrize("kind", ["png", "gif"])
def test_one_transparent_colour_of_a_palette(tmp_path, kind):
    image = Image.fromarray(np.repeat(np.uint8([[0] * 16 + [1] * 16]), 32, axis=0))
    image.putpalette([*COLOUR, 10, 20, 30])
    image.save(tmp_path / f"a.{kind}", transparency=1)
    found = read(tmp_path / f"a.{kind}")
    assert apart(found.pixels[:, :16], COLOUR) == 0 and (found.alpha[:, :16] == 255).all()
    assert (found.alpha[:, 16:] == 0).all() and (found.pixels[:, 16:] == 255).all()


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tiff"])
def test_transparency_is_put_back(tmp_path, suffix):
    alpha = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (48, 1))
    write(tmp_path / f"a{suffix}", scene(), CHUNKS, Picture(scene(), alpha))
    np.testing.assert_array_equal(read(tmp_path / f"a{suffix}").alpha, alpha)
    write(tmp_path / f"b{suffix}", scene(96, 128), CHUNKS, Picture(scene(), alpha))  # at another size
    found = read(tmp_path / f"b{suffix}")
    assert found.alpha.shape == (96, 128) and apart(found.alpha[::2, ::2], alpha) <= 4


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("alpha", [None, np.tile(np.arange(64, dtype=np.uint8), (48, 1))])
def test_sixteen_bits_as_another_library_reads_them(tmp_path, suffix, alpha):
    """All bits come back in FFmpeg's decoder; Pillow reads the upper eight, the provenance and the profile."""
    path = tmp_path / f"deep{suffix}"
    pixels = np.random.default_rng(0).integers(0, 65536, (48, 64, 3), dtype=np.uint16)
    write(path, pixels, CHUNKS, like=Picture(scene(), alpha, picture._srgb()))
    with av.open(path) as file:
        found = next(file.decode(video=0)).to_ndarray(format="rgb48le" if alpha is None else "rgba64le")
    assert (found[..., :3] == pixels).all() and (alpha is None or (found[..., 3] == alpha * 257.0).all())
    with Image.open(path) as image:
        assert (np.asarray(image)[..., :3] == pixels >> 8).all() and image.info["icc_profile"] == picture._srgb()
        told = image.info if suffix == ".png" else dict(image.tag_v2)
        assert "Gesso 0" in told.values() and "Seed" in (told if suffix == ".png" else told[270])
    assert (read(path).alpha is None) == (alpha is None)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("alpha", [None, np.tile(np.arange(64, dtype=np.uint8), (48, 1))])
@pytest.mark.parametrize("icc", [None, picture._srgb()])
def test_all_sixteen_bits_are_read_where_they_are_asked_for(tmp_path, suffix, alpha, icc):
    path = tmp_path / f"deep{suffix}"
    pixels = np.random.default_rng(0).integers(0, 65536, (48, 64, 3), dtype=np.uint16)
    write(path, pixels, CHUNKS, like=Picture(scene(), alpha, icc))
    found = read(path, depth=16)
    if alpha is not None:
        assert (found.alpha == alpha).all()
        pixels[alpha == 0] = 65535
    assert found.pixels.dtype == np.uint16 and (found.pixels == pixels).all()
    assert read(path).pixels.dtype == np.uint8


def test_sixteen_bits_of_other_byte_orders_and_compressions(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 65536, (40, 56, 3), dtype=np.uint16)
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    for name, tags in {"raw.tif": [259, 1], "lzw.tif": [259, 5], "a.png": []}.items():
        cv2.imwrite(str(tmp_path / name), pixels[..., ::-1], tags)
        assert (read(tmp_path / name, depth=16).pixels == pixels).all(), name
    (tmp_path / "big.tif").write_bytes(big_endian(pixels))
    assert (read(tmp_path / "big.tif", depth=16).pixels == pixels).all()


def big_endian(pixels: np.ndarray) -> bytes:
    """A TIFF of one strip, not compressed, in the order of bytes of Motorola's processors."""
    height, width, _ = pixels.shape
    data, end = pixels.astype(">u2").tobytes(), 8 + 2 + 12 * 9 + 4
    tags = {256: width, 257: height, 258: None, 259: 1, 262: 2, 273: end + 6, 277: 3, 278: height, 279: len(data)}
    directory = b"".join(
        struct.pack(">HHII", tag, 3, 3, end) if value is None else struct.pack(">HHII", tag, 4, 1, value)
        for tag, value in tags.items()
    )
    head = struct.pack(">2sHIH", b"MM", 42, 8, len(tags)) + directory + bytes(4)
    return head + struct.pack(">3H", 16, 16, 16) + data


def test_sixteen_bits_are_turned_and_resized_as_eight_are(tmp_path):
    smooth = np.linspace(0, 65535, 60 * 80 * 3).reshape(60, 80, 3).astype(np.uint16)
    write(tmp_path / "a.png", smooth, CHUNKS)
    for size in (40, 80, 100):
        found, usual = read(tmp_path / "a.png", size, depth=16).pixels, read(tmp_path / "a.png", size).pixels
        assert found.dtype == np.uint16 and np.abs(found / 257.0 - usual).max() <= 2
        assert len(np.unique(found)) > 3 * 256
    with Image.open(tmp_path / "a.png") as image:
        content = deep.tiff(smooth, {274: 6, 270: "turned"})  # Orientation: a quarter turn
        assert image.size == (80, 60)
    (tmp_path / "b.tif").write_bytes(content)
    found, usual = (read(tmp_path / "b.tif", depth=depth).pixels for depth in (16, 8))
    assert found.shape == (80, 60, 3) and (found >> 8 == usual).all()


def test_sixteen_bits_of_grey(tmp_path):
    ramp = np.repeat(np.linspace(0, 65535, 64).astype(np.uint16)[None], 48, axis=0)
    Image.fromarray(ramp).save(tmp_path / "a.png")
    assert (read(tmp_path / "a.png", depth=16).pixels == ramp[..., None]).all()


def test_of_another_profile_eight_bits_are_reckoned_with(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 65536, (48, 64, 3), dtype=np.uint16)
    write(tmp_path / "a.tif", pixels, CHUNKS, like=Picture(scene(), icc=profile(DISPLAY_P3)))
    found = read(tmp_path / "a.tif", depth=16)
    assert found.pixels.dtype == np.uint8 and (found.pixels == read(tmp_path / "a.tif").pixels).all()


def test_in_jpeg_the_transparent_lies_on_white(tmp_path):
    alpha = np.zeros((48, 64), np.uint8)
    alpha[:, 32:] = 255
    pixels = np.full((48, 64, 3), COLOUR, np.uint8)
    write(tmp_path / "a.jpg", pixels, CHUNKS, Picture(pixels, alpha))
    found = read(tmp_path / "a.jpg")
    assert found.alpha is None
    assert apart(found.pixels[:, :24], 255) <= 3 and apart(found.pixels[:, 40:], COLOUR) <= 3


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "tiff"])
@pytest.mark.parametrize("colour", [(200, 100, 100), (90, 180, 60), (128, 128, 128), (255, 255, 255), (0, 255, 0)])
def test_profiles_are_converted(tmp_path, colour, kind):
    """Display P3, as telephones take photographs, to sRGB; the last colour lies beyond it."""
    options = {"jpg": {"quality": 98}, "webp": {"lossless": True}}.get(kind, {})
    Image.new("RGB", (32, 32), colour).save(tmp_path / f"a.{kind}", icc_profile=profile(DISPLAY_P3), **options)
    found = read(tmp_path / f"a.{kind}")
    assert apart(found.pixels, p3_to_srgb(colour)) <= 3
    assert found.icc is not None


def test_srgb_stays_and_is_written_back(tmp_path):
    Image.fromarray(scene()).save(tmp_path / "a.png", icc_profile=profile(SRGB))
    found = read(tmp_path / "a.png")
    assert apart(found.pixels, scene()) <= 1
    for suffix in SUFFIXES:
        write(tmp_path / f"b{suffix}", found.pixels, CHUNKS, like=found)
        with Image.open(tmp_path / f"b{suffix}") as image:
            described = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"])).profile
            assert "sRGB" in described.profile_description
        write(tmp_path / f"c{suffix}", found.pixels, CHUNKS, like=Picture(found.pixels))
        with Image.open(tmp_path / f"c{suffix}") as image:
            assert "icc_profile" not in image.info
    write(tmp_path / "again.png", found.pixels, CHUNKS, like=read(tmp_path / "b.png"))
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA"])
def test_profiles_of_other_modes(tmp_path, mode):
    image = Image.new("RGB", (32, 32), (200, 100, 100))
    image = image.quantize(4) if mode == "P" else image.convert(mode)
    image.save(tmp_path / "a.png", icc_profile=profile(DISPLAY_P3))
    colour = image.convert("RGB").getpixel((0, 0))
    assert apart(read(tmp_path / "a.png").pixels, p3_to_srgb(colour)) <= 2


def test_broken_profiles_are_ignored_with_a_warning(tmp_path, caplog):
    Image.fromarray(scene()).save(tmp_path / "a.png", icc_profile=b"no profile at all")
    Image.new("CMYK", (8, 8)).save(tmp_path / "b.tiff", icc_profile=profile(SRGB))
    with caplog.at_level(logging.WARNING):
        found = read(tmp_path / "a.png")
        assert read(tmp_path / "b.tiff").icc is None
    np.testing.assert_array_equal(found.pixels, scene())
    assert found.icc is None
    assert "a.png: its colour profile is ignored" in caplog.text and "b.tiff" in caplog.text


def test_what_is_no_picture_has_a_reason(tmp_path, monkeypatch):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("no picture at all")
    (tmp_path / "folder.jpg").mkdir()
    content = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(content, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(content.getvalue()[:2000])
    for name, reason in (
        ("none", "does not exist"),
        ("empty", "is empty"),
        ("text", r"is no picture \(JPEG, PNG, "),
        ("folder", "is a folder"),
        ("cut", "cannot be read, it may be damaged: .*truncated"),
    ):
        with pytest.raises(GessoError, match=rf"{name}\.jpg {reason}"):
            read(tmp_path / f"{name}.jpg")
    Image.new("L", (1000, 1000)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400_000)
    with pytest.raises(GessoError, match=r"bomb\.png is too large"):
        read(tmp_path / "bomb.png")


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "bmp", "gif", "tiff"])
def test_truncated_files_are_refused(tmp_path, kind):
    content = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(content, {"jpg": "jpeg"}.get(kind, kind))
    (tmp_path / f"a.{kind}").write_bytes(content.getvalue()[: len(content.getvalue()) // 2])
    with pytest.raises(GessoError, match=rf"a\.{kind} \w"):
        read(tmp_path / f"a.{kind}")


def test_provenance_of_larger_pictures_than_are_read(tmp_path):
    """A network that enlarges may have made them; of an interrupted folder they are not made again."""
    path = tmp_path / "large.png"
    info = PngInfo()
    info.add_text("Command", "stylize.py network=enlarge")
    Image.new("1", (20000, 10000)).save(path, pnginfo=info)
    with pytest.raises(GessoError, match="is too large"):
        picture.read(path)
    assert "Command: stylize.py network=enlarge" in provenance.chunks(path)
    path.write_bytes(b"no picture")
    assert provenance.chunks(path) is None


@pytest.mark.parametrize("suffix", list(provenance.OUTPUTS))
def test_provenance_is_read_back_from_every_format(tmp_path, suffix):
    write(tmp_path / f"a{suffix}", scene(), CHUNKS)
    assert provenance.chunks(tmp_path / f"a{suffix}") == provenance_text(CHUNKS)
    Image.fromarray(scene()).save(tmp_path / f"b{suffix}")
    assert provenance.chunks(tmp_path / f"b{suffix}") is None
    (tmp_path / f"c{suffix}").write_bytes(b"no picture")
    assert provenance.chunks(tmp_path / f"c{suffix}") is None


@pytest.mark.parametrize("size", [0, -5, 1.5, True, "256"])
def test_sizes_that_cannot_be(tmp_path, size):
    Image.fromarray(scene()).save(tmp_path / "a.png")
    with pytest.raises(GessoError, match="size="):
        read(tmp_path / "a.png", size)


def test_outputs_that_cannot_be(tmp_path):
    for name in ("a.gif", "a", "a.xyz"):
        with pytest.raises(GessoError, match=r"\.png \.jpg"):
            write(tmp_path / name, scene(), CHUNKS)
    with pytest.raises(GessoError, match=r"16383 pixels a side"):
        write(tmp_path / "a.webp", np.zeros((1, 16384, 3), np.uint8), CHUNKS)
    (tmp_path / "file").touch()
    with pytest.raises(GessoError, match="Could not write"):
        write(tmp_path / "file" / "a.png", scene(), CHUNKS)
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_the_pictures_of_a_folder(tmp_path):
    for name in ("b.PNG", "a.jpg", "c.webp", ".hidden.png", "notes.txt", "film.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert find(tmp_path) == [tmp_path / name for name in ("a.jpg", "b.PNG", "c.webp")]
    with pytest.raises(GessoError, match="Cannot read the folder"):
        find(Path(tmp_path / "none"))


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
def test_what_moves_is_said_to(tmp_path, caplog, suffix):
    first, second = (Image.new("RGB", (20, 10), color) for color in ("red", "blue"))
    first.save(tmp_path / f"a{suffix}", save_all=True, append_images=[second])
    assert picture.read(tmp_path / f"a{suffix}").pixels[5, 5, 0] > 200
    assert "only its first frame" in caplog.text
    caplog.clear()
    first.save(tmp_path / f"b{suffix}")
    picture.read(tmp_path / f"b{suffix}")
    assert not caplog.text


def test_styles_by_names_of_another_encoding(tmp_path):
    """As old archives have them."""
    file = tmp_path / os.fsdecode("Zürich.png".encode("latin-1"))
    Image.fromarray(scene()).save(file)
    assert list(picture.styles(str(file), 32)) == [r"Z\xfcrich"]
