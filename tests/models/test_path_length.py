"""Path length regularisation, beside numeric gradients; penalties of generators in a step of a GAN."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from losses.penalties import Penalty, r1
from models.gan import GAN
from models.layers.equalized import MinibatchStddev
from models.layers.modulated import LearnedConstant, ModulatedConv2D
from models.networks import dcgan
from models.path_length import PathLength, path_lengths

SEED = tf.constant([1, 2])


def curved(styles):
    """Pictures 2x2 with one channel, of styles `[batch, 3, 2]`."""
    x = tf.reshape(styles, [-1, 6])
    weights = tf.reshape(tf.range(24, dtype=x.dtype) / 10 - 1, [6, 4])
    return tf.reshape(tf.tanh(x @ weights) + x[:, :4] * x[:, 2:], [-1, 2, 2, 1])


def test_lengths_by_numeric_gradients():
    styles = np.random.default_rng(0).normal(size=(4, 3, 2))
    noise = tf.random.stateless_normal([4, 2, 2, 1], SEED, dtype=tf.float64).numpy()

    def change(styles):
        return (curved(tf.constant(styles)).numpy() * noise).sum() / np.sqrt(4)  # of four pixels

    slopes = np.zeros_like(styles)
    for place in np.ndindex(styles.shape):
        step = np.zeros_like(styles)
        step[place] = 1e-6
        slopes[place] = (change(styles + step) - change(styles - step)) / 2e-6
    expected = np.sqrt((slopes**2).sum(axis=2).mean(axis=1))
    np.testing.assert_allclose(path_lengths(curved, tf.constant(styles), SEED), expected, rtol=1e-6)


class Scaled:
    """A generator whose pictures are its styles times a number, and its styles its latents twice."""

    factor = 3.0

    def get_layer(self, name):
        if name == "mapping":
            return lambda latents, training: tf.repeat(latents[:, None], 2, axis=1)
        return lambda styles, training: self.factor * styles[:, :, :, None]


def test_penalty_and_its_mean_by_hand():
    """Pictures are 2x4: J is a number times one, so lengths are that times the norm of the noise, by rows."""
    generator, penalty = Scaled(), PathLength(decay=0.25, shrink=2)
    latents = tf.random.stateless_normal([6, 4], (3, 4))
    noise = tf.random.stateless_normal([3, 2, 4, 1], SEED).numpy()[..., 0]  # of half the batch
    lengths = 3 * np.sqrt((noise**2).sum(axis=2).mean(axis=1) / 8)
    mean = 0.0
    for _ in range(2):
        mean += 0.25 * (lengths.mean() - mean)
        value = penalty(generator, latents, None, SEED)
        assert float(value) == pytest.approx(((lengths - mean) ** 2).mean(), rel=1e-5)
        assert float(penalty.mean.value) == pytest.approx(mean, rel=1e-5)


def test_labels_go_along_with_their_latents():
    class Labelled(Scaled):
        def get_layer(self, name):
            if name == "mapping":
                return lambda inputs, training: tf.repeat(inputs[0][:, None], 2, axis=1) * inputs[1][:, None, None]
            return lambda styles, training: styles[:, :, :, None] ** 2

    def lengths(labels):
        penalty = PathLength(decay=1.0, shrink=2)
        penalty(Labelled(), tf.ones([4, 4]), tf.constant(labels), SEED)
        return float(penalty.mean.value)

    once, twice = lengths([1.0, 1.0, 7.0, 7.0]), lengths([2.0, 2.0, 7.0, 7.0])
    assert once > 0 and twice == pytest.approx(2 * once, rel=1e-5)


@pytest.mark.parametrize("every", [1, 2])
def test_a_generators_penalty_in_a_step(every):
    """Weight decay as a penalty, of a generator that learns nothing else."""
    keras.utils.set_random_seed(0)
    model = GAN(
        lambda **a: dcgan.generator(**a, width=2), lambda **a: dcgan.discriminator(**a, width=2), (16, 16, 1), 5
    )
    seen = []

    def decay(generator, latents, labels, seed):
        seen.append((latents.shape, labels))
        return tf.reduce_sum(tf.square(generator.trainable_variables[0].value)) / 2

    model.compile(
        keras.optimizers.SGD(0.1),
        keras.optimizers.SGD(0.1),
        lambda fake_logits: 0 * tf.reduce_mean(fake_logits),
        lambda real_logits, fake_logits: tf.reduce_mean(real_logits),
        generator_penalties={"decay": Penalty(decay, 0.5, every)},
    )
    data = {"image": tf.zeros([4, 16, 16, 1])}
    for step in range(2):
        before = model.generator.trainable_variables[0].numpy()
        model.reset_metrics()
        value = float(model.train_step(data)["decay_penalty"])
        counts = 0.5 * every if step % every == 0 else 0.0
        assert value == pytest.approx(counts * (before**2).sum() / 2, rel=1e-5)
        np.testing.assert_allclose(
            model.generator.trainable_variables[0], before * (1 - 0.1 * counts), rtol=1e-5, atol=1e-8
        )
    assert seen == [((4, 100), None)] * (2 // every)


class Small:
    """Networks of the layers that have to know the size of a batch, under XLA."""

    def __init__(self):
        image, latent, styles = keras.Input((4, 4, 1)), keras.Input((2,)), keras.Input((2, 2))
        x = keras.layers.Flatten()(MinibatchStddev()(image))
        self.critic = keras.Model(image, keras.layers.Dense(1)(x))
        x = ModulatedConv2D(2, upsample=True)(LearnedConstant(2, 2)(styles), styles[:, 0])
        parts = {"mapping": keras.Model(latent, keras.layers.RepeatVector(2)(latent))}
        parts["synthesis"] = keras.Model(styles, ModulatedConv2D(1, 1, demodulate=False)(x, styles[:, 1]))
        self.get_layer = parts.get


def test_lazy_penalties_under_xla():
    """Sizes must be known there even in gradients of gradients, in branches: on a GPU this is how steps run."""
    keras.utils.set_random_seed(0)
    small, images, latents = Small(), tf.ones([4, 4, 4, 1]), tf.random.stateless_normal([4, 2], (1, 2))
    penalties = Penalty(r1, 1.0, 2), Penalty(PathLength(), 1.0, 2)
    weights = [v.value for v in [*small.critic.variables, *small.get_layer("synthesis").trainable_variables]]

    def gradients(step):
        with tf.GradientTape() as tape:
            loss = penalties[0](lambda x: small.critic(x, training=True), images, images, SEED, step)
            loss += penalties[1](small, latents, None, SEED, step)
        return tape.gradient(loss, weights, unconnected_gradients="zero")

    plain, compiled = gradients(tf.constant(2)), tf.function(gradients, jit_compile=True)(tf.constant(2))
    of_critic = len(small.critic.variables)  # the others are of noise, which is another one under XLA
    for one, other in zip(plain[:of_critic], compiled[:of_critic], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    norms = [float(tf.norm(gradient)) for gradient in compiled[of_critic:]]
    assert np.isfinite(norms).all() and np.median(norms) > 0  # biases have no part in a linear one's slopes
