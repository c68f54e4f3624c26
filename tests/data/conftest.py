"""Fixtures of the data sets' tests."""

import pytest
from hydra import initialize_config_dir

from core.cli import ROOT
from core.config import compose
from core.instantiate import build


@pytest.fixture
def compose_dataset(private_cache):
    """`compose_dataset("paired", "root=<folder>")`: what `train.py dataset=paired ...` builds, at 16 px."""

    def composed(name: str, *options: str):
        overrides = [f"dataset={name}", "image_size=16", *(f"dataset.{option}" for option in options)]
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            return build(compose("train", overrides).dataset)

    return composed
