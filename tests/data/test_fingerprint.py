"""Fingerprints of data sets: the same of the same pictures and classes, others of others."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.cli import ROOT
from data import ImageDataset, content_style, image_folder, paintings, paired, tasks


def test_another_process_finds_the_same(two_classes, tmp_path):
    code = (
        "import sys; from data import content_style, paintings, tasks\n"
        "root, cache = sys.argv[1:]\n"
        "print(content_style.load(root, root, 8, cache).fingerprint)\n"
        "print(tasks.load_inpaint(root=root, image_size=8, cache_dir=cache).fingerprint)\n"
        "print(paintings.load(16, cache, num_images=10).fingerprint)"
    )
    command = [sys.executable, "-c", code, str(two_classes), str(tmp_path / "theirs")]
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    root, cache = str(two_classes), str(tmp_path / "ours")
    assert done.stdout.split() == [
        content_style.load(root, root, 8, cache).fingerprint,
        tasks.load_inpaint(root=root, image_size=8, cache_dir=cache).fingerprint,
        paintings.load(16, cache, num_images=10).fingerprint,
    ], done.stderr


@pytest.mark.parametrize("kind", ["pictures", "paired", "unpaired", "content_style", "edges"])
def test_they_change_with_pictures_and_classes(kind, two_classes, load_kind, save_noise, tmp_path):
    folder = shutil.copytree(two_classes, tmp_path / "pictures")

    def now() -> str:
        return load_kind(kind, folder, tmp_path / "cache").fingerprint

    seen = [now()]
    assert now() == seen[0]
    (folder / "red").rename(folder / "rot")
    seen.append(now())
    save_noise(folder / "rot" / "0.png", 100)
    seen.append(now())
    os.utime(folder / "rot" / "0.png", (1, 1))
    seen.append(now())
    save_noise(folder / "rot" / "new.png", 101)
    seen.append(now())
    (folder / "blue" / "1.png").unlink()
    seen.append(now())
    assert len(set(seen)) == 6


def test_they_are_of_what_is_seen_not_of_how(two_classes, tmp_path):
    """A folder may move; pictures may be cut to other squares. Bitmaps may be alike but for their pixels."""

    def of(folder: Path, size: int = 8, **options) -> str:
        return image_folder.load(str(folder), size, str(tmp_path / "cache"), **options).fingerprint

    assert of(two_classes) == of(two_classes, 9) == of(two_classes, crop="random") == of(two_classes, flip=False)
    assert of(two_classes) != of(two_classes, limit=8)
    moved = shutil.copytree(two_classes, tmp_path / "moved")
    assert of(moved) == of(two_classes)  # with its times
    for name, value in (("a", 0), ("b", 255)):
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8), (value,) * 3).save(tmp_path / name / "0.bmp")
        os.utime(tmp_path / name / "0.bmp", (10**9, 10**9))
    assert of(tmp_path / "a") != of(tmp_path / "b")


def test_they_tell_options_that_make_other_pictures(two_classes, tmp_path):
    options = {"image_size": 8, "cache_dir": str(tmp_path)}
    pairs = [paired.load(str(two_classes), **options, direction=way).fingerprint for way in paired.DIRECTIONS]
    small = [tasks.load_super_resolution(8, n, root=str(two_classes), cache_dir=str(tmp_path)) for n in (2, 4)]
    others = [getattr(tasks, f"load_{name}")(root=str(two_classes), **options) for name in ("colorize", "edges")]
    made = [
        paintings.load(16, tmp_path, **{"num_images": 10} | options)
        for options in ({}, {"seed": 1}, {"num_images": 20}, {"styles": ["cubism", "op_art"]})
    ]
    found = [*pairs, *(dataset.fingerprint for dataset in (*small, *others, *made))]
    assert len(set(found)) == len(found)
    assert paintings.load(32, tmp_path, num_images=10).fingerprint == made[0].fingerprint


def test_without_files_the_pixels_and_classes_are_the_fingerprint():
    images = np.random.default_rng(0).integers(0, 256, (600, 4, 4, 3), np.uint8)
    labels = (np.arange(600) % 2).astype(np.int32)
    changed, swapped = images.copy(), labels.copy()
    changed[-1, -1, -1, -1] ^= 1
    swapped[[0, 1]] = swapped[[1, 0]]
    found = [
        ImageDataset("made", *parts).fingerprint
        for parts in (
            (images,), (changed,), (images, labels, "ab"), (images, labels, "ac"), (images, swapped, "ab"),
        )
    ]  # fmt: skip
    assert len(set(found)) == 5
    assert ImageDataset("other", images.copy(), labels.copy(), "ab", flip=True).fingerprint == found[2]
