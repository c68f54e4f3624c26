"""Networks that are put into the zoo: what is in their files then, and what the cards say."""

import keras
import numpy as np
import pytest
from omegaconf import OmegaConf

from core import zoo
from core.errors import GessoError
from core.half import halve
from core.network_file import find_network, read_metadata
from core.network_metadata import Geometry, Metadata
from core.run import Run
from models import trained
from models.networks import dcgan, transform_net
from zoo import add

NETWORKS = sorted(zoo.FOLDER.glob("*.keras"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "FOLDER", tmp_path / "zoo")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_generator_with_its_discriminator(folder, monkeypatch):
    """In half precision, with the facts of its run, but nothing of this machine; a card is never written over."""
    keras.utils.set_random_seed(0)
    run = Run(folder / "run")
    run.config.parent.mkdir(parents=True)
    run.config.write_text("steps: 3\n")
    told = ["experiment=finetune", f"dataset.root={folder}/pictures", "seed=2", "hydra.run.dir=/home/me/run"]
    run.overrides.write_text(OmegaConf.to_yaml(told))
    generator = dcgan.generator((16, 16, 3), latent_dim=4, width=64, num_classes=2, condition="projection")
    metadata = Metadata("generator", classes=("a", "b"), shares=(0.3, 0.7), model="dcgan", step=3, images=96)
    trained.save(generator, run.network("generator"), metadata)
    judge = dcgan.discriminator((16, 16, 3), width=4)
    monkeypatch.setattr("training.start.discriminator", lambda path, network, metadata: judge)
    add.put(find_network(run.folder), "night")

    path = find_network("night")
    found = read_metadata(path)
    assert (found.step, found.images, found.classes, found.shares) == (3, 96, ("a", "b"), (0.3, 0.7))
    assert found.command == ("experiment=finetune", "dataset.root=<pictures>", "seed=2")
    assert "Keras" in found.software
    assert path.stat().st_size < 0.6 * run.network("generator").stat().st_size
    loaded = trained.load(path, "generator")[0]
    assert {weight.dtype for weight in loaded.weights} == {"float32"}
    for one, other in zip(loaded.get_weights(), generator.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-7)
    kernel = trained.load_network(zoo.discriminator(path)).get_layer("down_8").kernel
    np.testing.assert_allclose(kernel, judge.get_layer("down_8").kernel, rtol=1e-3, atol=1e-7)
    with pytest.raises(GessoError, match="is a discriminator, not a generator"):
        find_network(zoo.discriminator(path), kinds=["generator"])

    card = zoo.card(path)
    text = card.read_text()
    assert "python train.py experiment=finetune dataset.root=<pictures> seed=2" in text and "TODO" in text
    assert "3 steps, 96 pictures seen" in text and str(folder) not in text
    card.write_text("mine")
    monkeypatch.setattr("training.start.discriminator", lambda path, network, metadata: None)
    add.put(find_network(run.folder), "night")
    assert card.read_text() == "mine"
    assert not zoo.discriminator(path).exists()  # of the network that was there before


@pytest.mark.parametrize(
    ("told", "published"),
    [
        ('dataset.root="/home/jane doe/photos"', "dataset.root=<photos>"),
        ("dataset.root=/home/jane doe/my photos/", "dataset.root=<my photos>"),
        ("dataset.root='C:\\Users\\jane doe\\photos'", "dataset.root=<photos>"),
        ('model.style=["/home/jane doe/a b.jpg",/home/jane/c.jpg,d]', 'model.style=[<a b.jpg>,<c.jpg>,"d"]'),
        ("+a={b:/home/jane/c,d:1}", "+a={b:<c>,d:1}"),
        ("dataset.root=/home/jane doe/[", "dataset.root=<[>"),
        ("betas=[0.5,0.9]", "betas=[0.5,0.9]"),
        ("~loss", "~loss"),
    ],
)
def test_nothing_of_a_path_is_published_but_its_last_part(told, published):
    assert add.without_folders(told) == published


def test_a_network_that_would_paint_otherwise_is_refused_and_leaves_nothing(folder):
    network = transform_net.transformer(width=2, blocks=1)
    network.set_weights([1000 * weight for weight in network.get_weights()])
    trained.save(network, folder / "stylizer.keras", Metadata("stylizer", "fast", geometry=Geometry(4, 28)))
    with pytest.raises(GessoError, match="pictures change by"):
        add.put(folder / "stylizer.keras", "wild")
    assert not zoo.FOLDER.exists()


def test_what_is_too_large_is_refused(folder, monkeypatch):
    trained.save(
        transform_net.transformer(width=2, blocks=1), folder / "stylizer.keras",
        Metadata("stylizer", "fast", geometry=Geometry(4, 28)),
    )  # fmt: skip
    monkeypatch.setattr(add, "LARGEST", 5_000)
    with pytest.raises(GessoError, match=r"stylizer\.keras: 0\.1 MB in half precision"):
        add.put(folder / "stylizer.keras", "vast")
    assert not zoo.FOLDER.exists()


def test_weights_that_half_precision_cannot_hold_stay_as_they_are(tmp_path):
    image = keras.Input((2,))
    network = keras.Model(image, keras.layers.Dense(2, name="a")(image))
    network.set_weights([np.full((2, 2), 1e6, np.float32), np.array([1e-9, 1.0], np.float32)])
    network.save(tmp_path / "whole.keras")
    halve(tmp_path / "whole.keras", tmp_path / "half.keras")
    for one, other in zip(keras.models.load_model(tmp_path / "half.keras").weights, network.weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("path", NETWORKS, ids=[path.stem for path in NETWORKS])
def test_what_comes_with_gesso_has_a_card_that_is_filled_in(path):
    metadata, card = read_metadata(path), zoo.card(path).read_text(encoding="utf-8")
    assert path.stat().st_size <= 8e6
    assert card.startswith(f"# {path.stem}\n") and "TODO" not in card
    assert f"| file | {path.stat().st_size / 1e6:.1f} MB, " in card  # and not of a network that was there before
    assert f"configuration {metadata.config_sha256} |" in card
    assert metadata.step is not None


@pytest.mark.parametrize("path", NETWORKS, ids=[path.stem for path in NETWORKS])
def test_what_comes_with_gesso_paints(path):
    """With the layers that there are now; and so does what a training of its own pictures begins with."""
    metadata = read_metadata(path)
    network, _ = trained.load(path, metadata.kind)
    assert all(np.isfinite(weight).all() for weight in network.get_weights())
    still = keras.models.clone_model(network)
    still.set_weights([np.zeros_like(weight) for weight in network.get_weights()])
    assert add.difference(network, still, metadata) > 30  # it paints something
    if zoo.discriminator(path).is_file():
        judge = trained.load_network(zoo.discriminator(path))
        image, *label = judge.inputs
        logits = judge([np.zeros((1, *image.shape[1:])), *(np.zeros(1, int) for _ in label)])
        assert np.isfinite(logits).all()
