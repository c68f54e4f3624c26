"""Published recipes (`conf/experiment/`) beside the papers and the authors' code."""

import keras
import numpy as np
import pytest
from hydra import initialize_config_dir

from core.cli import ROOT
from core.config import compose
from core.instantiate import build
from losses import adversarial, penalties
from training.optimizers import Adam
from training.schedules import Cosine


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


@pytest.mark.parametrize("size", [64, 128, 256, 512])
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


@pytest.mark.parametrize(("model", "loss", "names"), [
    ("r3gan", "relativistic", {"r1", "r2"}), ("projected", "hinge", set()), ("stylegan2", "non_saturating", {"r1"}),
])  # fmt: skip
def test_a_model_alone_has_its_papers_loss_and_penalties(model, loss, names):
    """And what is asked for instead is taken."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("train", [f"model={model}"])
        other = compose("train", [f"model={model}", "loss=wasserstein", "penalty=[gradient]"])
    assert config.loss.discriminator_loss._target_ == f"losses.adversarial.{loss}_discriminator_loss"
    assert set(config.loss.get("penalties") or {}) == names
    for key in ("generator_optimizer", "discriminator_optimizer"):
        built = config.model[key]
        assert (built.beta_1, built.beta_2, built.epsilon) == (0.0, 0.99, 1e-8)
    assert "wasserstein" in other.loss.discriminator_loss._target_ and set(other.loss.penalties) == {"gradient"}


def test_r3gans_schedules_are_the_authors(recipe):
    """`train.py` there, FFHQ-64: base and final values, over 20 million pictures, of batches of 256."""
    config = recipe("r3gan_64")
    model, penalties_ = config.model, config.loss.penalties
    last = 20_000_000 / 256
    assert (config.image_size, config.batch_size, config.steps) == (64, 256, last)
    for scheduled, first, final in (
        (model.generator_optimizer.learning_rate, 2e-4, 5e-5),
        (model.discriminator_optimizer.beta_2, 0.9, 0.99),
        (model.augment_probability, 0, 0.3),
        (model.ema_kimg, 0, 500),
        (penalties_.r2.weight, 2, 0.2),
    ):
        schedule = build(scheduled)
        quarter = first + (final - first) * (1 - np.cos(np.pi / 4)) / 2
        seen = [float(schedule(step)) for step in (0, last / 4, last / 2, last, 3 * last)]
        assert seen == pytest.approx([first, quarter, (first + final) / 2, final, final], rel=1e-5)
    loss = build(config.loss)
    assert {name: (penalty.function.func, penalty.every) for name, penalty in loss["penalties"].items()} == {
        "r1": (penalties.r1, 1),
        "r2": (penalties.r2, 1),
    }
    slope = loss["penalties"]["r2"](
        lambda images: 3 * keras.ops.sum(images, axis=(1, 2, 3)), None, np.ones((2, 1, 2, 1), "float32"), None, last
    )
    assert float(slope) == pytest.approx(0.2 / 2 * 3**2 * 2)


def test_adam_with_a_beta_that_changes(recipe):
    config = recipe("r3gan_64")
    config.model.images = 512 * 4  # eight steps
    optimizer, ours = build(config.model.generator_optimizer), keras.Variable(np.zeros(3, np.float32))
    optimizer.build([ours])
    rng, square, theirs = np.random.default_rng(0), np.zeros(3), np.zeros(3)
    for t in range(12):
        gradient = rng.normal(size=3).astype(np.float32)
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [ours])
        part = (1 - np.cos(np.pi * min(t / 8, 1))) / 2
        rate, beta = 2e-4 - 1.5e-4 * part, 0.9 + 0.09 * part
        square = beta * square + (1 - beta) * gradient**2
        theirs -= rate * gradient / np.sqrt(square / (1 - beta ** (t + 1)))
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-3)
    again = keras.optimizers.get(keras.optimizers.serialize(optimizer))
    assert float(again.beta_2) == pytest.approx(0.9) and type(again) is type(optimizer)


def test_beta_2_goes_as_fast_as_the_learning_rate_where_gradients_are_averaged():
    rate, beta = Cosine(1.0, 0.0, 40, 1), Cosine(0.9, 0.99, 40, 1)
    optimizer, variable = Adam(rate, beta_2=beta, gradient_accumulation_steps=4), keras.Variable([1.0])
    optimizer.build([variable])
    for _ in range(40):
        optimizer.apply([keras.ops.zeros(1)], [variable])
    assert float(optimizer.learning_rate) == pytest.approx(0, abs=1e-6)
    assert float(optimizer.beta_2) == pytest.approx(0.99)
