"""Modulated convolutions and their resampling, beside the paper's formulas in NumPy, picture by picture."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers.equalized import EqualizedDense
from models.layers.fir import blur, upsample
from models.layers.modulated import ModulatedConv2D

FILTER = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


def correlated(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """`[n, n, c]` with a kernel `[k, k, c, d]`, no padding, by the definition."""
    size = kernel.shape[0]
    n = x.shape[0] - size + 1
    windows = [[x[i : i + size, j : j + size] for j in range(n)] for i in range(n)]
    return np.array([[np.tensordot(window, kernel, 3) for window in row] for row in windows])


def filtered(x: np.ndarray, padding: tuple[int, int]) -> np.ndarray:
    x = np.pad(x, [padding, padding, (0, 0)])
    return correlated(x, FILTER[:, :, None, None] * np.eye(x.shape[-1]))


def between_zeros(x: np.ndarray) -> np.ndarray:
    large = np.zeros((2 * x.shape[0], 2 * x.shape[1], x.shape[2]))
    large[::2, ::2] = x
    return large


def test_resampling_is_that_of_a_filter():
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype(np.float32)
    np.testing.assert_allclose(blur(x, 2), [filtered(one, (2, 2)) for one in x], atol=1e-5)
    np.testing.assert_allclose(blur(x, 1, 2), [filtered(one, (1, 1))[::2, ::2] for one in x], atol=1e-5)
    doubled = [4 * filtered(between_zeros(one), (2, 1)) for one in x]  # upfirdn2d of the authors' upsample2d
    np.testing.assert_allclose(upsample(x), doubled, atol=1e-5)


@pytest.mark.parametrize(("demodulate", "up"), [(True, False), (True, True), (False, False)])
def test_a_convolution_is_that_of_each_pictures_own_kernel(demodulate, up):
    rng = np.random.default_rng(0)
    x, style = rng.normal(size=(2, 4, 4, 3)).astype(np.float32), rng.normal(size=(2, 5)).astype(np.float32)
    layer = ModulatedConv2D(2, 3, demodulate=demodulate, upsample=up)
    result = layer(x, style).numpy()
    layer.bias.assign([0.5, -1.0])
    kernel = layer.kernel.numpy() / np.sqrt(27)  # equalised: fan-in is 3 x 3 x 3
    scales = style @ layer.affine.kernel.numpy() / np.sqrt(5) + 1  # the bias begins at 1
    for one, scale, made in zip(x, scales, result, strict=True):
        own = kernel * scale[:, None]
        if demodulate:
            own = own / np.sqrt((own**2).sum(axis=(0, 1, 2)) + 1e-8)
        if up:  # every pixel leaves its share of the kernel behind, two pixels apart: the gradient of a convolution
            expected = np.zeros((9, 9, 2))
            for i, j in np.ndindex(4, 4):
                expected[2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += np.tensordot(one[i, j], own, (0, 2))
            expected = 4 * filtered(expected, (1, 1))
        else:
            expected = correlated(np.pad(one, [(1, 1), (1, 1), (0, 0)]), own)
        np.testing.assert_allclose(made, expected, atol=1e-5)
    np.testing.assert_allclose(layer(x, style), result + np.array([0.5, -1.0]), atol=1e-5)


def test_float16_stands_large_styles():
    layer = ModulatedConv2D(4, 3, dtype=keras.DTypePolicy("mixed_float16"))
    x, style = tf.random.stateless_normal([2, 4, 4, 8], (1, 2)), 1e5 * tf.random.stateless_normal([2, 6], (3, 4))
    result = layer(x, style)
    full = ModulatedConv2D(4, 3)
    full.build(x.shape, style.shape)
    full.set_weights(layer.get_weights())
    assert result.dtype == tf.float16
    np.testing.assert_allclose(result, full(x, style), atol=0.02)


def test_slowness_is_a_smaller_learning_rate():
    """Of two layers that compute the same, Adam moves the results of the slow one by a hundredth."""
    x, moved = tf.random.stateless_normal([4, 6], (1, 2)), []
    for slowness in (1, 100):
        keras.utils.set_random_seed(0)
        layer = EqualizedDense(3, slowness=slowness)
        with tf.GradientTape() as tape:
            before = layer(x)
        assert layer.kernel.numpy().std() == pytest.approx(slowness, rel=0.4)
        optimizer = keras.optimizers.Adam(1e-3)
        optimizer.apply(tape.gradient(before, [v.value for v in layer.variables]), layer.variables)
        moved.append((layer(x) - before).numpy())
    np.testing.assert_allclose(moved[1], moved[0] / 100, rtol=0.02, atol=1e-6)
