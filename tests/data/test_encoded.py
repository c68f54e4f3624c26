"""Files that stay files in the cache, beside decoded ones."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data import ImageDataset, image_folder
from data.decode import CROPS


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Smooth pictures, as photographs are: JPEGs of several kinds and shapes, others, and one that is cut off."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for i, (width, height) in enumerate([(90, 61), (61, 90), (32, 32), (64, 64), (20, 30), (200, 140)] * 2):
        image = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).resize((width, height), 3)
        exif = Image.Exif()
        exif[0x0112] = 6
        options = [{}, {"progressive": True}, {"exif": exif}][i % 3]
        (image.convert("L") if i == 3 else image).save(folder / f"{i:02}.jpg", quality=95, **options)
        if i % 4 == 0:
            image.save(folder / f"{i:02}.png")
    content = (folder / "00.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(content[: len(content) // 2])
    return folder


def load(folder: Path, cache: Path, crop: str) -> list[ImageDataset]:
    return [image_folder.load(str(folder), 16, str(cache), crop, store=store) for store in ("decoded", "encoded")]


@pytest.mark.parametrize("crop", CROPS)
def test_they_are_the_decoded_ones(folder, tmp_path, crop):
    decoded, encoded = load(folder, tmp_path, crop)
    numbers = np.arange(len(decoded))
    assert len(numbers) == 15 and decoded.skipped == encoded.skipped and len(decoded.skipped) == 1
    np.testing.assert_array_equal(decoded.images[numbers], encoded.images[numbers])
    assert decoded.fingerprint == encoded.fingerprint


def test_they_are_streamed_alike(folder, tmp_path):
    """The same squares, but resized in one step and in floats; a function of seed and step."""
    one, other = (
        np.concatenate([batch["image"] for batch in dataset.stream(8, seed=3).take(4)]) * 127.5
        for dataset in load(folder, tmp_path, "random")
    )
    assert one.shape == (32, 16, 16, 3)
    assert np.abs(one - other).max() < 5 and np.abs(one - other).mean() < 0.3
    encoded = image_folder.load(str(folder), 16, str(tmp_path), "random", store="encoded")
    again = np.concatenate([batch["image"] for batch in encoded.stream(8, seed=3, start_step=2).take(2)]) * 127.5
    np.testing.assert_array_equal(again, other[16:])


def test_files_stay_as_they_are(folder, tmp_path):
    images = image_folder.load(str(folder), 16, str(tmp_path), store="encoded").images
    names = sorted(path.name for path in folder.iterdir())
    kept = [bytes(images.pixels[o : o + n]) for o, n in zip(images.offsets, images.files[:, 0], strict=True)]
    numbers = images.sources.tolist()
    own = [(folder / names[i]).read_bytes() == content for i, content in zip(numbers, kept, strict=True)]
    assert own == [name.endswith(".jpg") and int(name[:2]) % 3 != 2 for name in names[:-1]]
