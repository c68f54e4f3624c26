"""What networks say of themselves that a training exports."""

import hydra
import keras
import numpy as np
import pytest
from hydra import initialize_config_dir
from PIL import Image

from core.checks import without_blocks
from core.config import CONF
from core.errors import GessoError
from core.network_file import read_metadata
from core.network_metadata import Geometry
from core.run import Run
from data import DatasetSpec
from models import trained
from training import loop
from training.export import Exporter

CLASSES = ("cats", "dogs")


class Data:
    """A data set of which only the spec is asked."""

    def __init__(self, **facts):
        self.spec = DatasetSpec("made", image_shape=(32, 32, 3), **facts)


def export(tmp_path, data: Data, name: str, *overrides: str) -> Run:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        overrides = [f"model={name}", "image_size=32", "model.width=4", *overrides]
        config = without_blocks(hydra.compose("train", overrides))
    model = loop.make(config, data, seed=0)
    run = Run(tmp_path / name)
    model.step.assign(7)
    Exporter(config, name, model, data.spec)(run)
    return run


def test_a_generator_names_the_classes_that_it_takes_labels_of(tmp_path):
    data = Data(batch_keys=("image",), class_names=CLASSES, shares=(0.25, 0.75))
    found = read_metadata(export(tmp_path, data, "cgan").network("generator"))
    assert (found.kind, found.classes, found.image_size, found.geometry) == ("generator", CLASSES, 32, None)
    assert found.shares == (0.25, 0.75)
    assert (found.model, found.step, len(found.config_sha256)) == ("cgan", 7, 16)
    assert found.software.startswith("Gesso ")
    path = export(tmp_path, data, "dcgan").network("generator")  # learns without labels
    assert read_metadata(path).classes == read_metadata(path).shares == ()
    assert trained.load(path, "generator")[0].output_shape == (None, 32, 32, 3)


def test_a_translator_says_its_task_and_both_ways_are_translators(tmp_path):
    data = Data(batch_keys=("source", "target"), source_shape=(32, 32, 1), task="colorize")
    found = read_metadata(export(tmp_path, data, "pix2pix").network("translator"))
    assert (found.kind, found.method, found.task, found.image_size) == ("translator", "translate", "colorize", 32)
    assert found.geometry == Geometry(stride=32, reach=16)
    run = export(tmp_path, Data(batch_keys=("a", "b")), "cyclegan", "model.blocks=2")
    for name in ("translator", "translator_back"):
        found = read_metadata(run.network(name))
        assert (found.kind, found.method, found.task) == ("translator", "translate", None)
        assert found.geometry == Geometry(stride=4, reach=36, edge=4, tile=8688)


def test_a_stylizer_names_its_styles(tmp_path, vgg_weights):
    for name in ("a/night.png", "a/wave.png", "b/wave.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(tmp_path / name)
    styles = f"model.style=[{tmp_path}/a,{tmp_path}/b/wave.png]"
    data = Data(batch_keys=("image",))
    run = export(tmp_path, data, "fast_style", styles, f"weights={vgg_weights}", "model.blocks=1")
    found = read_metadata(run.network("stylizer"))
    assert (found.kind, found.method) == ("stylizer", "fast")
    assert found.styles == ("night", f"{tmp_path}/a/wave.png", f"{tmp_path}/b/wave.png")


def test_what_a_user_could_not_use_is_known_before_the_first_step(tmp_path):
    data = Data(batch_keys=("a", "b"))
    with initialize_config_dir(str(CONF), version_base="1.3"):
        overrides = ["model=cyclegan", "image_size=32", "model.width=4", "model.blocks=1"]
        config = without_blocks(hydra.compose("train", overrides))
    model = loop.make(config, data, seed=0)
    model.ema_b_to_a = keras.models.clone_model(model.ema_b_to_a)  # as a network that says nothing of its geometry
    with pytest.raises(GessoError, match=r"exports as translator_back.*needs .* a geometry.*network\.geometry"):
        Exporter(config, "cyclegan", model, data.spec)
