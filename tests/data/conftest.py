"""Fixtures of the data sets' tests."""

from pathlib import Path

import numpy as np
import pytest
from hydra import initialize_config_dir
from PIL import Image

from core.cli import ROOT
from core.config import compose
from core.instantiate import build
from data import Dataset, content_style, image_folder, paintings, paired, tasks, unpaired


@pytest.fixture
def compose_dataset(private_cache):
    """`compose_dataset("paired", "root=<folder>")`: what `train.py dataset=paired ...` builds, at 16 px."""

    def composed(name: str, *options: str):
        overrides = [f"dataset={name}", "image_size=16", *(f"dataset.{option}" for option in options)]
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            return build(compose("train", overrides).dataset)

    return composed


@pytest.fixture(scope="session")
def save_noise():
    """`save_noise(path, seed)` writes a picture of 40x30 px."""

    def save(path: Path, seed: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).integers(0, 256, (30, 40, 3), np.uint8)
        Image.fromarray(noise).save(path)

    return save


@pytest.fixture(scope="session")
def two_classes(tmp_path_factory, save_noise) -> Path:
    """A folder of nine pictures in two classes, larger than the squares that are cut from them."""
    folder = tmp_path_factory.mktemp("data") / "pictures"
    for i in range(9):
        save_noise(folder / ("blue" if i % 3 else "red") / f"{i}.png", i)
    return folder


@pytest.fixture(scope="session")
def load_kind():
    """`load_kind("inpaint", folder, cache)`: a data set of 16 px of each kind that there is."""

    def load(kind: str, root: Path, cache: Path) -> Dataset:
        folder, options = str(root), {"image_size": 16, "cache_dir": str(cache), "crop": "random"}
        if kind == "paintings":
            return paintings.load(16, cache, num_images=30, flip=True)
        if kind in ("pictures", "balanced"):
            return image_folder.load(folder, **options, balance=kind == "balanced")
        if kind == "paired":
            return paired.load(folder, **options)
        if kind == "unpaired":
            return unpaired.load(folder, folder, **options)
        if kind == "content_style":
            return content_style.load(folder, folder, **options)
        factor = {"factor": 4} if kind == "super_resolution" else {}
        return getattr(tasks, f"load_{kind}")(root=folder, **options, **factor)

    return load
