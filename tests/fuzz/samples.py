"""Whole files, small, of each kind that Gesso reads: what the fuzzer damages. Made once a process."""

import functools
import io
import json
import os
import struct
import tarfile
import tempfile
import zipfile
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from data import tfrecord

WIDTH, HEIGHT = 40, 28


def pixels(seed: int = 0, channels: int = 3) -> np.ndarray:
    """uint8 `[HEIGHT, WIDTH, channels]`: a ramp with a little noise."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 200, WIDTH)[None, :, None] + np.linspace(0, 40, HEIGHT)[:, None, None]
    return (ramp + rng.integers(0, 15, (HEIGHT, WIDTH, channels))).astype(np.uint8)


@functools.cache
def pictures() -> list[tuple[str, bytes]]:
    """Suffix and content of pictures of all formats, modes and depths that are read."""
    rgb = Image.fromarray(pixels())
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif.update({0x0112: 6, 0x010E: "a picture"})
    deep = Image.fromarray(pixels()[..., 0].astype(np.uint16) * 257)
    alpha = Image.fromarray(pixels(1, 4), "RGBA")
    made = [
        (".png", rgb, {}), (".png", alpha, {"icc_profile": profile}), (".png", deep, {}),
        (".png", rgb.convert("P"), {"transparency": 3}), (".png", rgb.convert("1"), {}),
        (".png", rgb.convert("LA"), {}), (".png", rgb, {"save_all": True, "append_images": [rgb.rotate(9)] * 2}),
        (".jpg", rgb, {"exif": exif}), (".jpg", rgb, {"progressive": True, "icc_profile": profile}),
        (".jpg", rgb.convert("CMYK"), {}), (".jpg", rgb.convert("L"), {}),
        (".webp", rgb, {"exif": exif}), (".webp", alpha, {"lossless": True}),
        (".webp", rgb, {"save_all": True, "append_images": [rgb.rotate(9)]}),
        (".gif", rgb, {"save_all": True, "append_images": [rgb.rotate(9)] * 2}), (".gif", rgb.convert("L"), {}),
        (".bmp", rgb, {}), (".bmp", rgb.convert("P"), {}), (".bmp", rgb.convert("1"), {}),
        (".tif", rgb, {"compression": "tiff_adobe_deflate"}), (".tif", rgb, {"compression": "tiff_lzw"}),
        (".tif", rgb, {"compression": "jpeg"}), (".tif", rgb.convert("F"), {}), (".tif", deep, {"exif": exif}),
        (".tif", rgb.convert("1"), {"compression": "group4"}), (".tif", rgb.convert("CMYK"), {}),
    ]  # fmt: skip
    return [(suffix, _saved(image, suffix, options)) for suffix, image, options in made]


def _saved(image: Image.Image, suffix: str, options: dict) -> bytes:
    content = io.BytesIO()
    image.save(content, Image.registered_extensions()[suffix], **options)
    return content.getvalue()


@functools.cache
def archives() -> list[tuple[str, bytes]]:
    """Suffix and content of archives of three pictures, and of a table of them where pyarrow is there."""
    files = {f"class {i}/{i}{suffix}": content for i, (suffix, content) in enumerate(pictures()[7:10])}
    found = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", method) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        found.append((".zip", made.getvalue()))
    made, records = io.BytesIO(), b""
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    for content in files.values():
        record = _field(1, _field(1, _field(1, b"image") + _field(2, _field(1, _field(1, content)))))
        length = struct.pack("<Q", len(record))
        records += length + struct.pack("<I", tfrecord._checksum(length)) + record + bytes(4)
    found += [(".tar", made.getvalue()), (".tfrecord", records)]
    with suppress(ImportError):
        import pyarrow
        import pyarrow.parquet

        made, rows = io.BytesIO(), [{"bytes": content, "path": None} for content in files.values()]
        table = pyarrow.table({"image": pyarrow.array(rows), "label": pyarrow.array(["a", "b", "a"])})
        pyarrow.parquet.write_table(table, made)
        found.append((".parquet", made.getvalue()))
    return found


def _field(number: int, content: bytes) -> bytes:
    """Of a protocol buffer, with a length of up to 14 bits."""
    return bytes([number << 3 | 2, len(content) & 127 | 128, len(content) >> 7]) + content


# Containers, and codecs of pictures and sound that go into them.
FILMS = (
    (".mp4", "libx264", "aac"), (".mov", "mpeg4", "aac"), (".mkv", "libx264", "libmp3lame"), (".mkv", "ffv1", None),
    (".webm", "libvpx", "libopus"), (".avi", "mjpeg", "libmp3lame"), (".mpg", "mpeg2video", "mp2"),
    (".wmv", "wmv2", "wmav2"), (".mts", "libx264", "aac"), (".flv", "flv", None), (".3gp", "mpeg4", "aac"),
    (".ogv", "libvpx", "libvorbis"),
)  # fmt: skip


@functools.cache
def films() -> list[tuple[str, bytes]]:
    """Suffix and content of films of eight frames, as far as this build of FFmpeg can make them."""
    import av

    made = []
    for suffix, codec, sound in FILMS:
        with tempfile.TemporaryDirectory() as folder:
            try:
                _film(path := Path(folder, f"film{suffix}"), codec, sound)
            except (av.FFmpegError, ValueError):
                continue
            made.append((suffix, path.read_bytes()))
    return made


def _film(path: Path, codec: str, sound: str | None) -> None:
    import av

    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=25)
        video.width, video.height = WIDTH, HEIGHT
        video.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        track = sound and container.add_stream(sound, rate=48000, layout="mono")
        for i in range(8):
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.roll(pixels(), 3 * i, 1), "rgb24")))
        container.mux(video.encode(None))
        if track:
            wave = np.sin(np.arange(15360, dtype=np.float32) / 20)[None]
            samples = av.AudioFrame.from_ndarray(wave, "fltp", "mono")
            samples.sample_rate, samples.pts, samples.time_base = 48000, 0, Fraction(1, 48000)
            converted = av.AudioResampler(track.format, "mono", 48000, frame_size=track.frame_size or 1024)
            for part in [*converted.resample(samples), *converted.resample(None)]:
                container.mux(track.encode(part))
            container.mux(track.encode(None))


@functools.cache
def mnist() -> bytes:
    """The file as Keras has it, of a few digits."""
    content, rng = io.BytesIO(), np.random.default_rng(0)
    digits = {f"x_{part}": rng.integers(0, 256, (30, 28, 28), np.uint8) for part in ("train", "test")}
    np.savez(content, **digits, **{f"y_{part}": np.arange(30, dtype=np.uint8) % 10 for part in ("train", "test")})
    return content.getvalue()


GEOMETRY = {"stride": 4, "reach": 20, "edge": 0, "tile": 512, "scale": 1}
CARDS = {
    "generator": {"kind": "generator", "classes": ["cats", "dogs"], "model": "mlp", "step": 10},
    "stylizer": {"kind": "stylizer", "method": "fast", "styles": ["a", "b"], "geometry": GEOMETRY, "step": 10},
    "adain": {"kind": "stylizer", "method": "adain", "geometry": GEOMETRY},
    "translator": {"kind": "translator", "method": "translate", "task": "inpaint", "geometry": GEOMETRY},
}


def card(name: str) -> bytes:
    """A `.keras` file that says what it is, as much as can be known of it without TensorFlow."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("gesso.json", json.dumps(CARDS[name]))
    return content.getvalue()


@functools.cache
def networks() -> list[tuple[str, bytes]]:
    """Name and content of `.keras` files as Gesso writes them. Needs TensorFlow."""
    from models.networks import mlp, transform_net, unet

    made = {
        "generator": mlp.generator((8, 8, 1), width=2, condition="projection", num_classes=2),
        "stylizer": transform_net.transformer(width=2, blocks=1, styles=2),
        "translator": unet.generator((32, 32, 3), (32, 32, 4), width=1),
    }
    found = []
    for name, network in made.items():
        with tempfile.TemporaryDirectory() as folder:
            network.save(path := os.path.join(folder, "a.keras"))
            with zipfile.ZipFile(path, "a") as archive:
                archive.writestr("gesso.json", json.dumps(CARDS[name]))
            found.append((name, Path(path).read_bytes()))
    return found
