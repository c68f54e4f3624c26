"""How noise and labels enter networks; conditional batch normalisation; judgements."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from models.layers.normalization import BatchNormalization, batch_norm
from models.layers.spectral import SpectralDense, SpectralEmbedding
from models.networks.condition import CONDITIONS, discriminator_head, discriminator_inputs, generator_inputs

LATENTS = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
LABELS = np.array([2, 0, 1], "int32")
ONE_HOT = np.eye(3, dtype="float32")[LABELS]


@pytest.fixture
def bfloat16():
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("condition", CONDITIONS)
def test_judgements_have_all_bits_of_float32(bfloat16, condition):
    """Critics' logits may be anywhere: in bfloat16, one of 80 is off by a quarter."""
    features = keras.Input((8,), dtype="bfloat16")
    label = keras.Input((), dtype="int32") if condition == "projection" else None
    outputs = discriminator_head(features, label, 3, condition)
    network = keras.Model([features] if label is None else [features, label], outputs)
    x = np.random.default_rng(0).normal(size=(3, 8)).astype("float32")
    found = network([x] if label is None else [x, LABELS])
    for logits in found.values() if isinstance(found, dict) else [found]:
        assert (tf.cast(tf.cast(logits, tf.bfloat16), tf.float32).numpy() != logits.numpy()).any()


def first_layer(builder, *arguments, **options) -> keras.Model:
    """The network that ends where the first layer begins."""
    inputs, x, label = builder(*arguments, **options)
    assert (label is not None) == (options.get("condition") == "projection")
    return keras.Model(inputs, x)


def test_generator_without_condition_takes_the_latent_as_it_is():
    np.testing.assert_array_equal(first_layer(generator_inputs, 4)(LATENTS), LATENTS)


@pytest.mark.parametrize("condition", ["concat", "auxiliary"])
def test_generator_takes_the_label_beside_the_latent(condition):
    network = first_layer(generator_inputs, 4, num_classes=3, condition=condition)
    assert [i.dtype for i in network.inputs] == ["float32", "int32"]
    np.testing.assert_array_equal(network([LATENTS, LABELS]), np.concatenate([LATENTS, ONE_HOT], axis=1))


def test_projecting_generator_hands_the_label_on():
    inputs, x, label = generator_inputs(4, 3, "projection")
    assert x is inputs[0] and label is inputs[1] and label.shape == (None,)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_uniform_prior_is_uniform(policy):
    """Kolmogorov and Smirnov's distance; above 1.63 / sqrt(n) one sample in a hundred would be."""
    keras.config.set_dtype_policy(policy)
    try:
        network = first_layer(generator_inputs, 4, prior="uniform")
    finally:
        keras.config.set_dtype_policy("float32")
    normal = np.random.default_rng(5).normal(size=(5000, 4)).astype("float32")
    values = np.sort(network(normal).numpy().ravel())
    assert values[0] >= -1 and values[-1] <= 1
    ranks = np.arange(len(values) + 1) / len(values)
    expected = (values + 1) / 2
    assert max((ranks[1:] - expected).max(), (expected - ranks[:-1]).max()) < 1.63 / np.sqrt(len(values))
    order = network(np.array([[-3, -1, 0, 2]], "float32")).numpy()[0]
    np.testing.assert_allclose(order, [-0.9973002, -0.6826895, 0, 0.9544997], atol=1e-6)  # the normal's tables


def test_uniform_prior_leaves_the_label_alone():
    network = first_layer(generator_inputs, 4, num_classes=3, condition="concat", prior="uniform")
    values = network([LATENTS, LABELS]).numpy()
    np.testing.assert_array_equal(values[:, 4:], ONE_HOT)
    assert abs(values[:, :4]).max() < 1 < abs(LATENTS).max()


@pytest.mark.parametrize(("builder", "first"), [(generator_inputs, 4), (discriminator_inputs, (4, 4, 1))])
def test_errors_in_words(builder, first):
    with pytest.raises(ValueError, match="condition=color: it must be one of none, concat, projection, auxiliary"):
        builder(first, 3, "color")
    with pytest.raises(ValueError, match="condition=concat needs at least two classes, not 0"):
        builder(first, 0, "concat")
    with pytest.raises(ValueError, match="condition=projection needs at least two classes, not 1"):
        builder(first, 1, "projection")


