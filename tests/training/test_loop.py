"""How a model is made of a configuration."""

import signal
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from hydra import initialize_config_dir

from core.cli import ROOT
from core.config import compose
from core.run import Run
from data import DatasetSpec
from training import loop

PICTURES = SimpleNamespace(spec=DatasetSpec("none", ("image",), (16, 16, 3)))


def config():
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("train", ["model=dcgan", "model.width=2"])


def test_networks_are_in_the_precision_that_was_set():
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        model = loop.make(config(), PICTURES, seed=0)
        for network in (model.generator, model.discriminator, model.ema):
            assert "bfloat16" in {layer.compute_dtype for layer in network.layers}, network.name
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy(before)


def test_signals_are_heard_as_before_after_a_failure(tmp_path, monkeypatch):
    class Fails(PICTURES.__class__):
        def examples(self, num: int) -> dict[str, np.ndarray]:
            return {"image": np.zeros((8, 32, 32, 3), np.float32)}

        def __len__(self) -> int:
            return 8

        def stream(self, *args, **options):
            raise RuntimeError("no more pictures")

    monkeypatch.setattr(loop.tensorboard, "describe", lambda *args: None)
    pictures, settings = Fails(spec=DatasetSpec("none", ("image",), (32, 32, 3))), config()
    model = loop.make(settings, pictures, seed=0)
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(RuntimeError, match="no more pictures"):
        loop.fit(loop.Training(Run(tmp_path), settings, pictures, "dcgan", 0), model, 5)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_weights_and_names_are_those_of_the_seed_whatever_was_made_before():
    first = loop.make(config(), PICTURES, seed=3)
    loop.make(config(), PICTURES, seed=4)
    again = loop.make(config(), PICTURES, seed=3)
    for one, two in zip(first.generator.variables, again.generator.variables, strict=True):
        assert one.path == two.path
        np.testing.assert_array_equal(one, two)


def test_several_steps_at_once_are_these_steps():
    pictures = SimpleNamespace(spec=DatasetSpec("none", ("image",), (8, 8, 1)))
    images = np.random.default_rng(0).uniform(-1, 1, (4, 4, 8, 8, 1)).astype(np.float32)
    weights = []
    for together in (1, 2):
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            line = ["model=mlp", "model.width=4", "model.discriminator_width=2"]
            model = loop.make(
                compose("train", [*line, f"trainer.steps_per_execution={together}"]), pictures, seed=0
            )
        stream = tf.data.Dataset.from_tensor_slices({"image": images}).repeat()
        model.fit(stream, steps_per_epoch=4, epochs=1, verbose=0, shuffle=False)
        assert int(model.step.numpy()) == 4 and set(model.logs) == {mean.name for mean in model.metrics}
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)
