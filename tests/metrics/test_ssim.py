import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from metrics.psnr import luminance
from metrics.ssim import ms_ssim, ssim


def pairs(height: int, width: int, channels: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Smooth pictures with some noise of their own, and noisy, blurred and dark versions."""
    rng = np.random.default_rng(seed)
    images = ndimage.gaussian_filter(rng.normal(size=(3, height, width, channels)), (0, 3, 3, 0)) * 700 + 128
    images = np.clip(images + rng.normal(0, 8, images.shape), 0, 255)
    worse = np.stack(
        [
            images[0] + rng.normal(0, 25, images[0].shape),
            ndimage.gaussian_filter(images[1], (2, 2, 0)),
            images[2] * 0.6,
        ]
    )
    return np.clip(worse, 0, 255).astype(np.uint8), images.astype(np.uint8)


def by_the_definition(x: np.ndarray, y: np.ndarray) -> float:
    """Of two pictures `[height, width]` in 0..255, window by window."""
    g = np.exp(-(np.arange(-5, 6.0) ** 2) / (2 * 1.5**2))
    window = np.outer(g, g) / np.outer(g, g).sum()
    values = []
    for i in range(x.shape[0] - 10):
        for j in range(x.shape[1] - 10):
            p, q = (z[i : i + 11, j : j + 11].astype(float) for z in (x, y))
            mp, mq = (window * p).sum(), (window * q).sum()
            vp, vq = (window * (p - mp) ** 2).sum(), (window * (q - mq) ** 2).sum()
            cov = (window * (p - mp) * (q - mq)).sum()
            c1, c2 = 2.55**2, 7.65**2
            values.append((2 * mp * mq + c1) * (2 * cov + c2) / ((mp**2 + mq**2 + c1) * (vp + vq + c2)))
    return np.mean(values)


def test_is_the_definition():
    a, b = pairs(15, 21, 1)
    expected = [by_the_definition(x[..., 0], y[..., 0]) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(ssim(a, b), expected, rtol=1e-10)
    np.testing.assert_allclose(ssim(a / 255, b / 255, 1), expected, rtol=1e-10)


def test_worked_by_hand():
    # Plain pictures have no variance: only (2 m n + c1) / (m^2 + n^2 + c1) is left, of 100 and 150, c1 = 6.5025.
    a, b = (np.full((1, 16, 16, 1), value, np.uint8) for value in (100, 150))
    expected = (2 * 100 * 150 + 6.5025) / (100**2 + 150**2 + 6.5025)
    assert ssim(a, b) == pytest.approx([expected])
    a, b = (np.full((1, 161, 161, 2), value, np.uint8) for value in (100, 150))
    assert ms_ssim(a, b) == pytest.approx([expected**0.1333])
    # Around grey, the negative: means agree, and structure is -1 but for c2.
    x = np.random.default_rng(1).choice([-40.0, 40.0], (1, 40, 40, 1))
    assert ssim(128 + x, 128 - x, 255)[0] == pytest.approx(-1, abs=0.05)


SCIKIT_IMAGE = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=-1)


@pytest.mark.parametrize("channels", [1, 3])
def test_is_that_of_scikit_image(channels):
    metrics = pytest.importorskip("skimage.metrics")
    a, b = pairs(48, 64, channels)
    expected = [metrics.structural_similarity(x, y, **SCIKIT_IMAGE) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(ssim(a, b), expected, rtol=1e-9)


def test_of_luminance_without_a_border():
    """What a super-resolution paper reports."""
    metrics = pytest.importorskip("skimage.metrics")
    a, b = map(luminance, pairs(48, 64))
    inner = (slice(None), slice(4, -4), slice(4, -4))
    expected = [
        metrics.structural_similarity(x, y, **SCIKIT_IMAGE) for x, y in zip(a[inner], b[inner], strict=True)
    ]
    np.testing.assert_allclose(ssim(a, b, border=4), expected, rtol=1e-9)


@pytest.mark.parametrize("size", [(176, 192), (161, 183)], ids=["even", "odd"])
def test_both_are_those_of_tensorflow(size):
    a, b = pairs(*size, 3)
    np.testing.assert_allclose(ssim(a, b), tf.image.ssim(a, b, 255), rtol=1e-4)
    found = ms_ssim(a, b)
    np.testing.assert_allclose(found, tf.image.ssim_multiscale(a, b, 255), rtol=1e-4)
    assert (found > ssim(a, b)).all() and (found < 1).all()


def test_equal_pictures_score_one_and_worse_ones_less():
    a, b = pairs(170, 170, 1)
    np.testing.assert_allclose(ssim(a, a), 1, rtol=1e-12)
    np.testing.assert_allclose(ms_ssim(a, a), 1, rtol=1e-12)
    less = (a.astype(float) + b) / 2
    assert (ssim(less, b.astype(float), 255) > ssim(a, b)).all()
    assert (ms_ssim(less, b.astype(float), 255) > ms_ssim(a, b)).all()


def test_negative_structure_has_no_power():
    x = np.random.default_rng(2).choice([-100.0, 100.0], (1, 170, 170, 1))
    assert ms_ssim(128 + x, 128 - x, 255)[0] == 0


def test_too_small_pictures_are_refused():
    a, b = pairs(40, 10)
    with pytest.raises(ValueError, match="11 px"):
        ssim(a, b)
    a, b = pairs(40, 20)
    with pytest.raises(ValueError, match="11 px"):
        ssim(a, b, border=5)
    with pytest.raises(ValueError, match="161 px"):
        ms_ssim(*pairs(160, 170))
    with pytest.raises(ValueError, match="shape"):
        ssim(a, b[:1])
