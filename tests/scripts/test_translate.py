"""Translators trained by `train.py`, and applied by `stylize.py`, as a user runs them."""

import numpy as np
import pytest
from PIL import Image

random = np.random.default_rng(0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six smooth coloured pictures, 72 px high and 56 px wide."""
    root = tmp_path_factory.mktemp("pictures")
    for i in range(6):
        noise = Image.fromarray(random.integers(0, 255, (9, 7, 3), np.uint8))
        noise.resize((56, 72), Image.Resampling.BICUBIC).save(root / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def train(script, tmp_path_factory):
    """Two steps of a small model: `train("model=pix2pix", ...)` -> its run directory."""

    def run(*arguments: object):
        path = tmp_path_factory.mktemp("run")
        common = ["image_size=32", "batch_size=2", "steps=2", "log_every=1", "model.width=4"]
        done = script("train.py", *common, *arguments, f"hydra.run.dir={path}")
        assert done.returncode == 0, done.stderr
        assert f"python stylize.py network={path} content=<picture>" in done.stdout + done.stderr
        assert (path / "samples" / "step_00000002.png").is_file()
        return path

    return run


def pixels(path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_holes_are_filled_and_the_rest_stays(folder, script, train, tmp_path):
    run = train("model=pix2pix", "dataset=inpaint", f"dataset.root={folder}", "model.receptive_field=16")
    content = folder / "0.png"
    done = script("stylize.py", f"content={content}", f"network={run}")
    assert done.returncode == 1 and "mask=" in done.stderr

    hole = np.zeros((72, 56), np.uint8)
    hole[20:40, 10:30] = 255
    hole[50, 10:30] = 60  # a thin, soft line
    Image.fromarray(hole).save(tmp_path / "hole.png")
    output = tmp_path / "out.png"
    done = script(
        "stylize.py", "method=translate", f"content={content}", f"network={run}", f"output={output}",
        f"mask={tmp_path / 'hole.png'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    before, after = pixels(content), pixels(output)
    np.testing.assert_array_equal(after[hole == 0], before[hole == 0])
    assert (after[hole > 0] != before[hole > 0]).any()


def test_super_resolution_enlarges(folder, script, train, tmp_path, vgg_weights):
    run = train(
        "model=srgan", f"dataset.root={folder}", "model.blocks=1", "model.pretrain_steps=1",
        f"weights={vgg_weights}",
    )  # fmt: skip
    done = script("stylize.py", f"content={folder}", f"network={run}", f"output={tmp_path}")
    assert done.returncode == 0, done.stderr
    sizes = [Image.open(tmp_path / f"{i}.png").size for i in range(6)]
    assert sizes == [(4 * 56, 4 * 72)] * 6


def test_there_without_pairs(folder, script, train, tmp_path):
    run = train(
        "model=cyclegan",
        f"dataset.a={folder}",
        f"dataset.b={folder}",
        "model.blocks=1",
        "model.receptive_field=16",
        "model.augment=[color,translation]",
    )
    output = tmp_path / "out.png"
    done = script("stylize.py", f"content={folder / '1.png'}", f"network={run}", f"output={output}", "size=64")
    assert done.returncode == 0, done.stderr
    assert Image.open(output).size == (50, 64)
    assert pixels(output).std() > 0
