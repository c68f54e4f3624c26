"""A folder of pictures beside a data set: what is compared, and what is left as it was."""

from pathlib import Path

import keras
import numpy as np
import pytest
from hydra import initialize_config_dir
from omegaconf import OmegaConf
from PIL import Image

from core.config import CONF, compose
from core.instantiate import build
from core.network_metadata import Metadata
from evaluation import generated, subject
from models import trained

rng = np.random.default_rng(0)


@pytest.fixture
def folders(tmp_path) -> Path:
    """Two folders of pictures in subfolders, of other names in each."""
    for folder, classes in (("a", ("x", "y")), ("b", ("x", "y")), ("c", ("z",))):
        for name in classes:
            (tmp_path / folder / name).mkdir(parents=True)
            for i in range(4):
                image = rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)
                Image.fromarray(image).save(tmp_path / folder / name / f"{i}.png")
    return tmp_path


def composed(folders: Path, images: str, *overrides: str):
    given = [f"images={folders}/{images}", "dataset=image_folder", f"dataset.root={folders}/a", "features=pixels"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("evaluate", [*given, "metrics=[diversity]", f"cache_dir={folders}/cache", *overrides])


def evaluate(config) -> tuple[dict, dict]:
    return generated.evaluate(config, build(config.metrics), subject.of_folder(config))


def test_a_gif_whose_comments_take_minutes_is_not_opened_for_its_size(tmp_path, monkeypatch):
    Image.new("L", (8, 8)).save(tmp_path / "a.gif")
    content = (tmp_path / "a.gif").read_bytes()
    said = b"!\xfe" + (b"\xff" + b"c" * 255) * 5000 + b"\0"
    (tmp_path / "a.gif").write_bytes(content[:-1] + said + content[-1:])
    monkeypatch.setattr(Image, "open", lambda *args, **options: pytest.fail("opened"))
    assert subject._side(str(tmp_path), str(tmp_path / "cache")) == subject.LARGEST


def test_the_subject_decides_the_size_and_no_configuration_is_changed(folders):
    config = composed(folders, "b")
    before = OmegaConf.to_container(config)
    rows, settings = evaluate(config)
    assert OmegaConf.to_container(config) == before and config.image_size is None
    assert settings["image_size"] == 20 and settings["num"] == 8 and list(rows) == [f"{folders}/b"]
    assert evaluate(composed(folders, "b", "image_size=16"))[1]["image_size"] == 16


def test_a_size_is_found_where_the_first_picture_cannot_be_read(folders):
    """One with more pixels than are read is none that a size can be read off."""
    Image.new("1", (20000, 10000)).save(folders / "b" / "0.png")
    own = subject.of_folder(composed(folders, "b"))
    assert own.size == subject.LARGEST and own.available == 8


def test_labels_count_where_all_have_the_same(folders, caplog):
    """Subfolders of a folder may be anything; the labels of a generator of other classes are its own."""
    caplog.set_level("INFO")
    for images, labelled in (("b", True), ("c", False)):
        config = composed(folders, images)
        own, dataset = subject.of_folder(config), generated._load_reference(config, subject.of_folder(config))
        assert generated._has_labels(own, dataset) == labelled
    assert not generated._has_labels(own._replace(available=None, drawn="equally often"), dataset)
    assert "has not the classes" in caplog.text and caplog.text.count("has not") == 1


@pytest.mark.parametrize("shares", [(), (0.0, 1.0, 0.0)])
def test_a_generator_beside_other_data_makes_its_classes_as_often_as_it_saw_them(shares, folders, tmp_path):
    """Each class is a grey of its own."""
    greys_of(Metadata("generator", classes=("x", "y", "z"), shares=shares), tmp_path / "g.keras")
    own = subject.of_generator(composed(folders, "b"), tmp_path / "g.keras")
    greys = np.concatenate([images[:, 0, 0, 0] for images, _ in own.batches(300, None)])
    found = np.bincount(np.rint(greys * 2 + 1).astype(int), minlength=3) / 300
    np.testing.assert_allclose(found, shares or [1 / 3] * 3, atol=0.1)
    assert own.drawn == ("as often as in what it learned from" if shares else "equally often")


def greys_of(metadata: Metadata, path: Path) -> None:
    """Saves a generator whose class i is of the grey (i - 1) / 2."""
    latent, label = keras.Input((2,)), keras.Input((), dtype="int32")
    grey = keras.layers.Embedding(len(metadata.classes), 1, name="grey")(label)
    noise = 0 * keras.layers.Dense(16 * 16 * 3)(latent)
    image = keras.layers.Reshape((16, 16, 3))(noise + grey)
    network = keras.Model([latent, label], image)
    network.get_layer("grey").set_weights([(np.arange(len(metadata.classes))[:, None] - 1) / 2])
    trained.save(network, path, metadata)


def test_a_generator_of_parts_of_classes_is_asked_for_those_of_the_data_set(folders, tmp_path, caplog):
    parts = ("x/00-1a2b3c", "x/01-1a2b3c", "y/00-1a2b3c")
    greys_of(Metadata("generator", classes=parts, shares=(0.5, 0.25, 0.25)), tmp_path / "g.keras")
    config = composed(folders, "b")
    own = subject.of_generator(config, tmp_path / "g.keras")
    labels = np.array([0, 1, 1, 0] * 25, np.int32)
    made = list(own.batches(100, labels, ("x", "y")))
    greys = np.concatenate([images[:, 0, 0, 0] for images, _ in made])
    assert set(greys[labels == 0]) == {-0.5, 0.0} and set(greys[labels == 1]) == {0.5}
    np.testing.assert_array_equal(np.concatenate([own for _, own in made]), labels)
    assert generated._has_labels(own, generated._load_reference(config, own)) and "has not" not in caplog.text


def test_half_of_a_small_data_set_is_left_for_other_reals(folders):
    """Beside a generator; a folder of pictures is compared with all that there are."""
    config = composed(folders, "b", "num=6")
    own = subject.of_folder(config)
    dataset = generated._load_reference(config, own)
    assert generated._count(config, own, dataset) == 6
    assert generated._count(config, own._replace(available=None), dataset) == 4
    config = composed(folders, "b", "num=6", "baselines=false")
    assert generated._count(config, own._replace(available=None), dataset) == 6


def test_other_reals_blurred_ones_and_plain_colours_stand_beside(folders):
    rows, _ = evaluate(composed(folders, "b", "num=4"))
    assert list(rows) == [f"{folders}/b", "reals, others", "reals, blurred by 3 px", "reals, mean colour"]
    plain, others = rows["reals, mean colour"]["diversity"], rows["reals, others"]["diversity"]
    assert plain < rows["reals, blurred by 3 px"]["diversity"] < others
