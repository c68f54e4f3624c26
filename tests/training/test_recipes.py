"""Published recipes (`conf/experiment/`) beside the papers and the authors' code."""

import keras
import numpy as np
import pytest
from hydra import initialize_config_dir

from core.cli import ROOT
from core.config import compose
from core.instantiate import build
from losses import adversarial, penalties


@pytest.fixture
def recipe():
    def composed(name):
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            return compose("train", [f"experiment={name}"])

    return composed


@pytest.mark.parametrize("name", ["progressive_paintings", "progressive_wikiart"])
def test_progressive_growing_is_the_papers(recipe, name):
    config = recipe(name)
    loss = build(config.loss)
    assert loss["discriminator_loss"].func is adversarial.wasserstein_discriminator_loss
    told = {name: (penalty.function.func, penalty.weight) for name, penalty in loss["penalties"].items()}
    assert told == {"gradient": (penalties.gradient_penalty, 10.0), "drift": (penalties.drift, 0.001)}
    for key in ("generator_optimizer", "discriminator_optimizer"):
        built = build(config.model[key])
        optimizer = built.get_config()
        assert type(built) is keras.optimizers.Adam and optimizer["learning_rate"] == pytest.approx(0.001)
        assert (optimizer["beta_1"], optimizer["beta_2"], optimizer["epsilon"]) == (0.0, 0.99, 1e-8)
    assert (config.model.ema_decay, config.model.discriminator_steps, config.batch_size) == (0.999, 1, 16)
    levels = int(np.log2(config.image_size // 4))
    assert config.steps > config.model.phase_steps * (2 * levels + 0.9)  # the last level has a phase for itself


def test_wgans_optimizers_are_rmsprop_but_for_its_start(recipe):
    config = recipe("wgan_mnist")
    assert config.model.discriminator_steps == 5 and config.loss.weight_clipping == 0.01
    assert config.model.generator_optimizer == config.model.discriminator_optimizer
    rng, square = np.random.default_rng(0), np.zeros(3)
    optimizer, ours = build(config.model.generator_optimizer), keras.Variable(np.zeros(3, np.float32))
    optimizer.build([ours])
    for t in range(1, 400):
        gradient = rng.normal(size=3).astype(np.float32)
        before = ours.numpy()
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [ours])
        # PyTorch's RMSprop, with the defaults that the authors leave.
        square = 0.99 * square + 0.01 * gradient**2
        step = 0.00005 * gradient / (np.sqrt(square) + 1e-8)
        np.testing.assert_allclose(before - ours.numpy(), step * np.sqrt(1 - 0.99**t), rtol=1e-2, atol=1e-8)
    assert np.sqrt(1 - 0.99**t) > 0.99


def test_fastgans_margin_is_its_authors(recipe):
    loss = build(recipe("fastgan_wikiart").loss)["discriminator_loss"]
    assert loss.func is adversarial.hinge_discriminator_loss and loss.keywords["least_margin"] == 0.8


@pytest.mark.parametrize("size", [64, 256, 512])
def test_stylegan2_is_its_authors_auto(recipe, size):
    """`train.py` of github.com/NVlabs/stylegan2-ada-pytorch, `cfg=auto` on one GPU."""
    config = recipe(f"stylegan2_{size}")
    batch = min(4096 // size, 32)
    assert (config.image_size, config.batch_size, config.steps) == (size, batch, 25_000_000 // batch)
    model, loss = config.model, config.loss
    assert (model.width, model.latent_dim, model.fmaps, model.mapping_layers) == (512, 512, None, 2)
    assert model.ema_kimg == pytest.approx(batch * 10 / 32) and model.style_mixing == 0.9
    assert loss.penalties.r1.weight == pytest.approx(0.0002 * size**2 / batch) and loss.penalties.r1.every == 16
    assert (loss.generator_penalties.path_length.weight, loss.generator_penalties.path_length.every) == (2.0, 4)
    assert loss.discriminator_loss._target_.endswith(".non_saturating_discriminator_loss")
    for key in ("generator_optimizer", "discriminator_optimizer"):
        built = build(model[key])
        optimizer = built.get_config()
        assert type(built) is keras.optimizers.Adam and optimizer["learning_rate"] == pytest.approx(0.0025)
        assert (optimizer["beta_1"], optimizer["beta_2"], optimizer["epsilon"]) == (0.0, 0.99, 1e-8)
