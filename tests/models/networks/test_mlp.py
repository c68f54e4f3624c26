import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from models.average import _plain
from models.networks import mlp
from models.networks.condition import CONDITIONS

LABELS = np.array([2, 0, 1], "int32")


def trainable(network: keras.Model) -> int:
    return sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)


def kernels(network: keras.Model) -> list[tuple[int, ...]]:
    return [tuple(v.shape) for v in network.trainable_variables if v.name == "kernel"]


def noise(*shape, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def grow_weights(network: keras.Model) -> None:
    """The first weights are so small that products vanish beside the tests' tolerances."""
    rng = np.random.default_rng(7)
    for variable in network.trainable_variables:
        variable.assign(rng.normal(size=variable.shape) * 0.5)


def test_parameter_counts_and_layers_of_the_authors_networks_for_mnist():
    generator, discriminator = mlp.generator((28, 28, 1)), mlp.discriminator((28, 28, 1))
    assert kernels(generator) == [(100, 1200), (1200, 1200), (1200, 784)]
    assert trainable(generator) == 100 * 1200 + 1200 + 1200 * 1200 + 1200 + 1200 * 784 + 784 == 2_503_984
    assert kernels(discriminator) == [(784, 240 * 5), (240, 240 * 5), (240, 1)]
    assert trainable(discriminator) == 784 * 1200 + 1200 + 240 * 1200 + 1200 + 240 + 1 == 1_231_441


def test_initial_weights_are_the_authors():
    for network, bound in ((mlp.generator((28, 28, 1)), 0.05), (mlp.discriminator((28, 28, 1)), 0.005)):
        for variable in network.trainable_variables:
            if variable.name == "bias":
                assert not variable.numpy().any()
            else:
                assert 0.9 * bound < abs(variable.numpy()).max() <= bound
                assert variable.numpy().std() == pytest.approx(bound / np.sqrt(3), rel=0.1)


def test_generator_by_hand():
    network = mlp.generator((2, 3, 1), latent_dim=4, width=5)
    grow_weights(network)
    first, first_bias, second, second_bias, third, third_bias = (v.numpy() for v in network.trainable_variables)
    x = np.maximum(noise(3, 4) @ first + first_bias, 0)
    x = np.maximum(x @ second + second_bias, 0)
    expected = np.tanh(x @ third + third_bias).reshape(3, 2, 3, 1)
    np.testing.assert_allclose(network(noise(3, 4)), expected, atol=1e-5)


def test_discriminator_by_hand():
    """Maxout: a unit is the largest of its pieces, which stand side by side in the kernel."""
    network = mlp.discriminator((2, 3, 1), width=4, pieces=3)
    grow_weights(network)
    first, first_bias, second, second_bias, last, last_bias = (v.numpy() for v in network.trainable_variables)
    images = np.tanh(noise(5, 2, 3, 1))

    def maxout(x, kernel, bias):
        pieces = [x @ kernel[:, i::3] + bias[i::3] for i in range(3)]
        return np.maximum(np.maximum(pieces[0], pieces[1]), pieces[2])

    x = maxout(maxout(images.reshape(5, 6), first, first_bias), second, second_bias)
    np.testing.assert_allclose(network(images), x @ last[:, 0] + last_bias, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(28, 28, 1), (5, 7, 3), (64, 64, 3), (1, 1, 1)])
def test_pictures_of_any_shape(shape):
    images = mlp.generator(shape, latent_dim=7, width=6)(noise(3, 7))
    assert images.shape == (3, *shape) and images.dtype == "float32" and abs(images.numpy()).max() <= 1
    logits = mlp.discriminator(shape, width=4)(images)
    assert logits.shape == (3,) and logits.dtype == "float32"


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_condition(condition):
    options = {"width": 6, "num_classes": 3, "condition": condition}
    generator = mlp.generator((4, 5, 2), latent_dim=7, **options)
    discriminator = mlp.discriminator((4, 5, 2), **options)
    for network, first, sees in (
        (generator, noise(3, 7), condition != "none"),
        (discriminator, np.tanh(noise(3, 4, 5, 2)), condition in ("concat", "projection")),
    ):
        grow_weights(network)
        assert len(network.inputs) == 1 + sees
        if sees:
            assert not np.allclose(network([first, LABELS]), network([first, LABELS[::-1].copy()]))
    joined = condition in ("concat", "auxiliary")
    assert generator.get_layer("hidden_1").kernel.shape[0] == 7 + 3 * joined
    assert discriminator.get_layer("hidden_1").kernel.shape[0] == 40 + 3 * (condition == "concat")
    norms = [layer for layer in generator.layers if isinstance(layer, layers.BatchNormalization)]
    assert len(norms) == (2 if condition == "projection" else 0)
    if condition == "auxiliary":
        outputs = discriminator(np.zeros((3, 4, 5, 2), "float32"))
        assert outputs["class_logits"].shape == (3, 3) and outputs["logits"].shape == (3,)


def test_conditional_generator_has_no_bias_before_its_normalisation():
    network = mlp.generator((4, 4, 1), width=6, num_classes=3, condition="projection")
    assert [network.get_layer(name).use_bias for name in ("hidden_1", "hidden_2", "pixels")] == [False, False, True]


