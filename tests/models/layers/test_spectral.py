"""Spectrally normalised layers beside numpy's singular values."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers.spectral import SpectralConv2D, SpectralDense, SpectralEmbedding

LAYERS = {
    "dense": (lambda: SpectralDense(5), (4, 7)),
    "convolution": (lambda: SpectralConv2D(6, 3, padding="same"), (2, 5, 5, 3)),
    "strided": (lambda: SpectralConv2D(6, 4, strides=2, padding="same", use_bias=False), (2, 8, 8, 3)),
    "embedding": (lambda: SpectralEmbedding(5, 4, embeddings_initializer="glorot_uniform"), (6,)),
}


@pytest.fixture
def bfloat16():
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


def make(name, converged=False):
    """A layer, what it takes, and the variable that is normalised."""
    keras.utils.set_random_seed(1)
    build, shape = LAYERS[name]
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 5, shape) if name == "embedding" else rng.normal(size=shape).astype("float32")
    layer = build()
    layer.build(shape)
    weight = layer.embeddings if name == "embedding" else layer.kernel
    if converged:
        layer.u.assign(np.linalg.svd(as_matrix(weight))[2][0])
    return layer, inputs, weight


def as_matrix(weight):
    values = np.asarray(weight, np.float64)
    return values.reshape(-1, values.shape[-1])


def largest_singular_value(weight):
    return np.linalg.svd(as_matrix(weight), compute_uv=False)[0]


def train(layer, inputs, calls=60):
    call = tf.function(lambda: layer(inputs, training=True))
    for _ in range(calls):
        call()


@pytest.mark.parametrize("name", LAYERS)
def test_is_the_plain_layer_with_weights_over_their_largest_singular_value(name):
    layer, inputs, weight = make(name)
    train(layer, inputs)
    normalized = weight.numpy() / largest_singular_value(weight)
    if name == "embedding":
        expected = normalized[inputs]
    elif name == "dense":
        layer.bias.assign(np.arange(5))
        expected = inputs @ normalized + np.arange(5)
    else:
        if layer.use_bias:
            layer.bias.assign(np.arange(6))
        expected = tf.nn.conv2d(inputs, normalized.astype("float32"), layer.strides, "SAME").numpy()
        expected += np.arange(6) if layer.use_bias else 0
    np.testing.assert_allclose(layer(inputs), expected, rtol=1e-3, atol=1e-4)


def test_estimate_comes_nearer_from_below_with_every_call_in_training():
    layer, inputs, weight = make("convolution")
    sigma = largest_singular_value(weight)
    estimates = []
    for _ in range(30):
        layer(inputs, training=True)
        estimates.append(float(tf.norm(weight) / tf.norm(layer._normalized(weight, training=False))))
    assert estimates[0] < 0.99 * sigma
    assert all(later > earlier * (1 - 1e-6) for earlier, later in itertools.pairwise(estimates))
    assert estimates[-1] == pytest.approx(sigma, rel=1e-3)


def test_estimate_follows_a_weight_that_changes():
    layer, inputs, weight = make("dense", converged=True)
    weight.assign(3 * np.random.default_rng(2).normal(size=weight.shape))
    train(layer, inputs)
    normalized = layer._normalized(weight, training=False)
    assert largest_singular_value(normalized) == pytest.approx(1, abs=1e-3)
    # The weight itself keeps its scale: only its use is normalised.
    assert largest_singular_value(weight) > 3


@pytest.mark.parametrize("name", LAYERS)
def test_vector_moves_only_in_training(name):
    layer, inputs, _ = make(name)
    before = layer.u.numpy()
    layer(inputs)
    layer(inputs, training=False)
    np.testing.assert_array_equal(layer.u, before)
    layer(inputs, training=True)
    assert not np.allclose(layer.u, before)
    assert np.linalg.norm(layer.u) == pytest.approx(1, abs=1e-5)


def test_vector_is_state_but_not_trained():
    layer, _, _ = make("dense")
    assert [v.name for v in layer.trainable_variables] == ["kernel", "bias"]
    assert [v.name for v in layer.non_trainable_variables] == ["singular_vector"]


@pytest.mark.parametrize("name", LAYERS)
def test_gradient_flows_through_sigma(name):
    """Against central differences of numpy's own quotient `W / sigma(W)`, in float64."""
    layer, inputs, weight = make(name, converged=True)
    with tf.GradientTape() as tape:
        outputs = layer(inputs, training=True)
        upstream = np.random.default_rng(1).normal(size=outputs.shape)
        loss = tf.reduce_sum(outputs * upstream.astype("float32"))
    gradient = np.asarray(tf.convert_to_tensor(tape.gradient(loss, weight.value)))

    def quotient_loss(value):
        normalized = value / largest_singular_value(value)
        if name == "embedding":
            out = normalized[inputs]
        elif name == "dense":
            out = inputs @ normalized
        else:
            out = tf.nn.conv2d(inputs.astype("float64"), normalized, layer.strides, "SAME").numpy()
        return (out * upstream).sum()

    start = weight.numpy().astype("float64")
    numeric = np.zeros_like(start)
    for index in np.ndindex(start.shape):
        step = np.zeros_like(start)
        step[index] = 1e-5
        numeric[index] = (quotient_loss(start + step) - quotient_loss(start - step)) / 2e-5
    np.testing.assert_allclose(gradient, numeric, rtol=1e-3, atol=1e-3 * abs(numeric).max())
    # The quotient does not change with the weight's scale: no gradient along the weight.
    assert abs((gradient * start).sum()) < 1e-3 * np.linalg.norm(gradient) * np.linalg.norm(start)


@pytest.mark.parametrize("name", LAYERS)
def test_bfloat16(bfloat16, name):
    layer, inputs, weight = make(name, converged=True)
    assert layer.u.dtype == weight.dtype == "float32"
    with tf.GradientTape() as tape:
        outputs = layer(inputs, training=True)
        loss = tf.reduce_sum(tf.cast(outputs, tf.float32) ** 2)
    assert outputs.dtype == "bfloat16"
    gradient = tf.convert_to_tensor(tape.gradient(loss, weight.value))
    assert gradient.dtype == "float32" and np.isfinite(gradient).all() and np.abs(gradient).max() > 0
    used = layer._normalized(tf.cast(weight, tf.bfloat16), training=False)
    assert used.dtype == "bfloat16"
    assert largest_singular_value(tf.cast(used, tf.float32)) == pytest.approx(1, abs=5e-3)


@pytest.mark.parametrize("name", LAYERS)
def test_survives_saving_with_its_estimate(name, tmp_path):
    layer, inputs, _ = make(name)
    train(layer, inputs, calls=3)
    kind = "int32" if name == "embedding" else "float32"
    network = keras.Sequential([keras.Input(inputs.shape[1:], dtype=kind), layer])
    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")
    np.testing.assert_array_equal(loaded.layers[0].u, layer.u)
    np.testing.assert_array_equal(loaded(inputs), network(inputs))
    assert type(loaded.layers[0]) is type(layer)


def test_compiled_step_moves_the_vector():
    layer, inputs, weight = make("dense")
    step = tf.function(lambda x: layer(x, training=True), jit_compile=True)
    for _ in range(50):
        outputs = step(inputs)
    expected = inputs @ (weight.numpy() / largest_singular_value(weight))
    np.testing.assert_allclose(outputs, expected, rtol=1e-3, atol=1e-4)
