"""What all adversarial systems share: which networks they take."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.base import functional, prepared, update
from models.content_style_gan import ContentStyleGAN
from models.cyclegan import CycleGAN
from models.gan import GAN
from models.networks import dcgan
from models.pix2pix import Pix2Pix
from models.srgan import SRGAN

SHAPE = (16, 16, 3)


class OfMyOwn(keras.Model):
    """Fits every signature, and has neither inputs nor outputs that are known."""

    def __init__(self, **shapes):
        super().__init__()
        self.dense = keras.layers.Dense(1)

    def call(self, images):
        return self.dense(images)


def plain(**shapes) -> keras.Model:
    image = keras.Input(SHAPE)
    return keras.Model(image, keras.layers.Conv2D(3, 3, padding="same")(image))


SYSTEMS = {
    "gan": lambda g, d, _: GAN(g, d, SHAPE),
    "pix2pix": lambda g, d, _: Pix2Pix(g, d, SHAPE, SHAPE),
    "cyclegan": lambda g, d, _: CycleGAN(g, d, SHAPE),
    "srgan": lambda g, d, _: SRGAN(g, d, SHAPE, SHAPE, pretrain_steps=1),
    "content_style_gan": lambda g, d, vgg: ContentStyleGAN(d, SHAPE, ["block1_conv1"], width=2, weights=vgg),
}
CASES = [(name, which) for name in SYSTEMS for which in ("generator", "discriminator")]
CASES.remove(("content_style_gan", "generator"))  # Gesso's own


@pytest.mark.parametrize(("name", "which"), CASES)
def test_subclassed_models_are_refused_in_words(name, which, vgg_weights):
    networks = {"generator": plain, "discriminator": plain} | {which: OfMyOwn}
    with pytest.raises(ValueError, match=f"{which}.*OfMyOwn.*subclass.*functional.*keras.Input"):
        SYSTEMS[name](*networks.values(), vgg_weights)


def test_functional_and_sequential_models_are_taken():
    model = plain()
    assert functional(model, "generator") is model
    stacked = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(1)])
    assert functional(stacked, "discriminator") is stacked
    gan = GAN(lambda **a: dcgan.generator(**a, width=2), lambda **_: stacked, SHAPE, latent_dim=5)
    assert gan.discriminator is stacked


@pytest.mark.parametrize("built", [None, keras.layers.Dense(1), lambda images: images])
def test_what_is_no_model_is_refused(built):
    with pytest.raises(ValueError, match=r"no keras\.Model"):
        functional(built, "discriminator")


def test_a_table_learns_by_the_sum_of_what_its_rows_are_told():
    """Looked up, or multiplied: a row that comes up three times has one gradient, for Adam and for norms."""
    rows, ends = tf.constant([0, 2, 2, 2]), []
    for look_up in (lambda v: tf.gather(v, rows), lambda v: tf.one_hot(rows, 3) @ v):
        table = keras.Variable(np.zeros((3, 2), "float32"))
        optimizer = prepared(keras.optimizers.Adam(0.1, beta_1=0.0, global_clipnorm=1.0), [table], tf.Variable(0))
        norms = []
        for i in range(3):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum((look_up(table.value) - float(i)) ** 2)
            norms.append(float(update(optimizer, tape, loss, [table])))
        ends.append([*norms, *table.numpy().ravel()])
    np.testing.assert_allclose(*ends, rtol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_rates_go_by_the_step_whatever_updates_it_had(precision):
    """One that is left out, as the loss scale was too large, and several in one step."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        weight, step = keras.Variable(np.zeros(2, "float32")), tf.Variable(0)
        falling = keras.optimizers.schedules.PolynomialDecay(1.0, 10, 0.0)
        optimizer = prepared(keras.optimizers.SGD(falling), [weight], step)
    finally:
        keras.config.set_dtype_policy(before)
    for number, gradient in ((0, 0.0), (4, np.inf if precision == "mixed_float16" else 0.0), (4, 0.0)):
        step.assign(number)
        optimizer.apply([tf.fill([2], gradient)], [weight])
        assert float(optimizer.learning_rate) == pytest.approx(1 - number / 10)