def test_uniform_prior_bounds_what_the_first_layer_sees():
    network = mlp.generator((4, 4, 1), latent_dim=3, width=6, prior="uniform")
    grow_weights(network)
    far = network(np.full((1, 3), 50, "float32")).numpy()
    np.testing.assert_allclose(far, network(np.full((1, 3), 500, "float32")), atol=1e-6)
    plain = mlp.generator((4, 4, 1), latent_dim=3, width=6)
    plain.set_weights(network.get_weights())
    np.testing.assert_allclose(far, plain(np.ones((1, 3), "float32")), atol=1e-6)


def test_dropout_leaves_out_shares_of_pixels_and_units_in_training_only():
    network = mlp.discriminator((20, 20, 1), width=300, dropout=0.5, input_dropout=0.2)
    names = ("input_dropout", "hidden_1_dropout", "hidden_2_dropout")
    inside = keras.Model(network.input, [network.get_layer(name).output for name in names])
    grow_weights(network)
    images = np.tanh(noise(50, 20, 20, 1))
    for values, rate in zip(inside(images, training=True), (0.2, 0.5, 0.5), strict=True):
        assert (values.numpy() == 0).mean() == pytest.approx(rate, abs=0.02)
    pixels = inside(images, training=True)[0].numpy()
    kept = pixels != 0  # what is left is enlarged, so that sums keep their mean
    np.testing.assert_allclose(pixels[kept], images.reshape(50, 400)[kept] / 0.8, rtol=1e-5)
    for values in inside(images, training=False):
        assert (values.numpy() == 0).mean() < 0.001
    np.testing.assert_array_equal(network(images), network(images))
    assert not np.allclose(network(images, training=True), network(images, training=True))


def test_dropout_can_be_off():
    network = mlp.discriminator((4, 4, 1), width=6, dropout=0, input_dropout=0)
    grow_weights(network)
    images = noise(3, 4, 4, 1)
    np.testing.assert_array_equal(network(images, training=True), network(images))
    assert len(network.variables) == len(network.trainable_variables)


def test_dropout_goes_on_from_its_state():
    """The state is among the variables: whoever puts them back gets the same numbers again."""
    network = mlp.discriminator((4, 4, 1), width=30)
    grow_weights(network)
    images = noise(3, 4, 4, 1)
    step = tf.function(lambda: network(images, training=True))
    step()
    saved = [v.numpy() for v in network.variables]
    first, second = step().numpy(), step().numpy()
    assert not np.allclose(first, second)
    for variable, value in zip(network.variables, saved, strict=True):
        variable.assign(value)
    np.testing.assert_array_equal(step(), first)
    np.testing.assert_array_equal(step(), second)
    states = [v for v in network.variables if "seed" in v.path]
    assert len(states) == 3 and not any(v.trainable for v in states)


def same(layer):
    return type(layer).from_config(layer.get_config())


@pytest.mark.parametrize("condition", CONDITIONS)
def test_clones_and_saves(condition, tmp_path):
    options = {"width": 6, "num_classes": 3, "condition": condition}
    made = [mlp.generator((4, 4, 1), latent_dim=5, **options), mlp.discriminator((4, 4, 1), **options)]
    for network, first in zip(made, (noise(3, 5), noise(3, 4, 4, 1)), strict=True):
        grow_weights(network)
        inputs = [first, LABELS] if len(network.inputs) == 2 else first
        copy = keras.models.clone_model(network, clone_function=same)
        copy.set_weights(network.get_weights())
        network.save(tmp_path / "network.keras")
        loaded = keras.models.load_model(tmp_path / "network.keras")
        for other in (copy, loaded):
            pairs = zip(*map(keras.tree.flatten, (other(inputs), network(inputs))), strict=True)
            for one, expected in pairs:
                np.testing.assert_array_equal(one, expected)
            assert [v.shape for v in other.variables] == [v.shape for v in network.variables]


def test_exports_need_keras_alone():
    for condition in CONDITIONS:
        made = mlp.generator((4, 4, 1), width=6, num_classes=3, condition=condition)
        copy = keras.models.clone_model(made, clone_function=_plain)
        assert all(type(layer).__module__.startswith("keras.") for layer in copy.layers)


@pytest.mark.parametrize("condition", ["none", "projection", "auxiliary"])
def test_bfloat16(condition):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        options = {"width": 6, "num_classes": 3, "condition": condition}
        generator, discriminator = mlp.generator((4, 4, 1), 5, **options), mlp.discriminator((4, 4, 1), **options)
        label = tf.constant(LABELS)
        with tf.GradientTape() as tape:
            images = generator(
                [tf.constant(noise(3, 5)), label] if condition != "none" else noise(3, 5), training=True
            )
            judged = discriminator([images, label] if condition == "projection" else images, training=True)
            loss = sum(tf.reduce_sum(value) for value in keras.tree.flatten(judged))
        assert images.dtype == "float32"
        assert all(value.dtype == "float32" for value in keras.tree.flatten(judged))
        variables = [v.value for v in generator.trainable_variables]
        assert all(np.isfinite(tf.convert_to_tensor(g)).all() for g in tape.gradient(loss, variables))
    finally:
        keras.config.set_dtype_policy("float32")
