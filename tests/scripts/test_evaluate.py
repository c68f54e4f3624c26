"""`evaluate.py` as a user runs it."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from core.cli import ROOT
from core.network_metadata import Metadata
from models import trained
from models.networks import dcgan

rng = np.random.default_rng(0)


def result(folder: Path) -> dict:
    return json.loads((folder / "evaluation.json").read_text())


@pytest.fixture(scope="module")
def generator(tmp_path_factory) -> Path:
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("generator") / "g.keras"
    trained.save(dcgan.generator((32, 32, 3), latent_dim=6, width=4), path, Metadata("generator"))
    return path


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Two folders of one set of made pictures: `a`, and `b` with noise."""
    folder = tmp_path_factory.mktemp("photos")
    for name in ("a", "b"):
        (folder / name).mkdir()
    for i in range(12):
        small = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
        image = np.asarray(small.resize((50, 40), Image.Resampling.BICUBIC))
        Image.fromarray(image).save(folder / "a" / f"{i}.png")
        noisy = np.clip(image + rng.normal(0, 20, image.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / "b" / f"{i}.png")
    return folder


def test_a_generator_beside_a_data_set(generator, script, vgg_weights, tmp_path):
    done = script(
        "evaluate.py", f"network={generator}", "dataset=paintings", "dataset.num_images=120",
        f"weights={vgg_weights}",
        "num=60", f"hydra.run.dir={tmp_path}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = result(tmp_path)
    assert found["settings"]["num"] == 60 and "VGG16" in found["settings"]["features"]
    reals = found["baselines"]["reals, others"]
    assert found["fid"] > 2 * reals["fid"] and found["kid"] > reals["kid"] + 3 * reals["kid_error"]
    assert found["recall"] < 0.2 < reals["recall"]
    assert "biased" in done.stderr and "reals, blurred by 3 px" in done.stdout


def test_a_generator_of_other_classes_draws_its_own(script, tmp_path):
    network = dcgan.generator((32, 32, 3), latent_dim=6, width=4, num_classes=2, condition="concat")
    trained.save(network, tmp_path / "g.keras", Metadata("generator", classes=("cats", "dogs")))
    done = script(
        "evaluate.py", f"network={tmp_path}/g.keras", "dataset=paintings", "dataset.num_images=20",
        "metrics=[sliced_wasserstein]", "baselines=false", f"hydra.run.dir={tmp_path}/run",
    )  # fmt: skip
    assert done.returncode == 0 and "paintings has not the classes" in done.stderr, done.stderr
    assert result(tmp_path / "run")["sliced_wasserstein"] > 0


def test_two_folders_pairs_and_damage(photos, script, tmp_path):
    done = script("evaluate.py", f"images={photos}/b", f"truth={photos}/a", f"hydra.run.dir={tmp_path}/pairs")
    assert done.returncode == 0, done.stderr
    found = result(tmp_path / "pairs")
    assert 20 < found["psnr"] < 24 and 0.05 < found["l1"] < 0.15  # noise of 20 levels: 22 dB
    done = script(
        "evaluate.py", f"images={photos}/b", "dataset=image_folder", f"dataset.root={photos}/a",
        "metrics=[sliced_wasserstein]", f"hydra.run.dir={tmp_path}/sets", "dataset.limit=7",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert result(tmp_path / "sets")["sliced_wasserstein"] > 0
    settings = result(tmp_path / "sets")["settings"]
    assert settings["image_size"] == 40 and settings["num"] == 7  # as many of either
    assert settings["pictures"] == "bicubic, antialiased (Pillow), crop=center, to 40 px, uint8"
    assert settings["reference_pictures"].endswith("to 40 px, uint8")


def test_stylized_pictures_stand_beside_their_contents(photos, script, vgg_weights, tmp_path):
    style = photos / "a" / "3.png"
    done = script(
        "evaluate.py", f"images={photos}/b", f"content={photos}/a", f"style={style}", f"weights={vgg_weights}",
        "num=3", f"hydra.run.dir={tmp_path}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = result(tmp_path)
    untouched = found["baselines"]["contents, untouched"]
    assert untouched["content_distance"] == untouched["perceptual_distance"] == 0
    assert found["content_distance"] > 0 and found["perceptual_distance"] > 0
    assert found["objective"] == pytest.approx(found["content_distance"] + 30 * found["style_distance"])


def test_layers_are_those_of_the_papers(vgg_weights):
    """As the activations themselves give it, of either choice."""
    from evaluation.styles import Judge
    from models.networks import vgg

    image, content, painting = (rng.uniform(-1, 1, (32, 32, 3)).astype(np.float32) for _ in range(3))
    names = {
        "gatys": ("block4_conv2", [f"block{i}_conv1" for i in range(1, 6)]),
        "johnson": ("block3_conv3", ["block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3"]),
    }
    for layers, (kept, taken) in names.items():
        encoder = vgg.encoder([kept, *taken], vgg_weights)
        seen = [
            {name: np.asarray(x)[0] for name, x in encoder(p[None]).items()} for p in (image, content, painting)
        ]
        grams = [{n: np.einsum("hwi,hwj->ij", x[n], x[n]) / x[n].size for n in taken} for x in seen]
        found = Judge([painting], vgg_weights, layers)(image, content)
        expected = np.mean((seen[0][kept] - seen[1][kept]) ** 2)
        np.testing.assert_allclose(found["content_distance"], expected, rtol=1e-4)
        expected = sum(np.mean((grams[0][name] - grams[2][name]) ** 2) for name in taken)
        np.testing.assert_allclose(found["style_distance"], expected, rtol=1e-3)


def test_colors_and_artfids_form_by_hand(monkeypatch):
    """Black beside white, and beside a quarter of white; each layer has 512 channels, all the picture's first."""
    from evaluation import styles

    def encoder(names, weights):
        return lambda images, training: {name: np.repeat(images[..., :1], 512, axis=-1) for name in names}

    monkeypatch.setattr(styles.vgg, "encoder", encoder)
    black, white = (np.full((16, 16, 3), level, np.float32) for level in (-1, 1))
    quarter = black.copy()
    quarter[:8, :8] = 1
    judge = styles.Judge([white, quarter])
    found = judge(black, black)
    assert found["color_mean"] == pytest.approx((100 + 25) / 2, rel=1e-3)
    assert found["color_spread"] == pytest.approx(100 * (3 / 16 * 256 / 255) ** 0.5 / 2, rel=1e-3)
    # 5/8 of all 512 places are 1, the others -1: by their variance is divided, here what 1/8 more adds up to.
    variance = 4 * 5 / 8 * 3 / 8 * 512 / 511
    expected = (1 + 0.5) * (1 + 512 / 8**2 / variance)
    assert judge.artfid(0.5, [image + 1 / 8 for image in judge.styles]) == pytest.approx(expected)


def test_a_translators_run(photos, script, tmp_path):
    run = tmp_path / "run"
    arguments = [
        "model=pix2pix", "model.width=4", "dataset=colorize", f"dataset.root={photos}/a", "image_size=32",
        "steps=1", "batch_size=1", f"hydra.run.dir={run}",
    ]  # fmt: skip
    done = script("train.py", *arguments)
    assert done.returncode == 0, done.stderr
    done = script(
        "evaluate.py",
        f"network={run}/translator.keras",
        f"dataset.root={photos}/b",
        "num=6",
        f"hydra.run.dir={tmp_path}/e",
    )
    assert done.returncode == 0, done.stderr
    found = result(tmp_path / "e")
    assert found["settings"]["num"] == 6 and found["settings"]["reference"] == "b"
    assert found["settings"]["held_out"]
    # It has learned nothing, but light and dark are the source's own: nearly as if left grey.
    assert found["l1"] == pytest.approx(found["baselines"]["sources, left grey"]["l1"], rel=0.1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["network=/nowhere"], "network=/nowhere: there is no /nowhere"),
        (["network=tests", "dataset=mnist"], "there is no tests/generator.keras and no tests/translator.keras"),
        (["network={generator}", "dataset=mnist", "metrics=[psnr]"], "metrics=psnr is of pairs"),
        (["run=outputs"], "Did you mean network=?"),
        (["images=a", "truth=b", "metrics=[fdi]"], "Did you mean fid?"),
        (["images=/nowhere", "dataset=image_folder", "dataset.root=tests"], "/nowhere does not exist"),
        (
            ["network={generator}", "dataset=mnist", "truth=b"],
            "truth= has no effect in an evaluation of a generator",
        ),
    ],
)
def test_errors_in_words(arguments, words, generator, script, tmp_path):
    given = [argument.format(generator=generator) for argument in arguments]
    done = script("evaluate.py", *given, f"hydra.run.dir={tmp_path}/run", cwd=ROOT)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert words in done.stderr, done.stderr
    assert list(tmp_path.iterdir()) == []
