"""What is exported is Keras's alone: it is read by a process that has nothing of ours, and draws the same."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from losses import adversarial
from models.average import _plain
from models.gan import GAN
from models.networks import dcgan, fastgan
from models.networks.condition import CONDITIONS

READ = """
import sys
from pathlib import Path
import keras
import numpy as np

for path in sorted(Path(sys.argv[1]).glob("*.keras")):
    network = keras.models.load_model(path)
    with np.load(path.with_suffix(".npz")) as file:
        inputs = list(file.values())[: len(network.inputs)]
    np.save(path.with_suffix(".npy"), network(inputs if len(inputs) > 1 else inputs[0]))
assert not any(name.startswith("models") for name in sys.modules)
"""
LATENTS = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
LABELS = np.array([2, 0, 1], "int32")


def copied(network: keras.Model) -> keras.Model:
    export = keras.models.clone_model(network, clone_function=_plain)
    export.set_weights(network.get_weights())
    return export


def trained_gan() -> GAN:
    model = GAN(
        lambda **a: dcgan.generator(**a, width=2),
        lambda **a: dcgan.discriminator(**a, width=2),
        image_shape=(16, 16, 1),
        latent_dim=4,
    )
    losses = adversarial.non_saturating_generator_loss, adversarial.non_saturating_discriminator_loss
    model.compile(keras.optimizers.Adam(), keras.optimizers.Adam(), *losses)
    model.train_step({"image": np.random.default_rng(1).uniform(-1, 1, (4, 16, 16, 1)).astype("float32")})
    return model


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By name, what a generator draws here, and what its export draws there."""
    folder, ours = tmp_path_factory.mktemp("exports"), {}

    def export(name: str, network: keras.Model, exported: keras.Model) -> None:
        inputs = [LATENTS, LABELS][: len(network.inputs)]
        ours[name] = network(inputs if len(inputs) > 1 else inputs[0]).numpy()
        exported.save(folder / f"{name}.keras")
        np.savez(folder / f"{name}.npz", LATENTS, LABELS)

    keras.utils.set_random_seed(0)
    model = trained_gan()
    export("gan", model.ema, model.exports["generator"])
    for condition in CONDITIONS:
        options = {"width": 2, "num_classes": 3, "condition": condition}
        made = dcgan.generator((16, 16, 1), 4, prior="uniform", **options)
        made([LATENTS, LABELS] if condition != "none" else LATENTS, training=True)  # moves batch norm's averages
        export(f"dcgan-{condition}", made, copied(made))
        if condition in ("none", "projection"):
            made = fastgan.generator((64, 64, 3), 4, **options)
            for layer in made.layers:  # so large that all of the network shows
                if hasattr(layer, "kernel"):
                    layer.kernel.assign(30 * layer.kernel)
            export(f"fastgan-{condition}", made, copied(made))
    subprocess.run([sys.executable, "-c", READ, str(folder)], check=True, cwd=folder)
    return {name: (images, np.load(folder / f"{name}.npy")) for name, images in ours.items()}


@pytest.mark.parametrize("name", ["gan", *(f"dcgan-{c}" for c in CONDITIONS), "fastgan-none", "fastgan-projection"])
def test_exports_need_keras_alone(drawn, name):
    here, there = drawn[name]
    assert here.std() > 0
    np.testing.assert_allclose(there, here, rtol=0, atol=1e-4 if name.startswith("fastgan") else 0)
