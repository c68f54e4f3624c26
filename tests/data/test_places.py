"""Places that cannot be written: full disks, and folders that are for reading only."""

import os
import stat
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import GessoError
from core.images import save_gif
from data import image_folder, paintings, picture_writer, store
from data.cache import cached

PIXELS = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


@pytest.fixture
def pictures(tmp_path) -> Path:
    for i in range(12):
        path = tmp_path / "pictures" / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(PIXELS).save(path)
    return tmp_path / "pictures"


@pytest.fixture
def read_only():
    """A folder that this process may read and not write, whoever runs the tests."""
    folder = Path(tempfile.mkdtemp())  # not in pytest's, which are their owner's alone
    folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield folder
    finally:
        os.seteuid(user)
        folder.chmod(stat.S_IRWXU)
        folder.rmdir()


def test_a_full_disk_at_the_cache_of_decoded_pictures(pictures, tmp_path, largest_file):
    """Nothing of it stays, and with room again it is built."""
    cache = tmp_path / "cache"
    with largest_file(20_000), pytest.raises(GessoError, match=r"No room left.*cache_dir=<folder>"):
        image_folder.load(pictures, image_size=64, cache_dir=cache)
    assert [path for path in cache.iterdir() if path.suffix != ".lock"] == []
    assert len(image_folder.load(pictures, image_size=64, cache_dir=cache)) == 12


@pytest.mark.parametrize("num", [10, 300])
def test_a_full_disk_at_the_cache_of_paintings(tmp_path, largest_file, num):
    """Painted by this process, or by others."""
    with largest_file(20_000), pytest.raises(GessoError, match=r"No room left.*cache_dir=<folder>"):
        paintings.load(image_size=32, num_images=num, cache_dir=tmp_path)
    assert [path for path in tmp_path.iterdir() if path.suffix != ".lock"] == []


def test_a_full_disk_at_the_index_of_the_cache(tmp_path, largest_file):
    """Which for tiny pictures is the larger file."""
    dots = [(i, np.zeros((1, 1, 3), np.uint8)) for i in range(100)]
    with largest_file(1000), pytest.raises(GessoError, match=r"No room left.*cache_dir=<folder>"):
        cached("pictures", {}, lambda folder: store.write(folder, dots), tmp_path)


def test_a_full_disk_at_an_animation(tmp_path, largest_file):
    with largest_file(500), pytest.raises(GessoError, match=r"Could not write .*walk\.gif: File too large"):
        save_gif(tmp_path / "walk.gif", np.stack([PIXELS, PIXELS[::-1]]), {"Software": "Gesso"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", sorted(picture_writer.OUTPUTS))
def test_a_full_disk_at_a_stylized_picture(tmp_path, largest_file, suffix):
    """One that there was stays."""
    path = tmp_path / f"painted{suffix}"
    path.write_bytes(b"before")
    with largest_file(500), pytest.raises(GessoError, match=r"Could not write .*painted\.\w+: File too large"):
        picture_writer.write(path, PIXELS, {"Software": "Gesso"})
    assert path.read_bytes() == b"before" and list(tmp_path.iterdir()) == [path]


def test_a_folder_for_reading_only(read_only):
    with pytest.raises(GessoError, match=r"Could not write .*painted\.png: Permission denied"):
        picture_writer.write(read_only / "painted.png", PIXELS, {})
    with pytest.raises(GessoError, match=r"Cannot write the picture cache.*cache_dir=<folder>"):
        paintings.load(image_size=32, num_images=10, cache_dir=read_only / "cache")
    with pytest.raises(GessoError, match=r"Cannot write the picture cache.*cache_dir=<folder>"):
        paintings.load(image_size=32, num_images=10, cache_dir=read_only)
