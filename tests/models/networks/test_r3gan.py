import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers import grouped
from models.networks import r3gan


def size_of(channels: int) -> int:
    """Counts the numbers of a block of the authors' code: 1x1, a 3x3 one in groups of 16, 1x1; two offsets."""
    wide = 2 * channels
    return channels * wide + wide * 16 * 9 + wide * channels + 2 * wide


def test_numbers_of_parameters_are_the_authors():
    """As `Networks.py` makes them for FFHQ at 64 px: WidthPerStage 768 four times, then 384; two blocks a stage."""
    blocks = 2 * (4 * size_of(768) + size_of(384))
    ends = {"generator": 768 * 16 + 64 * 768 + 384 * 3, "discriminator": 3 * 384 + 768 * 16 + 768}
    for name, end in ends.items():
        assert getattr(r3gan, name)((64, 64, 3)).count_params() == blocks + 768 * 384 + end


@pytest.mark.parametrize("condition", ["none", "projection"])
def test_shapes_and_first_weights(condition):
    keras.utils.set_random_seed(0)
    options = {} if condition == "none" else {"num_classes": 3, "condition": condition}
    generator = r3gan.generator((32, 32, 3), latent_dim=16, width=16, **options)
    discriminator = r3gan.discriminator((32, 32, 3), width=16, **options)
    latents, label = tf.random.stateless_normal([64, 16], (1, 2)), tf.range(64) % 3
    inputs = latents if condition == "none" else [latents, label]
    images = generator(inputs, training=True)
    assert images.shape == (64, 32, 32, 3) and generator(inputs).numpy().max() <= 1
    # A latent is a weight for each of 32 random pictures of variance 1 that are mixed into three.
    assert 0.3 < np.std(images) < 1.5
    logits = discriminator(images if condition == "none" else [images, label])
    assert logits.shape == (64,) and 0.1 < np.std(logits) < 3
    if condition == "projection":  # the label says no more than the picture does
        features = keras.Model(discriminator.inputs, discriminator.get_layer("features").output)([images, label])
        told = np.sum(features * discriminator.get_layer("label_embedding")(label), axis=1)
        assert np.std(told) < np.std(logits - told)


def test_a_block_begins_as_the_identity_and_then_mixes_within_groups():
    inputs = keras.Input((4, 4, 16))
    block = keras.Model(inputs, r3gan._block(inputs, r3gan._gain(10), "block"))
    x = tf.random.stateless_normal([2, 4, 4, 16], (1, 2))
    np.testing.assert_array_equal(block(x), x)
    mix = block.get_layer("block_mix")
    assert mix.groups == 2 and mix.kernel.shape == (3, 3, 16, 32)
    assert np.std(mix.kernel) == pytest.approx(np.sqrt(2 / 1.04) * 10**-0.25 / np.sqrt(9 * 16), rel=0.05)


@pytest.mark.parametrize("native", [True, False])
def test_grouped_convolutions_are_one_for_each_group(native, monkeypatch):
    if native and not grouped._natively():
        pytest.skip("TensorFlow has no gradients of grouped convolutions on this machine")
    monkeypatch.setattr(grouped, "_natively", lambda: native)
    layer = grouped.GroupedConv2D(8, 3, groups=2)
    x = tf.random.stateless_normal([2, 5, 5, 6], (1, 2))
    layer.build(x.shape)

    def gradients(convolve):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                loss = tf.reduce_sum(convolve(x) ** 3)
            gradient = inner.gradient(loss, x)
            norm = tf.reduce_sum(gradient**2)
        return [loss, gradient, *outer.gradient(norm, [x, layer.kernel.value])]

    def by_group(x):
        kernels = tf.split(tf.convert_to_tensor(layer.kernel), 2, axis=3)
        parts = [tf.nn.conv2d(p, k, 1, "SAME") for p, k in zip(tf.split(x, 2, axis=3), kernels, strict=True)]
        return tf.concat(parts, axis=3) + layer.bias

    for ours, expected in zip(gradients(layer), gradients(by_group), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-3)
