"""Our faster layers beside the Keras layers that they stand in for."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers import convolution
from models.layers.normalization import BatchNormalization


@pytest.fixture
def bfloat16():
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


def gradients(layer, inputs, upstream):
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=True) if isinstance(layer, keras.Layer) else layer(inputs)
        loss = tf.reduce_sum(tf.cast(outputs, tf.float32) * upstream)
    return outputs, tape.gradient(loss, [inputs, *(v.value for v in layer.trainable_variables)])


@pytest.mark.parametrize("name", ["Conv2D", "Conv2DTranspose"])
def test_convolutions_are_those_of_keras(bfloat16, name):
    options = {"filters": 128, "kernel_size": 4, "strides": 2, "padding": "same", "use_bias": False}
    ours, theirs = getattr(convolution, name)(**options), getattr(keras.layers, name)(**options)
    inputs = tf.cast(tf.random.stateless_normal([2, 6, 6, 128], (1, 2)), tf.bfloat16)
    size = 3 if name == "Conv2D" else 12
    upstream = tf.random.stateless_normal([2, size, size, 128], (3, 4))
    ours.build(inputs.shape)
    theirs.build(inputs.shape)
    theirs.kernel.assign(ours.kernel)
    assert convolution._slow_here(ours)
    (ours_out, ours_grads), (theirs_out, theirs_grads) = (gradients(o, inputs, upstream) for o in (ours, theirs))
    np.testing.assert_array_equal(ours_out, theirs_out)
    for mine, other in zip(ours_grads, theirs_grads, strict=True):
        mine, other = np.asarray(mine, np.float32), np.asarray(other, np.float32)
        assert np.abs(mine - other).mean() < 0.01 * np.abs(other).mean()  # bfloat16 carries 8 bits


@pytest.mark.parametrize(
    ("function", "shape"), [("_halve", (1, 6, 4, 1)), ("_halve", (1, 5, 7, 1)), ("_double", (1, 3, 2, 2))]
)
def test_convolution_gradients_against_numeric_ones(function, shape):
    images = tf.random.stateless_normal(shape, (1, 2), dtype=tf.float64)
    kernel = tf.random.stateless_normal([4, 4, 1, 2], (3, 4), dtype=tf.float64)
    theory, numeric = tf.test.compute_gradient(getattr(convolution, function), [images, kernel])
    for one, other in zip(theory, numeric, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_convolution_has_second_order_gradients():
    images = tf.random.stateless_normal([2, 8, 8, 3], (1, 2), dtype=tf.float64)
    kernel = tf.random.stateless_normal([4, 4, 3, 5], (3, 4), dtype=tf.float64)

    def penalty(convolve):
        with tf.GradientTape() as outer:
            outer.watch(kernel)
            with tf.GradientTape() as inner:
                inner.watch(images)
                outputs = tf.reduce_sum(tf.tanh(convolve(images, kernel)))
            norm = tf.reduce_sum(inner.gradient(outputs, images) ** 2)
        return outer.gradient(norm, kernel)

    expected = penalty(lambda x, k: tf.nn.conv2d(x, k, 2, "SAME"))
    np.testing.assert_allclose(penalty(convolution._halve), expected, rtol=1e-8)


def test_batch_normalization_is_that_of_keras():
    options = {"momentum": 0.9, "epsilon": 1e-5}
    ours, theirs = BatchNormalization(**options), keras.layers.BatchNormalization(**options)
    inputs = tf.random.stateless_normal([8, 5, 5, 6], (1, 2)) * 3 + 2
    upstream = tf.random.stateless_normal([8, 5, 5, 6], (3, 4))
    gamma = np.linspace(0.5, 2, 6, dtype="float32")
    for layer in (ours, theirs):
        layer.build(inputs.shape)
        layer.gamma.assign(gamma)
    (ours_out, ours_grads), (theirs_out, theirs_grads) = (gradients(o, inputs, upstream) for o in (ours, theirs))
    np.testing.assert_allclose(ours_out, theirs_out, atol=1e-5)
    for mine, other in zip(ours_grads, theirs_grads, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(ours.moving_mean, theirs.moving_mean, rtol=1e-4)
    values = np.asarray(inputs, np.float64).reshape(-1, 6)
    np.testing.assert_allclose(ours.moving_variance, 0.9 + 0.1 * values.var(axis=0, ddof=1), rtol=1e-4)
    np.testing.assert_allclose(ours(inputs, training=False), (inputs - ours.moving_mean) * gamma / np.sqrt(
        ours.moving_variance.numpy() + 1e-5), atol=1e-4)  # fmt: skip


def test_layers_survive_saving(tmp_path):
    from models.networks import dcgan

    network = dcgan.generator((32, 32, 3), latent_dim=8, width=4)
    network.save(tmp_path / "generator.keras")
    loaded = keras.models.load_model(tmp_path / "generator.keras")
    latents = np.random.default_rng(0).normal(size=(4, 8)).astype("float32")
    np.testing.assert_array_equal(network(latents), loaded(latents))
    assert isinstance(loaded.get_layer("up_8"), convolution.Conv2DTranspose)


def test_resized_convolution_is_one_of_the_doubled_picture():
    inputs = tf.random.stateless_normal([2, 5, 4, 3], (1, 2))
    layer = convolution.ResizedConv2D(6)
    doubled = layer(inputs)
    kernel = tf.transpose(layer.kernel[::-1, ::-1], [0, 1, 3, 2])  # transposed convolutions are mirrored
    slow = tf.nn.conv2d(keras.layers.UpSampling2D(2)(inputs), kernel, 1, "SAME")
    np.testing.assert_allclose(doubled, slow, atol=1e-5)
