"""Styles of layers: mixing, their average, truncation."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers.styles import NextInBatch, Styles

FIRST, SECOND = tf.ones([400, 3]), tf.zeros([400, 3])


def test_layers_from_a_random_one_on_take_the_other_style():
    keras.utils.set_random_seed(0)
    mixed = Styles(6, mixing=0.75)(FIRST, SECOND, training=True).numpy()
    assert mixed.shape == (400, 6, 3) and (mixed == mixed[..., :1]).all()
    own = mixed[..., 0].sum(axis=1).astype(int)  # how many layers keep the first style: the first so many
    np.testing.assert_array_equal(mixed[..., 0], np.arange(6) < own[:, None])
    shares = np.bincount(own, minlength=7) / 400
    assert shares[0] == 0 and shares[6] == pytest.approx(0.25, abs=0.06)
    np.testing.assert_allclose(shares[1:6], 0.15, atol=0.06)


def test_average_of_training_and_truncation():
    layer = Styles(2, mixing=0.0, decay=0.9)
    for _ in range(2):
        np.testing.assert_array_equal(layer(FIRST, SECOND, training=True), 1)
    np.testing.assert_allclose(layer.average, 1 - 0.9**2, rtol=1e-6)
    np.testing.assert_array_equal(layer(2 * FIRST, SECOND), 2)
    layer.truncation = 0.5
    np.testing.assert_allclose(layer(2 * FIRST, SECOND), (2 + 0.19) / 2, rtol=1e-6)
    np.testing.assert_array_equal(layer(FIRST, SECOND, training=True), 1)  # what learns is not truncated


def test_the_second_latent_is_the_next_pictures():
    latents = tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    np.testing.assert_allclose(NextInBatch()(latents), [[3.0, 4.0], [5.0, 6.0], [1.0, 2.0]])