def test_unknown_prior_in_words():
    with pytest.raises(ValueError, match="prior=cauchy: it must be one of normal, uniform"):
        generator_inputs(4, prior="cauchy")


IMAGES = np.random.default_rng(1).uniform(-1, 1, size=(3, 2, 5, 2)).astype("float32")


@pytest.mark.parametrize("condition", ["none", "auxiliary"])
@pytest.mark.parametrize("flat", [False, True])
def test_discriminator_that_does_not_see_the_label(condition, flat):
    network = first_layer(discriminator_inputs, (2, 5, 2), num_classes=3, condition=condition, flat=flat)
    expected = IMAGES.reshape(3, 20) if flat else IMAGES
    np.testing.assert_array_equal(network(IMAGES), expected)


def test_label_enters_the_discriminator_as_planes():
    network = first_layer(discriminator_inputs, (2, 5, 2), num_classes=3, condition="concat")
    values = network([IMAGES, LABELS]).numpy()
    np.testing.assert_array_equal(values[..., :2], IMAGES)
    for row in range(2):
        for column in range(5):
            np.testing.assert_array_equal(values[:, row, column, 2:], ONE_HOT)


def test_label_enters_a_flat_discriminator_beside_the_pixels():
    network = first_layer(discriminator_inputs, (2, 5, 2), num_classes=3, condition="concat", flat=True)
    np.testing.assert_array_equal(
        network([IMAGES, LABELS]), np.concatenate([IMAGES.reshape(3, 20), ONE_HOT], axis=1)
    )


def judging(condition, **options) -> keras.Model:
    features = keras.Input((4,))
    label = keras.Input((), dtype="int32")
    outputs = discriminator_head(features, label, 3, condition, **options)
    return keras.Model([features, label] if condition == "projection" else features, outputs)


def test_projection_is_the_inner_product_with_the_labels_embedding():
    network = judging("projection")
    network.get_layer("judge").bias.assign([0.5])
    weight = network.get_layer("judge").kernel.numpy()
    table = network.get_layer("label_embedding").embeddings.numpy()
    assert table.shape == (3, 4)
    expected = [f @ weight[:, 0] + 0.5 + f @ table[label] for f, label in zip(LATENTS, LABELS, strict=True)]
    logits = network([LATENTS, LABELS])
    assert logits.shape == (3,)
    np.testing.assert_allclose(logits, expected, rtol=1e-5)


def test_projection_with_spectral_layers_normalises_both():
    network = judging("projection", dense=SpectralDense, embedding=SpectralEmbedding)
    step = tf.function(lambda: network([LATENTS, LABELS], training=True))
    for _ in range(60):
        step()
    weight = network.get_layer("judge").kernel.numpy()
    table = network.get_layer("label_embedding").embeddings.numpy()
    unit = weight[:, 0] / np.linalg.norm(weight)
    table = table / np.linalg.norm(table, ord=2)
    expected = [f @ unit + f @ table[label] for f, label in zip(LATENTS, LABELS, strict=True)]
    np.testing.assert_allclose(network([LATENTS, LABELS]), expected, rtol=1e-3, atol=1e-4)


def test_auxiliary_judges_and_classifies():
    network = judging("auxiliary")
    outputs = network(LATENTS)
    assert set(outputs) == {"logits", "class_logits"}
    judge_layer, classify = network.get_layer("judge"), network.get_layer("classify")
    np.testing.assert_allclose(outputs["logits"], LATENTS @ judge_layer.kernel.numpy()[:, 0], rtol=1e-5)
    np.testing.assert_allclose(outputs["class_logits"], LATENTS @ classify.kernel.numpy(), rtol=1e-5)


@pytest.mark.parametrize("condition", ["none", "concat"])
def test_plain_judgement_does_not_know_the_label(condition):
    network = judging(condition, use_bias=False)
    assert [v.name for v in network.trainable_variables] == ["kernel"]
    assert network(LATENTS).shape == (3,)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_judgements_are_float32(bfloat16, condition):
    inputs = [LATENTS, LABELS] if condition == "projection" else LATENTS
    for value in keras.tree.flatten(judging(condition)(inputs)):
        assert value.dtype == "float32"


