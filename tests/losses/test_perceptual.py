"""Perceptual losses against numpy, and their gradients against differences."""

import numpy as np
import pytest
import tensorflow as tf

from losses import perceptual

random = np.random.default_rng(0)


@pytest.fixture
def features() -> np.ndarray:
    return random.normal(size=(2, 4, 5, 3)).astype(np.float32)


def test_gram_matrix_is_the_mean_of_products(features):
    expected = np.zeros((2, 3, 3))
    for n in range(2):
        for row in features[n].reshape(-1, 3):
            expected[n] += np.outer(row, row) / (4 * 5 * 3)
    np.testing.assert_allclose(perceptual.gram_matrix(features), expected, rtol=1e-4, atol=1e-6)


def test_gram_matrix_of_a_mask_is_that_of_the_part(features):
    mask = np.zeros((1, 4, 5, 1), np.float32)
    mask[:, 1:3, 2:] = 1
    expected = perceptual.gram_matrix(features[:, 1:3, 2:])
    np.testing.assert_allclose(perceptual.gram_matrix(features, mask), expected, rtol=1e-4, atol=1e-6)


def test_gram_matrix_of_a_soft_mask_by_hand():
    features = np.array([[[[1.0, 2.0], [4.0, 0.0]]]], np.float32)  # by 1 and 1/2: (1, 2) and (2, 0)
    mask = np.array([[[[1.0], [0.5]]]], np.float32)  # of squares, 1.25 places; two channels
    np.testing.assert_allclose(perceptual.gram_matrix(features, mask), [[[5 / 2.5, 2 / 2.5], [2 / 2.5, 4 / 2.5]]])


def test_gram_matrix_adds_up_in_float32():
    features = tf.ones([1, 64, 64, 2], tf.bfloat16)  # 4,096 ones: bfloat16 stops counting at 256
    gram = perceptual.gram_matrix(features)
    assert gram.dtype == tf.float32
    np.testing.assert_allclose(gram, np.full((1, 2, 2), 0.5))


def test_style_loss_by_hand():
    assert float(perceptual.gram_loss(np.array([[[1.0, 2], [2, 5]]]), np.array([[[1.0, 0], [0, 1]]]))) == 6.0


def test_moments_and_adain(features):
    mean, deviation = perceptual.moments(features)
    np.testing.assert_allclose(mean[1, 0, 0], features[1].mean(axis=(0, 1)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(deviation[1, 0, 0], features[1].std(axis=(0, 1)), rtol=1e-4)
    style = perceptual.moments(random.normal(3, 2, size=(2, 6, 7, 3)).astype(np.float32))
    after = perceptual.moments(perceptual.adain(features, style))
    for a, b in zip(after, style, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
    assert (
        float(perceptual.moments_loss(after, style))
        < 1e-6
        < float(perceptual.moments_loss(after, (mean, deviation)))
    )


def test_total_variation_by_hand():
    image = np.array([[0.0, 1.0], [0.0, 3.0]], np.float32)[None, :, :, None]
    assert float(perceptual.total_variation(image)) == (0 + 4) / 2 + (1 + 9) / 2


@pytest.mark.parametrize("loss", ["content", "style", "moments", "smoothness"])
def test_gradients_against_differences(features, loss):
    other = random.normal(size=features.shape).astype(np.float32)
    function = {
        "content": lambda x: perceptual.content_loss(x, other),
        "style": lambda x: perceptual.gram_loss(perceptual.gram_matrix(x), perceptual.gram_matrix(other)),
        "moments": lambda x: perceptual.moments_loss(perceptual.moments(x), perceptual.moments(other)),
        "smoothness": perceptual.total_variation,
    }[loss]
    x = tf.constant(features)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = function(x)
    gradient = tape.gradient(value, x).numpy()
    direction = random.normal(size=features.shape).astype(np.float32)
    step = 1e-2
    difference = (float(function(x + step * direction)) - float(function(x - step * direction))) / (2 * step)
    np.testing.assert_allclose((gradient * direction).sum(), difference, rtol=2e-2, atol=1e-4)
