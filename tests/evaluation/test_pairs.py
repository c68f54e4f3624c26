"""Pictures beside the truth."""

from pathlib import Path

import keras
import numpy as np
import pytest
from hydra import initialize_config_dir
from omegaconf import OmegaConf
from PIL import Image

from core.config import CONF, compose
from core.errors import GessoError
from core.images import to_uint8
from core.network_metadata import Geometry, Metadata
from evaluation import baselines, modes, pairs
from metrics.l1 import l1
from metrics.psnr import psnr
from metrics.ssim import ms_ssim
from models import trained

rng = np.random.default_rng(0)


def metric(function) -> dict:
    return {"of": "pairs", "names": [function.__name__], "function": function}


def test_means_over_pairs_of_any_size():
    truths = [rng.integers(0, 256, (20, 30 + i, 3), dtype=np.uint8) for i in range(3)]
    images = [np.clip(truth.astype(int) + 5 * (i + 1), 0, 255).astype(np.uint8) for i, truth in enumerate(truths)]
    found = pairs.Means({"psnr": metric(psnr), "l1": metric(l1)}).add(zip(images, truths, strict=True))
    assert found.n == 3
    expected = [psnr(image[None], truth[None])[0] for image, truth in zip(images, truths, strict=True)]
    assert found.values["psnr"] == pytest.approx(np.mean(expected))
    equal = pairs.Means({"psnr": metric(psnr)}).add([(truths[0], truths[0]), (images[1], truths[1])])
    assert equal.values["psnr"] == pytest.approx(expected[1])  # an infinite one says nothing of the others
    assert pairs.Means({"psnr": metric(psnr)}).add([(truths[0], truths[0])]).values["psnr"] == np.inf
    with pytest.raises(GessoError, match=r"metrics=ms_ssim: .* too small"):
        pairs.Means({"ms_ssim": metric(ms_ssim)}).add(zip(images, truths, strict=True))


def test_l1_by_hand():
    a, b = np.zeros((2, 4, 4, 3), np.uint8), np.full((2, 4, 4, 3), 255, np.uint8)
    b[1] = 51
    np.testing.assert_allclose(l1(a, b), [2, 0.4])  # in [-1, 1] black and white are 2 apart
    np.testing.assert_allclose(l1(a / 255, b / 255, data_range=1), [2, 0.4])


def test_what_baselines_make_of_pictures():
    image = rng.integers(0, 256, (16, 12, 3), dtype=np.uint8)
    assert np.ptp(baselines.mean_color(image), axis=(0, 1)).max() == 0
    assert baselines.blur(image).std() < 0.5 * image.std() and baselines.blur(image[..., :1]).shape == (16, 12, 1)
    holes = np.zeros((16, 12))
    holes[:8] = 1
    filled = baselines.fill_smoothly(image, holes)
    np.testing.assert_array_equal(filled[8:], image[8:])
    assert np.ptp(filled[0]) < np.ptp(image[8:])
    slope = np.repeat(np.arange(0, 240, 10, dtype=np.uint8)[:, None, None], 3, axis=2).repeat(24, axis=1)
    middle = np.zeros((24, 24))
    middle[10:14, 10:14] = 1
    np.testing.assert_allclose(baselines.fill_smoothly(slope, middle).astype(int), slope, atol=6)
    assert (baselines.fill_smoothly(slope, np.ones((24, 24))) == 128).all()
    assert baselines.resize_bicubic(image, (32, 24, 3)).shape == (32, 24, 3)
    line = np.full((4, 9, 3), 100, np.uint8)
    line[:, 4] = 200  # Keys's cubic with a = -1/2, at 7/4, 5/4, 3/4 and 1/4 of a pixel: -3, -9, 29 and 111 of 128
    half = [98, 93, 123, 187]
    np.testing.assert_array_equal(
        baselines.resize_bicubic(line, (4, 18, 3))[..., 0], [[100] * 5 + half + half[::-1] + [100] * 5] * 4
    )


def test_baselines_that_fit_the_task():
    targets = rng.uniform(-1, 1, (2, 16, 16, 3)).astype(np.float32)
    grey, tint = targets @ np.float32([0.299, 0.587, 0.114]), np.float32([0.5, 0.0, -0.5])
    tinted = baselines.baselines("colorize", False, tint)
    left_gray, in_the_mean_tint = (
        tinted[f"sources, {name}"](grey[..., None], targets) for name in ("left grey", "in the mean tint")
    )
    assert np.ptp(left_gray, axis=-1).max() == 0 and left_gray.shape == in_the_mean_tint.shape == targets.shape
    assert (in_the_mean_tint[..., 0] >= in_the_mean_tint[..., 2]).all()
    assert in_the_mean_tint[..., 0].mean() > in_the_mean_tint[..., 2].mean() + 50
    small = baselines.baselines("super_resolution", False)
    assert list(small) == ["sources, bicubic"]
    assert small["sources, bicubic"](targets[:, ::4, ::4], targets).shape == targets.shape
    plain = baselines.baselines(None, True)
    np.testing.assert_array_equal(plain["sources, untouched"](targets, -targets), to_uint8(targets))
    np.testing.assert_array_equal(
        plain[baselines.BLURRED](targets, targets)[1], baselines.blur(to_uint8(targets[1]))
    )
    holes = np.concatenate([targets, np.ones_like(targets[..., :1])], axis=-1)
    assert (baselines.baselines("inpaint", False)["holes, smoothly filled"](holes, targets) == 128).all()


