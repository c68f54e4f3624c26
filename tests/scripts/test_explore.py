"""`explore.py` as a user runs it."""

import json

import keras
import numpy as np
import pytest
from hydra import initialize_config_dir
from omegaconf import OmegaConf
from PIL import Image

from core.cli import ROOT
from core.config import CONF, compose
from core.network_metadata import Metadata
from data import paintings
from evaluation import sets
from evaluation.exploration import Exploration, _by_next, find_nearest
from models import trained
from models.labels import draw_labels
from models.networks import dcgan


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("generator") / "g.keras"
    network = dcgan.generator((32, 32, 3), latent_dim=6, width=4, num_classes=2, condition="concat")
    last = network.get_layer("up_32")
    last.set_weights([2000 * weight for weight in last.get_weights()])  # untrained, it paints all but one grey
    trained.save(network, path, Metadata("generator", classes=("cubism", "ink_painting")))
    return path


def test_everything(generator, script, tmp_path, private_cache):
    """Strips go somewhere; the classifier, which takes what is bright for ink paintings, counts both sides."""
    image = keras.Input((32, 32, 3))
    brightness = keras.layers.Dense(2, "softmax", name="by_brightness")
    classifier = keras.Model(image, brightness(keras.layers.GlobalAveragePooling2D()(image)))
    brightness.set_weights([np.float32([[-1, 1]] * 3), np.zeros(2)])
    classifier.save(tmp_path / "c.keras")
    done = script(
        "explore.py", f"network={generator}", "dataset=paintings", "dataset.num_images=30",
        "dataset.styles=[cubism,ink_painting]", "num=3", "frames=5", "neighbors=2", "label=cubism",
        f"classifier={tmp_path}/c.keras", f"output={tmp_path}", f"hydra.run.dir={tmp_path}/log",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in ("sefa", "ganspace"):
        sheet = np.asarray(Image.open(tmp_path / f"{name}.png"))
        assert sheet.shape == (3 * (14 + 2 + 34), 5 * 34 + 2, 3)
        for strip in np.split(sheet, 3):
            frames = [strip[16:48, x : x + 32].astype(int) for x in range(2, 172, 34)]
            assert np.ptp(frames[0]) > 20 and np.abs(frames[0] - frames[-1]).max() > 20
    assert Image.open(tmp_path / "nearest.png").size == (3 * 34 + 2, 3 * 34 + 2 + 14)
    found = json.loads((tmp_path / "exploration.json").read_text())
    assert found["nearest"]["copies"] == 0 and found["nearest"]["nearest_by_next"] > 0.8
    assert all(words in done.stdout for words in ("distance_to_training", "contrast", "hue_distance")), done.stdout
    assert found["balance"]["generated"]["contrast"] < found["balance"]["training"]["contrast"]
    images = paintings.load(32, private_cache, 30, styles=["cubism", "ink_painting"]).images
    bright = np.mean(images.mean(axis=(1, 2, 3)) > 127.5)
    classes = found["balance"]["classes"]
    assert 0 < bright < 1 and classes["training"] == pytest.approx({"cubism": 1 - bright, "ink_painting": bright})
    assert set(classes) == {"generated", "training"} and sum(classes["generated"].values()) == pytest.approx(1)


def test_copies_are_found(tmp_path, capfd):
    """A generator that knows one training picture by heart."""
    images = paintings.load(32, str(tmp_path), 30).images
    latent = keras.Input((3,))
    x = keras.layers.Dense(32 * 32 * 3, kernel_initializer="zeros", name="picture")(latent)
    model = keras.Model(latent, keras.layers.Reshape((32, 32, 3))(x))
    model.get_layer("picture").set_weights([np.zeros((3, 3072)), (images[4] / 127.5 - 1.0).ravel()])
    trained.save(model, tmp_path / "g.keras", Metadata("generator"))
    with initialize_config_dir(str(CONF), version_base="1.3"):
        overrides = [f"network={tmp_path}/g.keras", "dataset=paintings", "dataset.num_images=30", "num=2"]
        config = compose("explore", [*overrides, f"cache_dir={tmp_path}"])
    before = OmegaConf.to_container(config)
    sheet, found = Exploration(config).nearest()
    assert OmegaConf.to_container(config) == before and config.image_size is None
    assert capfd.readouterr().out == ""  # that is for scripts
    assert found["copies"] == 1 and found["distance_to_training"] < 0.01
    np.testing.assert_allclose(sheet[16:48, 2:34].astype(int), sheet[16:48, 36:68], atol=1)


def test_of_doubles_alone_nothing_is_said():
    """Where all that is near is one picture over and over, a sample may be far from it, or a copy."""
    reals = np.zeros((4, 2), np.float32)
    assert np.isnan(_by_next(np.full(4, 9.0), reals))
    reals[3] = 1
    assert _by_next(np.array([2.0, 2.0, 2.0, 4.0]), reals) == 0.5


def test_the_nearest_are_those_of_all_distances(monkeypatch):
    monkeypatch.setattr("evaluation.exploration.ROWS", 7)
    rng = np.random.default_rng(0)
    features, reals = rng.normal(size=(3, 5)), rng.normal(size=(20, 5))
    distances = np.linalg.norm(features[:, None] - reals, axis=2)
    numbers, found = find_nearest(features, reals, 4)
    np.testing.assert_array_equal(numbers, np.argsort(distances, axis=1)[:, :4])
    np.testing.assert_allclose(found, np.sort(distances, axis=1)[:, :4])


@pytest.mark.parametrize("styles", ["cubism,ink_painting", "ink_painting,cubism", "cubism,ink_painting,op_art"])
def test_the_data_is_asked_for_labels_only_where_it_has_the_same(styles, generator, tmp_path, monkeypatch):
    """In another order, a generator asked for the data's labels would paint another class."""
    asked, batches = [], sets.generator_batches
    monkeypatch.setattr(sets, "generator_batches", lambda *a: asked.append(a[3]) or batches(*a))
    with initialize_config_dir(str(CONF), version_base="1.3"):
        overrides = [f"network={generator}", "dataset=paintings", "dataset.num_images=12", f"cache_dir={tmp_path}"]
        exploration = Exploration(compose("explore", [*overrides, f"dataset.styles=[{styles}]"]))
    assert set(exploration.balance()[1]) == {"generated", "training", "hue_distance"}
    dataset, own = exploration.dataset, draw_labels(exploration.metadata, 12, exploration.config.seed)
    same = styles == "cubism,ink_painting"
    theirs = dataset.labels[dataset.drawn(12, exploration.config.seed)]
    np.testing.assert_array_equal(asked[0], theirs if same else own)
    assert (own != theirs).any()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["network={generator}"], "dataset="),
        (["network=/nowhere"], "there is no /nowhere"),
        (["show=[sefa]"], "network= says which"),
        (["show=[sefa]", "neighbors=3", "network={generator}"], "neighbors= has no effect with show=[sefa]"),
        (["show=[balance]", "features=vgg16", "dataset=mnist", "network={generator}"], "features= has no effect"),
        (["show=[sefa]", "label=cubist", "network={generator}"], "Did you mean cubism?"),
    ],
)
def test_errors_in_words(arguments, words, generator, script, tmp_path):
    given = [argument.format(generator=generator) for argument in arguments]
    done = script("explore.py", *given, f"hydra.run.dir={tmp_path}/run", cwd=ROOT)
    assert done.returncode == 1 and "Traceback" not in done.stderr and words in done.stderr, done.stderr
    assert list(tmp_path.iterdir()) == []
