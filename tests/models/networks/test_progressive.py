import itertools
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from models import directions
from models.average import _plain
from models.layers import equalized
from models.networks import progressive

SIZES = [4, 8, 16, 32, 64, 128, 256, 512, 1024]
CONDITIONS = ["none", "concat", "projection", "auxiliary"]


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(1)


def generator(size: int = 16, condition: str = "none", **options) -> progressive.Progressive:
    classes = 0 if condition == "none" else 3
    return progressive.generator((size, size, 3), 5, 4, classes, condition, phase_steps=10, **options)


def discriminator(size: int = 16, condition: str = "none") -> progressive.Progressive:
    classes = 0 if condition == "none" else 3
    return progressive.discriminator((size, size, 3), 4, classes, condition, phase_steps=10)


def set_progress(network: progressive.Progressive, value: float) -> None:
    (variable,) = [v for v in network.non_trainable_variables if v.name == "progress"]
    variable.assign(value)


def progress(network: progressive.Progressive) -> float:
    (variable,) = [v for v in network.non_trainable_variables if v.name == "progress"]
    return float(variable.numpy())


def noise(*shape: int, seed: int = 0) -> tf.Tensor:
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


def given(network: keras.Model, first: tf.Tensor, label=(0, 1, 2, 1)) -> list | tf.Tensor:
    """The network's inputs: with the label, if it takes one."""
    return first if len(network.inputs) == 1 else [first, tf.constant(label, tf.int32)]


def pooled(images: np.ndarray, resolution: int) -> np.ndarray:
    batch, size, _, channels = images.shape
    factor = size // resolution
    squares = images.reshape(batch, resolution, factor, resolution, factor, channels)
    return squares.mean((2, 4))


def enlarged(images: np.ndarray, size: int) -> np.ndarray:
    factor = size // images.shape[1]
    return images.repeat(factor, 1).repeat(factor, 2)


def trainable(network: keras.Model) -> int:
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


# The paper's tables


def test_channels_are_the_papers():
    assert [progressive.channels_at(r, 512) for r in SIZES] == [512, 512, 512, 512, 256, 128, 64, 32, 16]
    assert [progressive.channels_at(r, 64) for r in SIZES] == [64, 64, 64, 64, 32, 16, 8, 4, 2]


def test_parameters_of_the_1024_px_networks():
    # Table 2 of the paper, by hand: 23.1 million each. It counts no toRGB and fromRGB but those of 1024 px;
    # the authors' code, which has them all, prints 23,087,249 for its discriminator.
    channels = [512, 512, 512, 512, 256, 128, 64, 32, 16]
    pairs = list(itertools.pairwise(channels))
    start = 16 * 512 * 512 + 512 + 9 * 512 * 512 + 512
    painted = start + sum(9 * a * b + b + 9 * b * b + b for a, b in pairs)
    assert round((painted + 16 * 3 + 3) / 1e6, 1) == 23.1
    assert trainable(progressive.generator((1024, 1024, 3))) == painted + sum(3 * c + 3 for c in channels)
    assert trainable(progressive.discriminator((1024, 1024, 3))) == 23_087_249


def test_channels_of_each_level():
    painter, judge = progressive.generator((64, 64, 3), 5, 8), progressive.discriminator((64, 64, 3), 8)

    def shapes(network: keras.Model, part: str) -> list[tuple[int, ...]]:
        return [tuple(v.shape) for v in network.trainable_variables if part in v.path and v.name == "kernel"]

    assert shapes(painter, "block_") == [(3, 3, 8, 8)] * 6 + [(3, 3, 8, 4), (3, 3, 4, 4)]
    assert shapes(painter, "to_image_") == [(1, 1, 8, 3)] * 4 + [(1, 1, 4, 3)]
    assert shapes(judge, "block_") == [(3, 3, 8, 8)] * 6 + [(3, 3, 4, 4), (3, 3, 4, 8)]
    assert shapes(judge, "from_image_") == [(1, 1, 3, 8)] * 4 + [(1, 1, 3, 4)]


