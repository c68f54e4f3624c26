"""Pictures of strangers: small files that are large pictures, and many of them at once."""

import os
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tqdm import tqdm

from core.config import CONF
from data import decode_folder, strips
from data.budget import LARGEST, Budget, needed
from data.decode import CROPS, NATIVE, cut, decode, most_bytes, plain
from data.pair_files import load_pair, side_by_side
from data.store import Store

ROOT = CONF.parent
PEAK = """
import os, sys
os.sched_getaffinity = lambda _: set(range({cores}))
from pathlib import Path
from functools import partial
from tqdm import tqdm
from data import decode, decode_folder, pair_files, picture
def decode_all(folder, names, size, crop):
    jobs = (partial(decode.decode, os.path.join(folder, name), size, 3, crop) for name in names)
    most = decode.most_bytes(size, crop, 3)
    decode_folder.decode_all(names, jobs, most, Path(folder, "out"), tqdm(total=len(names), disable=True))
most = lambda: int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])  # ru_maxrss is the parent's
before = most()
{code}
print((most() - before) / 1024)
"""


def peak(code: str, cores: int = 1) -> float:
    """How many megabytes more a fresh process took at its peak."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK.format(code=code, cores=cores)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, env=os.environ | {"MALLOC_ARENA_MAX": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    """Pictures of 16 megapixels in files of some kilobytes."""
    folder = tmp_path_factory.mktemp("large")
    picture = Image.new("RGBA", (4000, 4000), (200, 10, 10, 99))
    picture.save(folder / "alpha.png", compress_level=1)
    picture.convert("RGB").save(folder / "plain.png", compress_level=1)
    picture.convert("RGB").convert("P").save(folder / "palette.png", compress_level=1, transparency=1)
    Image.fromarray(np.full((4000, 4000), 300, np.uint16)).save(folder / "deep.png", compress_level=1)
    picture.save(folder / "alpha.tiff", compression="tiff_lzw")
    return folder


@pytest.mark.parametrize("name", ["alpha.png", "palette.png", "deep.png", "alpha.tiff"])
def test_a_large_picture_is_made_small_without_copies_of_it(large, name):
    """64 MB are its pixels as Pillow holds them; converted as a whole, 256 to 330."""
    assert peak("taken = b'x' * 2**27") > 120  # what is taken is seen
    calls = ("decode.decode({}, 64)", "decode.decode({}, 64, crop='native')", "picture.read({}, 256)")
    assert peak("; ".join(call.format(repr(str(large / name))) for call in calls)) < 120


def test_many_cores_do_not_take_many_times_the_memory(large, tmp_path):
    """Sixteen at once would take 1,000 MB."""
    names = [f"{i}.png" for i in range(16)]
    for name in names:
        os.link(large / "plain.png", tmp_path / name)
    (tmp_path / "out").mkdir()
    call = f"decode_all({str(tmp_path)!r}, {names}, 64, 'center')"
    assert peak(f"decode.MEMORY.total = 150 * 2**20; {call}", cores=16) < 300
    assert len(Store([tmp_path / "out"], 64, 3)) == 16


def test_native_pictures_take_little_memory_and_disk(tmp_path):
    """A hundred of three megapixels took 669 MB of memory and 858 MB of disk, of pictures of 96 px."""
    Image.new("RGB", (2048, 1536), (9, 99, 199)).save(tmp_path / "a.png")
    names = [f"{i}.png" for i in range(30)]
    for name in names:
        os.link(tmp_path / "a.png", tmp_path / name)
    (tmp_path / "out").mkdir()
    call = f"decode_all({str(tmp_path)!r}, {names}, 96, 'native')"
    assert peak(call, cores=8) < 250
    assert (tmp_path / "out" / "images.bytes").stat().st_size == 30 * (4 * 96) ** 2 * 3


def test_threads_share_a_budget():
    budget, at_once, most = Budget(100), [], []
    lock = threading.Lock()

    def work(num_bytes: int) -> None:
        with budget.reserve(num_bytes):
            with lock:
                at_once.append(num_bytes)
                most.append(sum(at_once))
            time.sleep(0.002)
            with lock:
                at_once.remove(num_bytes)

    threads = [threading.Thread(target=work, args=(size,)) for size in (30, 60, 90, 500, 10, 40, 100) * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert len(most) == 35 and not at_once
    assert max(value for value in most if value != 500) <= 100  # what is larger than all there is came alone
    with pytest.raises(RuntimeError), budget.reserve(100):
        raise RuntimeError
    with budget.reserve(100):  # given back whatever happened
        pass


def test_what_takes_gigabytes_to_read_is_skipped_in_words(tmp_path, monkeypatch):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.webp")
    with Image.open(tmp_path / "a.webp") as image:
        assert needed(image, image.size, 1) == 64 * 24
        image._size = (13000, 13000)
        with pytest.raises(ValueError, match=r"is too large: to read it would take 3\.4 GB of memory"):
            needed(image, image.size, 0)
    assert LARGEST >= 4 * 2 * Image.MAX_IMAGE_PIXELS  # all that Pillow opens, of the usual kinds
    monkeypatch.setattr("data.budget.LARGEST", 100)
    for read in (decode, lambda path, size: side_by_side(path, size, "center")):
        with pytest.raises(ValueError, match="too large"):
            read(tmp_path / "a.webp", 4)


def test_pairs_are_reserved_at_once(tmp_path, monkeypatch):
    """Two threads that each have one of two would wait for each other for ever."""
    for name in ("a.png", "b.png"):
        Image.new("RGB", (64, 64), (1, 2, 3)).save(tmp_path / name)
    names = [str(i) for i in range(64)]
    monkeypatch.setattr("data.decode.MEMORY", Budget(64 * 64 * 20))
    (tmp_path / "out").mkdir()
    one = partial(load_pair, tmp_path / "a.png", tmp_path / "b.png", 16, "center")
    bar = tqdm(total=64, disable=True)
    arguments = (names, iter([one] * 64), most_bytes(16, "center", 6), tmp_path / "out", bar)
    done = threading.Thread(target=decode_folder.decode_all, args=arguments, daemon=True)
    done.start()
    done.join(timeout=30)
    assert not done.is_alive()
    assert len(Store([tmp_path / "out"], 16, 6)) == 64


MODES = {
    "RGB": lambda pixels: Image.fromarray(pixels[..., :3]),
    "RGBA": Image.fromarray,
    "L": lambda pixels: Image.fromarray(pixels[..., 0]),
    "LA": lambda pixels: Image.fromarray(pixels[..., :2]),
    "P": lambda pixels: Image.fromarray(pixels[..., :3]).quantize(7),
    "CMYK": lambda pixels: Image.fromarray(pixels).convert("CMYK"),
    "1": lambda pixels: Image.fromarray(pixels[..., 0]).convert("1"),
    "I;16": lambda pixels: Image.fromarray(pixels[..., 0].astype(np.uint16) * 257),
    "I": lambda pixels: Image.fromarray(pixels[..., 0].astype(np.int32) * 99),
    "F": lambda pixels: Image.fromarray(pixels[..., 0].astype(np.float32) - 77),
}


@pytest.mark.parametrize("mode", MODES)
def test_by_strips_comes_the_same(monkeypatch, mode):
    monkeypatch.setattr(strips, "PIXELS", 500)
    pixels = np.random.default_rng(0).integers(0, 256, (211, 149, 4), np.uint8)
    image = MODES[mode](pixels)
    assert image.mode == mode
    for channels in (1, 3):
        convert = plain(image, channels)
        whole = image if convert is None else convert(image)
        np.testing.assert_array_equal(strips.converted(image, convert), whole)
        for size in ((7, 9), (3, 200), (149, 211), (60, 10), (300, 301)):
            for box in ((0, 0, 149, 211), (31, 0, 149, 118), (10, 20, 40, 130)):
                for resample in (Image.Resampling.BICUBIC, Image.Resampling.LANCZOS):
                    expected = whole.resize(size, resample, box, reducing_gap=strips.GAP)
                    found = strips.resized(image, size, resample, box, convert)
                    assert found.mode == expected.mode
                    tolerance = 1e-6 if found.mode == "F" else 0  # of rounding
                    np.testing.assert_allclose(found, expected, rtol=tolerance)


@pytest.mark.parametrize("crop", CROPS)
def test_sizes_have_a_limit_whatever_the_shape(tmp_path, crop):
    for sides in ((1, 5000), (5000, 1), (3000, 200), (90, 3000), (700, 700), (40, 40)):
        (width, height), box = cut(sides, 32, crop)
        assert min(width, height) >= 32 and 3 * width * height <= most_bytes(32, crop, 3), sides
        assert 0 <= box[0] < box[2] <= sides[0] and 0 <= box[1] < box[3] <= sides[1]
    Image.new("RGB", (3000, 2)).save(tmp_path / "a.png")
    assert decode(tmp_path / "a.png", 32, crop=crop).nbytes <= most_bytes(32, crop, 3)


def test_of_a_large_picture_native_keeps_the_middle_at_its_resolution(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (100, 300, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    picture = decode(tmp_path / "a.png", 20, crop="native")
    np.testing.assert_array_equal(picture, pixels[10:90, 110:190])
    assert picture.shape[:2] == (NATIVE * 20, NATIVE * 20)


def test_a_disk_that_will_be_full_is_seen_after_the_first_few(tmp_path, monkeypatch):
    Image.new("RGB", (400, 400)).save(tmp_path / "a.png")  # 480 kB each, where 30 kB are the least
    (tmp_path / "out").mkdir()
    usage = decode_folder.shutil.disk_usage
    monkeypatch.setattr(decode_folder.shutil, "disk_usage", lambda path: usage(path)._replace(free=20 * 10**6))
    written = []
    monkeypatch.setattr(decode_folder.store, "write", lambda folder, pictures, skipped: written.extend(pictures))
    job = partial(decode, tmp_path / "a.png", 100, crop="native")

    def decode_all(count: int) -> None:
        bar = tqdm(total=count, disable=True)
        decode_folder.decode_all(["a.png"] * count, iter([job] * count), 3 * 400**2, tmp_path / "out", bar)

    with pytest.raises(OSError, match=r"0\.0 GB needed"):
        decode_all(60)
    assert len(written) == 4
    written.clear()
    decode_all(40)
    assert len(written) == 40
