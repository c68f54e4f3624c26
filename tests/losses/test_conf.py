"""Every objective and penalty of conf/, built as training builds it."""

import inspect
import math

import pytest
import tensorflow as tf
from hydra import initialize_config_dir
from omegaconf import OmegaConf

from core.cli import ROOT
from core.config import compose
from core.instantiate import build
from losses import penalties, scores
from models.path_length import PathLength
from models.perceptual import Perceptual

THRESHOLDS = {
    "minimax": 0.0,
    "non_saturating": 0.0,
    "least_squares": 0.5,
    "hinge": 0.0,
    "wasserstein": None,
    "wgan_gp": None,
    "relativistic": None,
}
SCORES = {
    "minimax": scores.probabilities,
    "non_saturating": scores.probabilities,
    "least_squares": scores.outputs,
    "hinge": scores.critic_values,
    "wasserstein": scores.critic_values,
    "wgan_gp": scores.critic_values,
    "relativistic": scores.pair_probability,
}
PENALTIES = {
    "gradient": (penalties.gradient_penalty, 10.0, 1),
    "dragan": (penalties.dragan, 10.0, 1),
    "r1": (penalties.r1, 0.1, 16),
    "r2": (penalties.r2, 0.1, 16),
    "drift": (penalties.drift, 0.001, 1),
    "matching_aware": (penalties.matching_aware, 2.0, 1),
}
OF_GENERATORS = ["path_length"]


@pytest.fixture
def loss():
    def composed(*overrides):
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            return compose("train", list(overrides)).loss

    return composed


def names(group):
    """The options of a group, but for losses that are not adversarial."""
    paths = (ROOT / "conf" / group).glob("*.yaml")
    return sorted(p.stem for p in paths if group != "loss" or "discriminator_loss:" in p.read_text())


def test_there_is_a_case_here_for_every_file():
    assert names("loss") == sorted(THRESHOLDS)
    assert names("penalty") == sorted([*PENALTIES, *OF_GENERATORS])


@pytest.mark.parametrize("name", names("loss"))
def test_loss(loss, name):
    config = loss(f"loss={name}")
    assert config.threshold == THRESHOLDS[name]
    assert build(config.score).func is SCORES[name]
    assert config.weight_clipping == (0.01 if name == "wasserstein" else None)
    assert list(config.penalties) == (["gradient"] if name == "wgan_gp" else [])
    discriminator, generator = build(config.discriminator_loss), build(config.generator_loss)
    right, wrong = tf.constant([3.0]), tf.constant([-3.0])
    if name == "least_squares":
        right, wrong = tf.constant([1.0]), tf.constant([0.0])
    assert float(discriminator(right, wrong)) < float(discriminator(wrong, right))
    other = {"real_logits": tf.zeros([1])} if name == "relativistic" else {}
    assert float(generator(right, **other)) < float(generator(wrong, **other))


@pytest.mark.parametrize("name", ["minimax", "non_saturating", "least_squares"])
def test_label_smoothing_from_the_command_line(loss, name):
    real, fake = tf.constant([1.0]), tf.constant([0.0])
    plain = build(loss(f"loss={name}").discriminator_loss)(real, fake)
    smooth = build(loss(f"loss={name}", "loss.discriminator_loss.label_smoothing=0.2").discriminator_loss)
    # cross-entropy: 0.2 of the logit more; least squares: half the square of 0.2, from nothing
    expected = 0.2**2 / 2 if name == "least_squares" else 0.2
    assert float(smooth(real, fake)) - float(plain) == pytest.approx(expected, rel=1e-5)


def test_random_margins_from_the_command_line(loss):
    told = build(loss("loss=hinge", "loss.discriminator_loss.least_margin=0.8").discriminator_loss)
    blind = [float(told(tf.zeros([9]), tf.zeros([9]), seed=tf.constant([1, i]))) for i in range(3)]
    assert len(set(blind)) == 3 and all(1.6 < value < 2 for value in blind)
    assert float(build(loss("loss=hinge").discriminator_loss)(tf.zeros([9]), tf.zeros([9]))) == 2


@pytest.mark.parametrize("name", PENALTIES)
def test_penalty(loss, name):
    config = loss("loss=hinge", f"penalty=[{name}]").penalties
    assert list(config) == [name]
    penalty = build(config[name])
    function, weight, every = PENALTIES[name]
    assert (penalty.function.func, penalty.weight, penalty.every) == (function, weight, every)
    # A critic with slope 2 everywhere: (2 - 1)^2 times 10, or 2^2 / 2 times 0.1 and 16; it says 30 of reals.
    images = tf.zeros([3, 2, 2, 1])
    value = penalty(lambda x: tf.reduce_sum(x, axis=[1, 2, 3]) + 30, images, images + 1, tf.constant([0, 0]), 0)
    expected = {"r1": 3.2, "r2": 3.2, "drift": 0.9, "matching_aware": 2 * 2**6}
    assert float(value) == pytest.approx(expected.get(name, 10.0), rel=1e-5)


def test_path_length_is_a_penalty_of_the_generator(loss):
    config = loss("penalty=[r1,path_length]")
    assert list(config.penalties) == ["r1"] and list(config.generator_penalties) == OF_GENERATORS
    penalty = build(config).get("generator_penalties")["path_length"]
    told = (penalty.weight, penalty.every, penalty.function.decay, penalty.function.shrink)
    assert told == (2.0, 4, 0.01, 2) and isinstance(penalty.function, PathLength)  # the authors'


def test_several_penalties_at_once_and_beside_that_of_the_loss(loss):
    assert sorted(loss("loss=relativistic", "penalty=[r1,r2]").penalties) == ["r1", "r2"]
    assert sorted(loss("loss=wgan_gp", "penalty=[r1]").penalties) == ["gradient", "r1"]


def test_one_sided_from_the_command_line(loss):
    key = "loss.penalties.gradient.function.one_sided"
    for option in ("loss=wgan_gp", "penalty=[gradient]"):
        penalty = build(loss(option, f"{key}=true").penalties.gradient)
        images = tf.zeros([2, 2, 2, 1])
        value = penalty(lambda x: tf.reduce_sum(x, axis=[1, 2, 3]) / 4, images, images, tf.constant([0, 0]), 0)
        assert math.isclose(float(value), 0.0)


def test_the_default_perceptual_objective_is_the_same_in_yaml_and_in_python(loss):
    told = OmegaConf.to_container(loss("loss=perceptual").objective)
    defaults = {name: option.default for name, option in inspect.signature(Perceptual).parameters.items()}
    assert {name: told[name] for name in ("_target_", "weights")} == {
        "_target_": "models.perceptual.Perceptual", "weights": "${weights}",
    }  # fmt: skip
    for name, default in defaults.items():
        if name != "weights":
            assert told[name] == (list(default) if isinstance(default, tuple) else default), name
