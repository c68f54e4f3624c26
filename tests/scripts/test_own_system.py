"""A system of one's own, which is no GAN: one Python file and one YAML, and nothing else of Gesso is touched."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.cli import ROOT
from core.network_file import read_metadata
from core.results import read_result
from core.run import Run

CODE = '''
"""Denoising autoencoders (Vincent et al. 2008): a picture through a narrow place, and back."""

import keras
import numpy as np
import tensorflow as tf

from core.network_metadata import Geometry
from losses import reconstruction
from models.base import Trainable, key, prepared, scale_loss_for, update


def autoencoder(channels: int, width: int) -> keras.Model:
    """Gives pictures back, by way of a quarter of their sides."""
    image = x = keras.Input((None, None, channels), name="image")
    for _ in range(2):
        x = keras.layers.Conv2D(width, 3, strides=2, padding="same", activation="relu")(x)
    for filters, activation in ((width, "relu"), (channels, "tanh")):
        x = keras.layers.UpSampling2D()(x)
        x = keras.layers.Conv2D(filters, 3, padding="same", activation=activation)(x)
    network = keras.Model(image, x, name="autoencoder")
    network.geometry = Geometry(stride=4, reach=16)
    return network


class Autoencoder(Trainable, keras.Model):
    """Learns to give pictures back without the noise that is laid over them."""

    method = "translate"
    monitor = "l2_loss"

    def __init__(self, image_shape: tuple[int, int, int], width: int, noise: float, seed: int = 0):
        super().__init__(name="autoencoder")
        self.network = autoencoder(image_shape[-1], width)
        self.noise = noise
        self.init_state(seed)

    def compile(self, optimizer: keras.Optimizer, jit_compile: str | bool = "auto") -> None:
        super().compile(optimizer=None, jit_compile=jit_compile)
        self.network_optimizer = prepared(optimizer, self.network.trainable_variables, self.step)
        self.track([self.monitor])

    @property
    def optimizers(self) -> dict[str, keras.Optimizer]:
        return {"network": self.network_optimizer}

    @property
    def exports(self) -> dict[str, keras.Model]:
        return {"translator": self.network}

    def train_step(self, data: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        images = data["image"]
        noise = tf.random.stateless_normal(tf.shape(images), key(self.seed, 0, self.step), stddev=self.noise)
        with tf.GradientTape() as tape:
            error = reconstruction.l2(self.network(images + noise, training=True), images)
            objective = scale_loss_for(error, self.network_optimizer)
        update(self.network_optimizer, tape, objective, self.network.trainable_variables)
        return self.update_metrics({"l2_loss": error})

    def preview(self, examples: dict[str, np.ndarray], columns: int = 8) -> np.ndarray:
        images = examples["image"][:columns]
        return np.concatenate([images, self.network(images, training=False).numpy()])
'''

YAML = """
# @package _global_
# A denoising autoencoder
#   python train.py model=autoencoder dataset.root=<folder>
defaults:
  - override /loss: null # it has its own
  - override /dataset: image_folder

batch_size: 4

model:
  kind: translator
  batch_keys: [image]
  image_multiple: 4
  width: 8
  noise: 0.1
  ranges:
    width: "[1, inf)"
    noise: "[0, inf)"
  system:
    _target_: models.autoencoder.Autoencoder
    width: ${model.width}
    noise: ${model.noise}
  optimizer:
    _target_: keras.optimizers.Adam
    learning_rate: 0.001
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the programme with the two files in it, and a folder of pictures beside."""
    folder = tmp_path_factory.mktemp("own")
    ignored = shutil.ignore_patterns(".*", "__pycache__", "outputs", "tests", "docs", "zoo", "build", "*.egg-info")
    shutil.copytree(ROOT, folder / "gesso", ignore=ignored)
    (folder / "gesso/models/autoencoder.py").write_text(CODE)
    (folder / "gesso/conf/model/autoencoder.yaml").write_text(YAML)
    (folder / "pictures").mkdir()
    for i in range(8):
        ramp = np.add.outer(np.arange(40), 3 * np.arange(48))[..., None] * [1, 1, 0] + [0, 10 * i, 99]
        Image.fromarray(ramp.astype(np.uint8)).save(folder / "pictures" / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def own(checkout, script):
    """Runs one of the copy's scripts: `own("train.py", "steps=5", ..., code=0)` gives what it said."""

    def run(name: str, *arguments: object, code: int = 0) -> str:
        done = script(checkout / "gesso" / name, *arguments, cwd=checkout, PYTHONPATH=str(checkout / "gesso"))
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    return run


OWN = (
    "model=autoencoder", "dataset.root=pictures", "image_size=32", "precision=float32", "log_every=2",
    "sample_every=3", "checkpoint_every=3",
)  # fmt: skip


@pytest.fixture(scope="module")
def run(checkout, own) -> Run:
    """Six steps."""
    own("train.py", *OWN, "steps=6", "hydra.run.dir=straight")
    return Run(checkout / "straight")


@pytest.mark.slow
def test_it_is_resumed_to_the_bit(checkout, own, run):
    resumed = Run(checkout / "resumed")
    shutil.copytree(run.folder, resumed.folder)
    resumed.checkpoint(6).unlink()
    own("train.py", "resume=resumed")
    with np.load(run.checkpoint(6)) as one, np.load(resumed.checkpoint(6)) as other:
        names = [name for name in one.files if name != "meta"]
        assert names == [name for name in other.files if name != "meta"] and len(names) > 8
        for name in names:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    assert run.sample(6).is_file() and read_result(run)["objective"] == "l2_loss"
    assert read_result(run)["values"]["l2_loss"] == read_result(resumed)["values"]["l2_loss"]


@pytest.mark.slow
def test_what_it_exports_paints_and_is_evaluated(checkout, own, run):
    network = read_metadata(run.network("translator"))
    assert (network.kind, network.method, network.model, network.step) == (
        "translator",
        "translate",
        "autoencoder",
        6,
    )
    own("stylize.py", f"network={run.folder}", "content=pictures", "output=painted")
    assert Image.open(checkout / "painted" / "0.png").size == (48, 40)
    pairs = ("dataset=paired", "dataset.source=pictures", "dataset.target=pictures", "image_size=32")
    for what in (("images=painted", "truth=pictures"), (f"network={run.folder}", *pairs)):
        own("evaluate.py", *what, "metrics=[psnr]", "hydra.run.dir=evaluated")
        found = json.loads((checkout / "evaluated" / "evaluation.json").read_text())["psnr"]
        assert 0 < found < 60
        shutil.rmtree(checkout / "evaluated")


def test_a_loss_that_it_would_not_look_at_is_refused(own):
    said = own("train.py", *OWN, "loss=hinge", code=1)
    assert "loss= has no effect with this model=" in said and "Traceback" not in said
    assert "model.noise=-1.0: it must be at least 0" in own("train.py", *OWN, "model.noise=-1.0", code=1)
