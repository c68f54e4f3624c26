import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from losses import adversarial
from models.gan import GAN
from models.networks import dcgan


def make(seed=0, rate=1e-3, **options) -> GAN:
    keras.utils.set_random_seed(seed)
    model = GAN(
        lambda **a: dcgan.generator(**a, width=2),
        lambda **a: dcgan.discriminator(**a, width=2),
        image_shape=(16, 16, 1),
        latent_dim=5,
        seed=seed,
        **options,
    )
    model.compile(
        keras.optimizers.Adam(rate, beta_1=0.5),
        keras.optimizers.Adam(rate, beta_1=0.5),
        adversarial.non_saturating_generator_loss,
        adversarial.non_saturating_discriminator_loss,
    )
    return model


def reals(num=8) -> dict[str, tf.Tensor]:
    return {"image": tf.random.stateless_uniform([num, 16, 16, 1], (1, 2), -1, 1)}


def test_step_is_that_of_two_separate_updates():
    """The shared generator pass beside the textbook's: pictures, discriminator update, then generator update."""
    ours, theirs = make(), make()
    data = reals()
    latents = theirs._latents(8)
    images = theirs.generator(latents, training=True)
    with tf.GradientTape() as tape:
        loss = adversarial.non_saturating_discriminator_loss(
            theirs.discriminator(data["image"], training=True), theirs.discriminator(images, training=True)
        )
    variables = theirs.discriminator.trainable_variables
    theirs.discriminator_optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
    with tf.GradientTape() as tape:
        fakes = theirs.generator(latents, training=True)
        loss = adversarial.non_saturating_generator_loss(theirs.discriminator(fakes, training=True))
    variables = theirs.generator.trainable_variables
    theirs.generator_optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)

    means = ours.train_step(data)
    assert float(means["generator_loss"]) == pytest.approx(float(loss), rel=1e-5)
    for network in ("generator", "discriminator"):
        pairs = zip(
            getattr(ours, network).trainable_variables, getattr(theirs, network).trainable_variables, strict=True
        )
        for mine, other in pairs:
            np.testing.assert_allclose(mine, other, atol=2e-5)


def test_average_follows_the_ramp():
    model = make(ema_decay=0.9)
    before = [v.numpy() for v in model.ema.variables]
    model.train_step(reals())
    decay = 1 / 10  # (1 + step) / (10 + step) at step 0
    for average, old, variable in zip(model.ema.variables, before, model.generator.variables, strict=True):
        np.testing.assert_allclose(average, decay * old + (1 - decay) * variable.numpy(), rtol=1e-4, atol=1e-6)
    assert int(model.step.numpy()) == 1


def test_average_decay_is_bounded():
    model = make(ema_decay=0.25)
    model.step.assign(1000)
    before = [v.numpy() for v in model.ema.variables]
    model._average_generator()
    for average, old, variable in zip(model.ema.variables, before, model.generator.variables, strict=True):
        np.testing.assert_allclose(average, 0.25 * old + 0.75 * variable.numpy(), rtol=1e-4, atol=1e-6)


def test_latents_are_a_function_of_seed_and_step():
    model, same, other = make(), make(), make(seed=1)
    first = model._latents(8)
    np.testing.assert_array_equal(first, same._latents(8))
    assert not np.allclose(first, other._latents(8))
    model.step.assign(1)
    assert not np.allclose(first, model._latents(8))


def test_gradient_norm_is_the_gradients():
    model = make(rate=0.0)
    data = reals()
    with tf.GradientTape() as tape:
        fakes = model.generator(model._latents(8), training=True)
        loss = adversarial.non_saturating_generator_loss(model.discriminator(fakes, training=True))
    gradients = tape.gradient(loss, [v.value for v in model.generator.trainable_variables])
    expected = np.sqrt(sum(float(tf.reduce_sum(g**2)) for g in gradients))
    assert float(model.train_step(data)["generator_gradient_norm"]) == pytest.approx(expected, rel=1e-4)


def test_discriminator_learns_to_tell_bright_from_generated():
    model = make(rate=2e-3)
    model.generator_optimizer.learning_rate = 0.0
    data = {"image": tf.ones([8, 16, 16, 1])}
    stream = tf.data.Dataset.from_tensors(data).repeat()
    model.fit(stream, steps_per_epoch=30, epochs=1, verbose=0, shuffle=False)
    model.reset_metrics()
    means = model.train_step(data)
    assert float(means["real_score"]) > 0.7 > 0.3 > float(means["fake_score"])


def test_mixed_float16_scales_the_loss_and_reports_true_norms():
    norms = []
    for policy in ("float32", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        try:
            norms.append(float(make(rate=0.0).train_step(reals())["generator_gradient_norm"]))
        finally:
            keras.config.set_dtype_policy("float32")
    assert norms[1] == pytest.approx(norms[0], rel=0.05)


def test_export_loads_without_our_classes(tmp_path):
    model = make()
    model.train_step(reals())
    model.exports["generator"].save(tmp_path / "generator.keras")
    code = (
        "import sys, keras, numpy as np\n"
        "g = keras.models.load_model(sys.argv[1])\n"
        "np.save(sys.argv[2], g(np.ones((2, 5), 'float32')))\n"
        "assert not any(name.startswith('models') for name in sys.modules)\n"
    )
    arguments = [str(tmp_path / "generator.keras"), str(tmp_path / "images.npy")]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, cwd=tmp_path)
    expected = model.ema(np.ones((2, 5), "float32"))
    np.testing.assert_array_equal(np.load(tmp_path / "images.npy"), expected)
