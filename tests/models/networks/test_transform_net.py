"""The networks of fast and of arbitrary style transfer, and the layers they are made of."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.by_objective import flattened
from models.layers import resampling
from models.layers.normalization import AdaptiveInstanceNormalization, InstanceNormalization, ScaleAndShift
from models.layers.resampling import ReflectionPadding2D, ToPictureConv2D, UpsamplingConv2D
from models.networks import adain, transform_net

random = np.random.default_rng(0)


def pictures(*shape: int) -> np.ndarray:
    return random.normal(size=shape).astype(np.float32)


def test_upsampling_is_nearest_neighbour_and_a_mirrored_convolution():
    x = pictures(2, 5, 6, 3)
    layer = UpsamplingConv2D(4)
    with tf.GradientTape() as tape:
        found = layer(x)
        loss = tf.reduce_sum(found**2)
    gradient = tape.gradient(loss, layer.kernel.value)
    with tf.GradientTape() as tape:
        large = ReflectionPadding2D(1)(keras.layers.UpSampling2D(2, interpolation="nearest")(x))
        expected = tf.nn.conv2d(large, layer.kernel.value, 1, "VALID")
        loss = tf.reduce_sum(expected**2)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(gradient, tape.gradient(loss, layer.kernel.value), rtol=1e-3, atol=1e-3)


def test_convolution_to_a_picture_is_a_convolution():
    x = pictures(2, 12, 11, 5)
    layer = ToPictureConv2D(3, 9)
    np.testing.assert_allclose(layer(x), tf.nn.conv2d(x, layer.kernel.value, 1, "VALID"), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("height", [resampling.ROWS, resampling.ROWS + 1, 300])
def test_strips_of_a_large_picture_are_the_whole(height, monkeypatch):
    x = pictures(1, height, 21, 3)
    for layer in (UpsamplingConv2D(4), ToPictureConv2D(3, 9)):
        whole = layer(x)
        run = tf.function(layer, input_signature=[tf.TensorSpec((1, None, None, 3))])
        np.testing.assert_allclose(run(x), whole, rtol=1e-4, atol=1e-5)
        with monkeypatch.context() as patch:
            patch.setattr(resampling, "LARGE", 0)
            np.testing.assert_allclose(layer(x), whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch", [2, 20, None], ids=["few", "many", "unknown"])
def test_instance_normalization_is_keras_s_group_normalization_of_single_channels(batch):
    x = pictures(batch or 3, 6, 5, 4) * 3 + 1
    layer = InstanceNormalization()
    layer.build(x.shape)
    layer.gamma.assign(pictures(1, 4))
    layer.beta.assign(pictures(1, 4))
    reference = keras.layers.GroupNormalization(-1, epsilon=1e-5)
    reference.build(x.shape)
    reference.set_weights([weight[0] for weight in layer.get_weights()])
    run = tf.function(layer, input_signature=[tf.TensorSpec((batch, None, None, 4))])
    np.testing.assert_allclose(run(x), reference(x), rtol=1e-3, atol=1e-4)


def test_conditional_instance_normalization_blends_scales_and_offsets():
    x, layer = pictures(2, 6, 5, 4), InstanceNormalization(3)
    weights = np.array([[0, 1, 0], [0.25, 0, 0.75]], np.float32)
    layer.build(x.shape)
    layer.gamma.assign(pictures(3, 4))
    layer.beta.assign(pictures(3, 4))
    gamma, beta = (weights @ table for table in layer.get_weights())
    plain = (x - x.mean((1, 2), keepdims=True)) / np.sqrt(x.var((1, 2), keepdims=True) + 1e-5)
    expected = plain * gamma[:, None, None] + beta[:, None, None]
    np.testing.assert_allclose(layer(x, weights), expected, rtol=1e-3, atol=1e-4)


def test_scale_and_shift_is_what_is_left_without_the_normalization():
    x, weights = pictures(2, 6, 5, 4), np.array([[0, 1, 0], [0.25, 0, 0.75]], np.float32)
    layer = ScaleAndShift(3)
    layer.build(x.shape)
    layer.gamma.assign(pictures(3, 4))
    layer.beta.assign(pictures(3, 4))
    gamma, beta = ((weights @ table)[:, None, None] for table in layer.get_weights())
    np.testing.assert_allclose(layer(x, weights), x * gamma + beta, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer(x[:1], weights[:1]), (x * gamma + beta)[:1], rtol=1e-5, atol=1e-6)


def test_adaptive_instance_normalization_takes_on_moments():
    x = pictures(2, 30, 30, 4)
    mean, deviation = pictures(2, 4), 1 + abs(pictures(2, 4))
    full = AdaptiveInstanceNormalization()(x, mean, deviation, np.ones((2, 1), np.float32)).numpy()
    np.testing.assert_allclose(full.mean((1, 2)), mean, atol=1e-3)
    np.testing.assert_allclose(full.std((1, 2)), deviation, rtol=1e-3)
    half = AdaptiveInstanceNormalization()(x, mean, deviation, np.full((2, 1), 0.5, np.float32))
    np.testing.assert_allclose(half, (full + x) / 2, rtol=1e-3, atol=1e-4)


def test_size_and_shape_are_the_papers():
    network = transform_net.transformer()
    # pytorch/examples/fast_neural_style has 1,679,235 parameters, of which 1,600 are biases that we leave out
    # before a normalisation, which takes them away: those of all convolutions but the last.
    assert network.count_params() == 1_679_235 - (32 + 64 + 128 + 10 * 128 + 64 + 32)
    assert network(np.zeros((1, 64, 48, 3), np.float32)).shape == (1, 64, 48, 3)
    assert [layer.filters for layer in network.layers if isinstance(layer, UpsamplingConv2D)] == [64, 32]


def test_layers_after_the_smallest_size_may_go_without_normalization():
    """Then what is far away does not change a place: no mean of the whole picture is taken any more."""
    plain, usual = (transform_net.transformer(4, 2, normalize=which) for which in ("first", "all"))
    assert plain.count_params() == usual.count_params()
    for network, spreads in ((plain, False), (usual, True)):
        for weight in network.weights:
            if weight.path.endswith("gamma"):
                weight.assign(np.ones(weight.shape))
        after = keras.Model(network.get_layer("down2_relu").output, network.output)
        x = pictures(1, 40, 40, 16)
        other = x.copy()
        other[0, 0, 0] += 50
        changed = np.abs(after(x) - after(other))[0, -8:, -8:].max()
        assert (changed > 0) == spreads


@pytest.mark.parametrize("output", ["tanh", "linear"])
def test_outputs(output):
    keras.utils.set_random_seed(0)
    x = np.clip(pictures(1, 32, 40, 3), -1, 1)
    network = transform_net.transformer(width=4, blocks=2, output=output)
    assert (network.geometry.reach, network.geometry.edge) == (36, 4)
    network.get_layer("out").bias.assign([5.0, 5.0, 5.0])
    painted = network(x).numpy()
    assert (painted.max() <= 1) == (output == "tanh")


def test_a_large_style_loss_counts_by_its_logarithm():
    losses = tf.constant([20.0, 100.0, 100.0 * np.e**2])
    with tf.GradientTape() as tape:
        tape.watch(losses)
        found = flattened(losses, 100.0)
    np.testing.assert_allclose(found, [20, 100, 300], rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(found, losses), [1, 1, np.e**-2], rtol=1e-6)
    assert flattened(losses, None) is losses
    with tf.GradientTape() as tape:
        tape.watch(losses)
        found = flattened(0 * losses, 100.0)
    np.testing.assert_array_equal(tape.gradient(found, losses), 0)  # and not NaN, of the branch not taken


def test_decoder_mirrors_the_encoder():
    network = adain.decoder()
    assert network(np.zeros((1, 3, 4, adain.CHANNELS), np.float32)).shape == (1, 24, 32, 3)
    filters = [layer.filters for layer in network.layers if hasattr(layer, "filters")]
    assert filters == [256, 256, 128, 128, 64, 64, 64, 3]


def test_the_decoder_comes_back_from_far_off(vgg_weights):
    """Pixels beyond black and white still have a gradient; what is handed out is in [-1, 1]."""
    network = adain.stylizer(width=4, weights=vgg_weights)
    decoder = network.get_layer("decoder")
    decoder.get_layer("out").bias.assign([30.0, -30.0, 0.0])
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(decoder(tf.zeros((1, 4, 4, adain.CHANNELS)))))
    gradient = tape.gradient(loss, decoder.get_layer("out").bias.value)
    np.testing.assert_allclose(gradient, [20, -20, 0], rtol=1e-4)  # 2 x / 3
    inputs = {"image": np.zeros((1, 32, 32, 3)), "mean": np.zeros((1, 512)), "deviation": np.ones((1, 512)),
              "strength": np.ones((1, 1))}  # fmt: skip
    painted = network({name: tf.constant(value, tf.float32) for name, value in inputs.items()})
    assert (painted.numpy().min(), painted.numpy().max()) == (-1, 1)


def test_stylizers_can_be_saved_and_loaded(tmp_path, vgg_weights):
    from models import trained

    x = np.clip(pictures(1, 32, 40, 3), -1, 1)
    for network, inputs in (
        (transform_net.transformer(width=4, blocks=1, styles=2), {"image": x, "weights": np.ones((1, 2)) / 2}),
        (
            transform_net.transformer(width=4, blocks=1, styles=2, normalize="first"),
            {"image": x, "weights": np.ones((1, 2)) / 2},
        ),
        (
            adain.stylizer(width=4, weights=vgg_weights),
            {"image": x, "mean": np.ones((1, 512)), "deviation": np.ones((1, 512)), "strength": np.ones((1, 1))},
        ),
    ):
        inputs = {name: tf.constant(value, tf.float32) for name, value in inputs.items()}
        network.save(tmp_path / "x.keras")
        loaded = trained.load_network(tmp_path / "x.keras")
        np.testing.assert_allclose(loaded(inputs), network(inputs), rtol=1e-4, atol=1e-5)