def conditional_norm(shape) -> keras.Model:
    """With scales and offsets that differ by class and channel."""
    x, label = keras.Input(shape), keras.Input((), dtype="int32")
    network = keras.Model([x, label], batch_norm(x, label, 3, "norm", momentum=0.9, epsilon=1e-5))
    rng = np.random.default_rng(3)
    for part in ("gamma", "beta"):
        network.get_layer(f"norm_{part}").embeddings.assign(rng.normal(size=(3, shape[-1])))
    return network


@pytest.mark.parametrize("shape", [(5, 5, 6), (6,)])
@pytest.mark.parametrize("training", [True, False])
def test_conditional_norm_is_plain_norm_then_the_classes_own_scale_and_offset(shape, training):
    network = conditional_norm(shape)
    x = 3 * np.random.default_rng(4).normal(size=(3, *shape)).astype("float32") + 2
    plain = layers.BatchNormalization(center=False, scale=False, momentum=0.9, epsilon=1e-5)
    normalized = plain(x, training=training).numpy()
    gamma, beta = (network.get_layer(f"norm_{part}").embeddings.numpy() for part in ("gamma", "beta"))
    expected = [n * gamma[label] + beta[label] for n, label in zip(normalized, LABELS, strict=True)]
    np.testing.assert_allclose(network([x, LABELS], training=training), expected, atol=2e-4)
    if training:
        np.testing.assert_allclose(network.get_layer("norm").moving_mean, plain.moving_mean, rtol=1e-4)


def test_conditional_norm_starts_as_the_plain_one():
    x, label = keras.Input((5, 5, 6)), keras.Input((), dtype="int32")
    network = keras.Model([x, label], batch_norm(x, label, 3))  # unnamed
    assert [tuple(v.shape) for v in network.trainable_variables] == [(3, 6), (3, 6)]  # no scale and offset besides
    images = np.random.default_rng(4).normal(size=(3, 5, 5, 6)).astype("float32")
    expected = layers.BatchNormalization()(images, training=True)
    np.testing.assert_allclose(network([images, LABELS], training=True), expected, atol=1e-3)


def test_conditional_norm_passes_gradients_to_the_classes_in_the_batch():
    network = conditional_norm((5, 5, 6))
    x = np.random.default_rng(4).normal(size=(2, 5, 5, 6)).astype("float32")
    upstream = np.random.default_rng(5).normal(size=x.shape).astype("float32")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(network([x, np.array([2, 2], "int32")], training=True) * upstream)
    beta = network.get_layer("norm_beta").embeddings
    gradient = np.asarray(tf.convert_to_tensor(tape.gradient(loss, beta.value)))
    np.testing.assert_allclose(gradient[2], upstream.sum(axis=(0, 1, 2)), rtol=1e-3, atol=1e-4)
    assert not gradient[:2].any()


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_fused_norm_with_and_without_scale_and_offset(scale, center, policy):
    options = {"scale": scale, "center": center, "momentum": 0.9, "epsilon": 1e-5, "dtype": policy}
    ours, theirs = BatchNormalization(**options), layers.BatchNormalization(**options)
    x = tf.random.stateless_normal([8, 5, 5, 6], (1, 2)) * 3 + 2
    upstream = tf.random.stateless_normal([8, 5, 5, 6], (3, 4))
    results = []
    for layer in (ours, theirs):
        layer.build(x.shape)
        for variable, value in zip(layer.trainable_variables, (1.5, 0.25), strict=False):
            variable.assign(np.linspace(value, 2, 6))
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, training=True)
            loss = tf.reduce_sum(tf.cast(outputs, "float32") * upstream)
        results.append([outputs, *tape.gradient(loss, [x, *(v.value for v in layer.trainable_variables)])])
        assert outputs.dtype == layer.compute_dtype
    assert len(results[0]) == 2 + scale + center
    tolerance = 1e-4 if policy == "float32" else 0.02
    for mine, other in zip(*results, strict=True):
        mine, other = np.asarray(mine, np.float32), np.asarray(other, np.float32)
        np.testing.assert_allclose(mine, other, atol=tolerance * abs(other).max())
    for mine, other in ((ours.moving_mean, theirs.moving_mean), (ours.moving_variance, theirs.moving_variance)):
        np.testing.assert_allclose(mine, other, rtol=0.01)  # the variance is the unbiased one in ours
        assert mine.dtype == "float32"
