"""Noise injection: drawn in training, stored for the export."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from core.run import Run
from losses import adversarial
from models.gan import GAN
from models.layers.noise import NoiseInjection
from models.networks import dcgan, fastgan
from training import checkpoint


def layer(strength: float, shape=(4, 6, 5, 3), seed=0) -> NoiseInjection:
    keras.utils.set_random_seed(seed)
    made = NoiseInjection()
    made.build(shape)
    made.strength.assign(strength)
    return made


def test_one_number_for_all_channels_of_a_place():
    noise = layer(0.5)(tf.zeros([400, 6, 5, 3]), training=True).numpy()
    assert noise.std() == pytest.approx(0.5, rel=0.02) and abs(noise.mean()) < 0.01
    np.testing.assert_array_equal(noise[..., 0], noise[..., 2])
    places = noise[..., 0].reshape(400, -1)
    assert abs(np.corrcoef(places.T) - np.eye(30)).max() < 0.25  # places differ, and so do pictures:
    assert len(np.unique(places)) > 0.999 * places.size


def test_drawn_anew_in_training_and_stored_otherwise():
    made, x = layer(1.0), tf.ones([2, 6, 5, 3])
    assert not np.allclose(made(x, training=True), made(x, training=True))
    stored = made(x, training=False).numpy()
    np.testing.assert_array_equal(stored, made(x, training=False))
    np.testing.assert_array_equal(stored[0], stored[1])
    np.testing.assert_allclose(stored, 1 + np.broadcast_to(made.noise.numpy(), stored.shape), rtol=1e-6)
    assert 0.6 < made.noise.numpy().std() < 1.4
    np.testing.assert_array_equal(layer(0.0)(x, training=True), x)  # how it begins


def test_the_same_seed_draws_the_same():
    x = tf.zeros([2, 6, 5, 3])
    one, same, other = (layer(1.0, seed=seed)(x, training=True).numpy() for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


def test_it_learns_its_strength():
    made, x = layer(0.3), tf.zeros([8, 6, 5, 3])
    with tf.GradientTape() as tape:
        noise = made(x, training=True)
        loss = tf.reduce_mean(tf.square(noise))
    assert [v.name for v in made.trainable_variables] == ["strength"]
    # The square of strength times noise has a slope of 2 loss / strength.
    assert float(tape.gradient(loss, made.strength.value)) == pytest.approx(2 * float(loss) / 0.3, rel=1e-4)


def painter(image_shape, latent_dim, **_) -> keras.Model:
    """The smallest generator that injects noise."""
    latent = keras.Input((latent_dim,))
    x = keras.layers.Reshape((4, 4, 2))(keras.layers.Dense(32)(latent))
    x = NoiseInjection(name="noise")(keras.layers.UpSampling2D(4)(x))
    return keras.Model(latent, keras.layers.Conv2D(image_shape[-1], 3, padding="same", activation="tanh")(x))


def make() -> GAN:
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    model = GAN(painter, lambda **a: dcgan.discriminator(**a, width=2), image_shape=(16, 16, 3), latent_dim=5)
    model.generator.get_layer("noise").strength.assign(0.5)
    model.ema.set_weights(model.generator.get_weights())
    model.compile(
        keras.optimizers.Adam(1e-3),
        keras.optimizers.Adam(1e-3),
        adversarial.hinge_generator_loss,
        adversarial.hinge_discriminator_loss,
    )
    return model


DATA = {"image": tf.random.stateless_uniform([4, 16, 16, 3], (1, 2), -1, 1)}


def test_fastgan_has_it_where_its_authors_do():
    """After both convolutions of the blocks of two, before what normalises: FastGAN-pytorch, UpBlockComp."""
    network = fastgan.generator((256, 256, 3), 5, 4, noise_injection=True)
    names = [made.name for made in network.layers]
    noises = [name for name in names if name.endswith("noise")]
    assert noises == [f"up_{size}{which}_noise" for size in (8, 32, 128) for which in ("", "_2")]
    for name in noises:
        before, after = (
            network.get_layer(name.removesuffix("_noise")),
            network.get_layer(name.replace("noise", "norm")),
        )
        assert network.get_layer(name).input is before.output and after.input is network.get_layer(name).output
    plain = fastgan.generator((256, 256, 3), 5, 4)
    assert {made.name for made in plain.layers} == {name for name in names if name not in noises}


def test_the_export_is_a_function_of_the_latent(tmp_path):
    model = make()
    model.train_step(DATA)
    latents = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    images = model.ema(latents, training=False).numpy()
    model.exports["generator"].save(tmp_path / "generator.keras")
    loaded = keras.models.load_model(tmp_path / "generator.keras")
    np.testing.assert_array_equal(images, loaded(latents, training=False))
    np.testing.assert_array_equal(images, loaded(latents))
    np.testing.assert_allclose(images[2:], loaded(latents[2:]), atol=1e-6)  # whatever is beside it
    for variable in loaded.variables:
        if variable.name == "noise":  # it has a part in the picture
            variable.assign(-variable)
    assert abs(images - loaded(latents).numpy()).max() > 1e-3
    for stored, ours in zip(loaded.variables, model.generator.variables, strict=True):
        if stored.name == "noise":  # training has changed nothing of it
            np.testing.assert_array_equal(-stored, ours)


def test_a_run_that_goes_on_from_a_checkpoint_draws_the_same_noise(tmp_path):
    straight = make()
    for _ in range(2):
        straight.train_step(DATA)
    checkpoint.save(Run(tmp_path), straight, keep=1)
    straight.train_step(DATA)
    again = make()
    assert checkpoint.restore(Run(tmp_path), again) == 2
    again.train_step(DATA)
    for one, other in zip(checkpoint.variables(straight), checkpoint.variables(again), strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy(), err_msg=one.path)