@pytest.mark.parametrize("shape", [(4, 4, 3), (48, 48, 3), (32, 16, 3), (2048, 2048, 3)])
def test_refuses_sizes_that_it_cannot_make(shape):
    for build in (progressive.generator, progressive.discriminator):
        with pytest.raises(ValueError, match="square pictures"):
            build(shape)
    with pytest.raises(ValueError, match="phase_steps=0"):
        progressive.generator((8, 8, 3), phase_steps=0)


# Growing


def test_schedule():
    network = generator(16)
    grow = tf.function(network.grow, input_signature=[tf.TensorSpec((), tf.int64)])
    wanted = {0: 0, 9: 0, 10: 0, 13: 0.3, 19: 0.9, 20: 1, 29: 1, 30: 1, 35: 1.5, 40: 2, 49: 2, 10**9: 2}
    for step, value in wanted.items():
        grow(step)
        assert progress(network) == pytest.approx(value, abs=1e-6), step
        assert value != int(value) or progress(network) == value, "stable phases are exact"


@pytest.mark.parametrize("value, resolution", [(0, 4), (0.01, 8), (1, 8), (1.5, 16), (2, 16), (2.7, 32), (3, 32)])
def test_generator_shows_the_resolution_reached(value, resolution):
    network = generator(32)
    set_progress(network, value)
    images = network(noise(4, 5)).numpy()
    assert images.shape == (4, 32, 32, 3) and images.dtype == "float32" and abs(images).max() <= 1
    np.testing.assert_array_equal(images, enlarged(images[:, :: 32 // resolution, :: 32 // resolution], 32))
    assert (images[:, :: 64 // resolution] != images[:, 32 // resolution :: 64 // resolution]).mean() > 0.9


@pytest.mark.parametrize("below", [0, 1])
def test_generator_blends_both_paths(below):
    network, latents = generator(16), noise(4, 5)

    def painted(value: float) -> np.ndarray:
        set_progress(network, value)
        return np.arctanh(network(latents).numpy().astype("float64"))

    old, new = painted(below), painted(below + 1)
    assert abs(new - old).mean() > 0.1
    np.testing.assert_allclose(painted(below + 0.5), (old + new) / 2, atol=1e-4)
    np.testing.assert_allclose(painted(below + 0.25), 0.75 * old + 0.25 * new, atol=1e-4)


def test_discriminator_blends_both_paths():
    network, images = discriminator(16), noise(4, 16, 16, 3)
    levels = keras.Model(network.inputs, network.get_layer("levels").output)

    def seen(value: float) -> np.ndarray:
        set_progress(network, value)
        return levels(images).numpy()

    # At 4x4, where the paths meet, before anything that is not linear.
    np.testing.assert_allclose(seen(0.5), (seen(0) + seen(1)) / 2, atol=1e-5)
    np.testing.assert_allclose(seen(0.25), 0.75 * seen(0) + 0.25 * seen(1), atol=1e-5)
    assert abs(seen(0) - seen(1)).mean() > 0.1
    # The picture enters at the newest level: by hand, at 4x4.
    kernel, bias = network.get_layer("levels").from_image[0].get_weights()
    entered = pooled(images.numpy(), 4) @ kernel[0, 0] * np.sqrt(2 / 3) + bias
    np.testing.assert_allclose(seen(0), np.where(entered > 0, entered, 0.2 * entered), atol=1e-5)


@pytest.mark.parametrize("value, resolution", [(0, 4), (0.5, 8), (1, 8), (2, 16), (2.5, 32)])
def test_discriminator_sees_nothing_finer_than_the_resolution_reached(value, resolution):
    network, images = discriminator(32), noise(4, 32, 32, 3).numpy()
    set_progress(network, value)
    logits = network(images).numpy()
    coarse = enlarged(pooled(images, resolution), 32)
    np.testing.assert_allclose(network(coarse).numpy(), logits, atol=1e-4)
    coarser = enlarged(pooled(images, resolution // 2), 32)
    assert abs(network(coarser).numpy() - logits).max() > 0.01


def test_levels_not_reached_are_not_computed():
    for network, inputs in ((generator(16), noise(2, 5)), (discriminator(16), noise(2, 16, 16, 3))):
        for variable in network.trainable_variables:
            if "_16" in variable.path:
                variable.assign(variable * np.nan)
        call = tf.function(network)
        set_progress(network, 1)
        assert np.isfinite(call(inputs)).all()
        set_progress(network, 1.01)
        assert np.isnan(call(inputs)).all()


@pytest.mark.parametrize("build, shape", [(generator, (4, 5)), (discriminator, (4, 16, 16, 3))])
def test_gradients_are_of_what_counts(build, shape):
    """Which toRGB and fromRGB learn; the blocks up to the level reached learn too, those above never."""
    network = build(16)

    @tf.function
    def differentiate(inputs):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(network(inputs)))
        return tape.gradient(loss, network.trainable_variables)

    def resolution(variable: keras.Variable) -> int:
        return int(re.search(r"levels/\w+_(\d+)/", variable.path)[1]) if "levels" in variable.path else 4

    for value, counts in ((0, {4}), (0.5, {4, 8}), (1, {8}), (1.5, {8, 16}), (2, {16})):
        set_progress(network, value)
        gradients = differentiate(noise(*shape))
        for variable, gradient in zip(network.trainable_variables, gradients, strict=True):
            reached = resolution(variable) <= max(counts)
            learns = resolution(variable) in counts if "image_" in variable.path else reached
            assert gradient.numpy().any() == learns, (value, variable.path)


def test_fade_is_what_a_perfect_generator_would_show():
    network, images = discriminator(16), noise(2, 16, 16, 3).numpy()
    at = {r: enlarged(pooled(images, r), 16) for r in (4, 8, 16)}
    wanted = {0: at[4], 0.5: (at[4] + at[8]) / 2, 1: at[8], 1.25: 0.75 * at[8] + 0.25 * at[16], 2: images}
    fade = tf.function(network.fade)
    for value, expected in wanted.items():
        set_progress(network, value)
        np.testing.assert_allclose(fade(images), expected, atol=1e-6)


def test_second_order_gradients():
    """Those of a gradient penalty, in one graph for all resolutions and any batch."""
    network, images = discriminator(16), noise(4, 16, 16, 3)

    @tf.function(input_signature=[tf.TensorSpec((None, 16, 16, 3))])
    def differentiate(images):
        with tf.GradientTape() as tape:
            with tf.GradientTape() as inner:
                inner.watch(images)
                logits = network(images)
            slopes = inner.gradient(logits, images)
            penalty = tf.reduce_mean(tf.reduce_sum(tf.square(slopes), (1, 2, 3)))
        variables = [variable.value for variable in network.trainable_variables]
        return penalty, tape.gradient(penalty, variables, unconnected_gradients="zero")

    (kernel,) = (v for v in network.trainable_variables if v.path == "dense/kernel")
    before = kernel.numpy()
    for value in (0, 0.5, 1, 1.5, 2):
        set_progress(network, value)
        penalty, gradients = differentiate(images)
        assert penalty > 0
        for variable, gradient in zip(network.trainable_variables, gradients, strict=True):
            assert np.isfinite(gradient).all(), (value, variable.path)
            if "_16/" in variable.path and variable.name == "kernel":
                assert gradient.numpy().any() == (value > 1), (value, variable.path)
            if variable is kernel:
                gradient_of_kernel = gradient.numpy()
        # Along its gradient, the penalty has to rise by the gradient's length.
        length = np.linalg.norm(gradient_of_kernel)
        penalties = []
        for sign in (1, -1):
            kernel.assign(before + sign * 1e-3 * gradient_of_kernel / length)
            penalties.append(float(differentiate(images)[0]))
        kernel.assign(before)
        assert (penalties[0] - penalties[1]) / 2e-3 == pytest.approx(length, rel=0.02), value


# Layers


def test_equalised_weights_are_standard_normal_and_scaled_where_used():
    convolution, dense = equalized.EqualizedConv2D(40, 3, gain=2), equalized.EqualizedDense(400, gain=2)
    features, inputs = noise(8, 10, 10, 40), noise(500, 200)
    outputs = convolution(features).numpy()[:, 1:-1, 1:-1], dense(inputs).numpy()
    for layer, fan_in, out in zip((convolution, dense), (360, 200), outputs, strict=True):
        kernel = layer.kernel.numpy()
        assert kernel.std() == pytest.approx(1, abs=0.02) and abs(kernel.mean()) < 0.03
        assert out.std() == pytest.approx(np.sqrt(2), rel=0.03), "He: twice the variance, for the ReLU to halve"
        assert equalized.he_constant(layer.kernel, 2) == pytest.approx(np.sqrt(2 / fan_in))
    expected = inputs.numpy() @ dense.kernel.numpy() * np.sqrt(2 / 200)
    np.testing.assert_allclose(outputs[1], expected, atol=1e-4)
    embedding = equalized.EqualizedEmbedding(3, 16)
    rows = embedding(tf.constant([2, 0])).numpy()
    np.testing.assert_allclose(rows, embedding.embeddings.numpy()[[2, 0]] / 4, rtol=1e-6)


def test_all_weights_of_the_networks_are_equalised():
    for network in (progressive.generator((32, 32, 3), 32, 32), progressive.discriminator((32, 32, 3), 32)):
        kernels = [v.numpy() for v in network.trainable_variables if v.name == "kernel"]
        assert np.concatenate([k.ravel() for k in kernels]).std() == pytest.approx(1, abs=0.01)
        assert all(not v.numpy().any() for v in network.trainable_variables if v.name == "bias")


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-5), ("bfloat16", 2**-7)])
def test_pixel_norm(dtype, tolerance):
    x = tf.cast(noise(2, 3, 4, 50) * 7, dtype)
    exact = x.numpy().astype("float64")
    expected = exact / np.sqrt((exact**2).mean(-1, keepdims=True) + 1e-8)
    normal = equalized.pixel_norm(x)
    assert normal.dtype == dtype
    np.testing.assert_allclose(tf.cast(normal, tf.float32), expected, rtol=tolerance)


@pytest.mark.parametrize("batch, group", [(8, 4), (4, 4), (6, 3), (2, 2), (5, 1)])
def test_minibatch_stddev(batch, group):
    x = noise(batch, 4, 4, 7)
    out = tf.function(equalized.MinibatchStddev(), input_signature=[tf.TensorSpec((None, 4, 4, 7))])(x).numpy()
    np.testing.assert_array_equal(out[..., :7], x)
    groups = batch // group
    for i in range(batch):
        members = x.numpy()[i % groups :: groups]
        assert len(members) == group
        expected = np.sqrt(members.var(0) + 1e-8).mean()
        np.testing.assert_allclose(out[i, ..., 7], expected, rtol=1e-5)


def test_minibatch_stddev_counts_in_float32():
    # 100.25, their mean, is no bfloat16.
    x = tf.cast(tf.reshape([100.0, 100.5, 100.0, 100.5], (4, 1, 1, 1)), tf.bfloat16)
    out = equalized.MinibatchStddev(dtype="bfloat16")(x)
    np.testing.assert_array_equal(tf.cast(out[..., 1], tf.float32), tf.fill((4, 1, 1), 0.25))


# As parts of a system


@pytest.mark.parametrize("condition", CONDITIONS)
def test_conditions(condition):
    painter, judge = generator(8, condition), discriminator(8, condition)
    for variable in painter.trainable_variables:
        if "class_" in variable.name:  # these begin with the same numbers for all classes
            variable.assign(variable + noise(*variable.shape))
    latents = noise(4, 5)
    images = painter(given(painter, latents))
    outputs = judge(given(judge, images))
    if condition == "auxiliary":
        assert outputs["class_logits"].shape == (4, 3) and outputs["class_logits"].dtype == "float32"
        outputs = outputs["logits"]
    assert outputs.shape == (4,) and outputs.dtype == "float32"
    assert len(painter.inputs) == (1 if condition == "none" else 2)
    assert len(judge.inputs) == (1 if condition in ("none", "auxiliary") else 2)
    for value in (0, 0.5, 1):
        for network, first in ((painter, latents), (judge, images)):
            set_progress(network, value)
            if len(network.inputs) == 2:
                labels = ([0, 0, 0, 0], [0, 0, 1, 2])
                one, other = (network(given(network, first, label)).numpy() for label in labels)
                changed = abs(one - other).reshape(4, -1).max(1) > 1e-3
                # The discriminator's standard deviation over a group may tell the others.
                assert changed[2:].all() and (network is judge or not changed[:2].any())


@pytest.mark.parametrize(
    "condition, policy", [*((c, "float32") for c in CONDITIONS), ("projection", "mixed_bfloat16")]
)
def test_saved_loaded_cloned(condition, policy, tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        networks = generator(8, condition, prior="uniform"), discriminator(8, condition)
    finally:
        keras.config.set_dtype_policy(before)
    for network, first in zip(networks, (noise(4, 5), noise(4, 8, 8, 3)), strict=True):
        inputs = given(network, first)
        set_progress(network, 0.25)
        network.save(tmp_path / "network.keras")
        copies = [
            keras.models.clone_model(network, clone_function=_plain),
            type(network).from_config(network.get_config()),
        ]
        for copy in copies:
            copy.set_weights(network.get_weights())
        for copy in [keras.models.load_model(tmp_path / "network.keras"), *copies]:
            assert [v.path for v in copy.variables] == [v.path for v in network.variables]
            wanted, got = network(inputs), copy(inputs)
            keras.tree.map_structure(lambda a, b: np.testing.assert_array_equal(a, b), wanted, got)
            assert keras.tree.flatten(got)[0].dtype == "float32"
            copy.grow(15)
            assert progress(copy) == 0.5 and progress(network) == 0.25, "a copy grows by itself"


def test_bfloat16_agrees_with_float32():
    before = keras.config.dtype_policy()
    for build, first in ((generator, noise(4, 5)), (discriminator, noise(4, 16, 16, 3))):
        exact = build(16)
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            rough = build(16)
        finally:
            keras.config.set_dtype_policy(before)
        rough.set_weights(exact.get_weights())
        for value in (0, 1.5, 2):
            set_progress(exact, value)
            set_progress(rough, value)
            assert rough(first).dtype == "float32"
            error = abs(rough(first).numpy() - exact(first).numpy()).mean() / exact(first).numpy().std()
            assert 0 < error < 0.1


def test_keras_does_not_compile_it_by_xla():
    network = generator(8)
    with pytest.warns(UserWarning, match="jit_compile"):
        network.compile(jit_compile=True)
    assert not network.jit_compile


def test_directions_are_those_of_the_first_block():
    network = generator(16, "projection")
    assert directions.generator_classes(network) == 3
    assert directions._first_block(network).shape[1:3] == (4, 4)
    assert directions.ganspace(network, 2, samples=150).shape == (2, 5)


def test_small_scales_of_classes_are_kept_in_bfloat16():
    layer = equalized.NormalizedActivation(256, dtype="mixed_bfloat16")
    x, several = tf.ones([1, 1, 1, 2]), tf.ones([1, 256])
    before = tf.cast(layer(x, several), tf.float32)
    layer.class_scale.assign_add(tf.fill([256, 2], 0.001))  # less than bfloat16's steps near 1
    larger = tf.cast(layer(x, several), tf.float32) / before
    np.testing.assert_allclose(larger, np.full((1, 1, 1, 2), 1.256), rtol=0.01)