def test_pictures_that_it_learned_from_are_known(tmp_path):
    (tmp_path / ".hydra").mkdir()
    trained = {"dataset": {"root": "a", "split": "train", "limit": None}}
    OmegaConf.save(OmegaConf.create(trained), tmp_path / ".hydra" / "config.yaml")
    for changed, held_out in (
        ({}, False), ({"limit": 5}, False), ({"split": "test"}, True), ({"split": None}, False),
        ({"root": "b"}, True), ({"root": "./a/"}, False), ({"root": str(Path("a").resolve())}, False),
        ({"root": "a/test"}, False), ({"root": "."}, False), ({"root": "ab"}, True),
    ):  # fmt: skip
        config = OmegaConf.create({"dataset": trained["dataset"] | changed})
        assert pairs._held_out(config, tmp_path / "translator.keras") == held_out


@pytest.mark.parametrize(("given", "size"), [([], 16), (["image_size=8"], 8), (["dataset.image_size=12"], 12)])
def test_a_translator_is_compared_at_the_size_that_it_was_trained_at(given, size, tmp_path):
    """Unless the command line, or its run's, gives another one; no configuration is changed."""
    for i in range(3):
        image = rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    sources = keras.Input((None, None, 1))
    network = keras.Model(sources, keras.layers.Conv2D(3, 1)(sources))
    path = tmp_path / "n.keras"
    trained.save(network, path, Metadata("translator", "translate", "colorize", 16, geometry=Geometry()))
    arguments = [f"network={path}", "dataset=colorize", f"dataset.root={tmp_path}", f"cache_dir={tmp_path}/cache"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("evaluate", [*arguments, *given])
    before = OmegaConf.to_container(config)
    rows, settings = pairs.evaluate_translator(config, {"l1": metric(l1)}, path)
    assert settings["size"] == size and settings["num"] == 3 and settings["held_out"] is None
    assert next(iter(rows)) == str(path) and "sources, in the mean tint" in rows
    assert OmegaConf.to_container(config) == before


def test_a_size_that_the_network_does_not_take_is_refused(tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "0.png")
    sources = keras.Input((None, None, 1))
    network = keras.Model(sources, keras.layers.Conv2D(3, 1)(sources))
    path = tmp_path / "n.keras"
    trained.save(network, path, Metadata("translator", "translate", "colorize", 16, geometry=Geometry(stride=16)))
    arguments = [f"network={path}", "dataset=colorize", f"dataset.root={tmp_path}", f"cache_dir={tmp_path}/cache"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("evaluate", [*arguments, "image_size=24"])
    with pytest.raises(GessoError, match=r"image_size=24: .* multiples of 16 px"):
        pairs.evaluate_translator(config, {"l1": metric(l1)}, path)


def test_a_data_set_without_pairs_is_refused(tmp_path):
    """As that which a CycleGAN learned from, which `evaluate.py network=<its run>` takes by itself."""
    for name in "ab":
        (tmp_path / name).mkdir()
        Image.new("RGB", (20, 20)).save(tmp_path / name / "0.png")
    picture = keras.Input((None, None, 3))
    network = keras.Model(picture, keras.layers.Conv2D(3, 1)(picture))
    path = tmp_path / "n.keras"
    trained.save(network, path, Metadata("translator", "translate", None, 16, geometry=Geometry()))
    folders = [f"dataset.a={tmp_path}/a", f"dataset.b={tmp_path}/b", f"cache_dir={tmp_path}/cache"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("evaluate", [f"network={path}", "dataset=unpaired", *folders])
    mode, metrics, found = modes.choose(config, [])
    assert found == path
    with pytest.raises(GessoError, match=r"a and b has no pairs.*Stylize a folder.*images=<folder>"):
        mode.run(config, metrics, path)


def test_partners_by_name(tmp_path, caplog):
    for folder, names in (("a", ["x.png", "y.png", "only.png"]), ("b", ["x.jpg", "y.png"])):
        (tmp_path / folder).mkdir()
        for name in names:
            Image.new("RGB", (8, 6), "red").save(tmp_path / folder / name)
    files = pairs.match_folders(tmp_path / "a", tmp_path / "b")
    assert [one.name for one, _ in files] == ["x.png", "y.png"]
    assert "Left out 1 pictures" in caplog.text and "only.png" in caplog.text
    assert len(list(pairs.read_pairs(files))) == 2
    Image.new("RGB", (8, 7)).save(tmp_path / "b" / "y.png")
    with pytest.raises(GessoError, match="differ in size: 8x6 and 8x7 px"):
        list(pairs.read_pairs(files))
    with pytest.raises(GessoError, match="No picture"):
        pairs.match_folders(tmp_path / "a", tmp_path)
