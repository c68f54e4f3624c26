"""Directions in latent space, on generators whose directions are known."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from models import directions
from models.networks import dcgan, fastgan


def stretching(factors: np.ndarray, basis: np.ndarray, classes: int = 0) -> keras.Model:
    """A generator whose first layer stretches the rows of `basis` by `factors`."""
    d = len(factors)
    latent = keras.Input((d,))
    x, inputs = latent, latent
    if classes:
        label = keras.Input((), dtype="int32")
        x, inputs = layers.Concatenate()([latent, ops.one_hot(label, classes)]), [latent, label]
    dense = layers.Dense(d, use_bias=False)
    x = layers.LeakyReLU(1.0)(dense(x))  # a slope of 1: linear
    model = keras.Model(inputs, layers.Reshape((1, d, 1))(x))
    dense.set_weights([np.concatenate([basis.T * factors, np.ones((classes, d))])])
    return model


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("find", [directions.sefa, directions.ganspace])
def test_finds_what_is_stretched_most(find, classes):
    basis, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))
    model = stretching(np.array([1.0, 9.0, 0.1, 3.0, 27.0, 0.3]), basis, classes)
    found = find(model, 3)
    assert found.shape == (3, 6) and found.dtype == np.float32
    expected = basis[[4, 1, 3]]
    cosines = np.abs(np.sum(found * expected, axis=1))
    # Exact in closed form; from samples, up to their chance correlations.
    np.testing.assert_allclose(cosines, 1, atol=1e-5 if find is directions.sefa else 0.02)
    assert (directions.generator_classes(model) if classes else 0) == classes


def test_real_generators_have_directions():
    for condition in ("none", "concat", "projection"):
        model = dcgan.generator((32, 32, 3), latent_dim=8, width=4, num_classes=3, condition=condition)
        for find in (directions.sefa, directions.ganspace):
            np.testing.assert_allclose(np.linalg.norm(find(model, 8), axis=1), 1, rtol=1e-5)
    with pytest.raises(ValueError, match="at most so many"):
        directions.sefa(model, 9)
    gated = fastgan.generator((64, 64, 3), latent_dim=8, width=1)
    assert directions._first_block(gated).shape == (None, 4, 4, 16)  # what comes of the seed
    np.testing.assert_allclose(np.linalg.norm(directions.ganspace(gated, 8, samples=50), axis=1), 1, rtol=1e-5)
