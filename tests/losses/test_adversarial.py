import math

import numpy as np
import pytest
import tensorflow as tf

from losses import adversarial


def test_values_worked_by_hand():
    # -log sigmoid(2) = log(1 + e^-2); -log(1 - sigmoid(-1)) = log(1 + e^-1)
    loss = adversarial.non_saturating_discriminator_loss(tf.constant([2.0]), tf.constant([-1.0]))
    assert float(loss) == pytest.approx(math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-1)), rel=1e-6)
    assert float(adversarial.non_saturating_generator_loss(tf.constant([0.0, 0.0]))) == pytest.approx(math.log(2))


def test_blind_discriminator_loses_two_log_two():
    zero = tf.zeros([5])
    loss = adversarial.non_saturating_discriminator_loss(zero, zero)
    assert float(loss) == pytest.approx(2 * math.log(2))


def test_is_binary_cross_entropy_by_another_implementation():
    real, fake = np.random.default_rng(0).normal(0, 3, (2, 64)).astype(np.float32)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits
    expected = tf.reduce_mean(entropy(tf.ones(64), real)) + tf.reduce_mean(entropy(tf.zeros(64), fake))
    loss = adversarial.non_saturating_discriminator_loss(tf.constant(real), tf.constant(fake))
    assert float(loss) == pytest.approx(float(expected), rel=1e-6)


def test_stays_finite_and_keeps_a_gradient_when_the_discriminator_is_sure():
    logits = tf.constant([-200.0])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = adversarial.non_saturating_generator_loss(logits)
    assert float(loss) == pytest.approx(200.0)
    assert float(tape.gradient(loss, logits)[0]) == pytest.approx(-1.0)  # the minimax loss would give 0


@pytest.mark.parametrize("which", ["real", "fake", "generator"])
def test_gradients_against_numeric_ones(which):
    rng = np.random.default_rng(1)
    point, other = rng.normal(size=(2, 6))
    losses = {
        "real": lambda t: adversarial.non_saturating_discriminator_loss(t, tf.constant(other)),
        "fake": lambda t: adversarial.non_saturating_discriminator_loss(tf.constant(other), t),
        "generator": adversarial.non_saturating_generator_loss,
    }
    theory, numeric = tf.test.compute_gradient(losses[which], [tf.constant(point)])
    np.testing.assert_allclose(theory[0], numeric[0], atol=1e-6)
