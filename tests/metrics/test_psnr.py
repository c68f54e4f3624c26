import numpy as np
import pytest

from metrics.psnr import WEIGHTS, luminance, psnr, psnr_luminance


def pairs(channels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 20, 30, channels))
    noisy = np.clip(images + rng.normal(0, [[[[5]]], [[[20]]], [[[60]]]], images.shape), 0, 255)
    return noisy.astype(np.uint8), images.astype(np.uint8)


def test_worked_by_hand():
    a = np.zeros((4, 2, 2, 1), np.uint8)
    b = a.copy()
    b[1] = 255  # all wrong
    b[2, 0, 0] = 255  # a quarter is
    b[3] = 1
    expected = [np.inf, 0, 10 * np.log10(4), 20 * np.log10(255)]
    np.testing.assert_allclose(psnr(a, b), expected, rtol=1e-12)
    np.testing.assert_allclose(psnr(a / 255, b / 255, data_range=1), expected, rtol=1e-12)
    np.testing.assert_allclose(psnr(b, a), expected, rtol=1e-12)  # unsigned differences do not wrap


def test_is_that_of_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    a, b = pairs()
    expected = [metrics.peak_signal_noise_ratio(y, x, data_range=255) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(psnr(a, b), expected, rtol=1e-12)
    inner = (slice(None), slice(4, -4), slice(4, -4))
    np.testing.assert_array_equal(psnr(a, b, border=4), psnr(a[inner], b[inner]))


def test_its_weights_are_matlabs_to_the_last_digit():
    assert WEIGHTS == (65.481, 128.553, 24.966)


def test_luminance_worked_by_hand():
    colors = np.array(
        [[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [128, 128, 128]], np.uint8
    )
    y = luminance(colors)
    assert y.dtype == np.uint8 and y.shape == (6, 1)
    assert y[:, 0].tolist() == [16, 235, 81, 145, 41, 126]  # MATLAB's
    np.testing.assert_allclose(luminance(colors / 255, 1)[1:3, 0], [235 / 255, 81.481 / 255], rtol=1e-12)
    np.testing.assert_allclose(luminance(colors.astype(np.float32), 255)[1:3, 0], [235, 81.481], rtol=1e-6)


def test_psnr_of_luminance_worked_by_hand():
    a = np.zeros((2, 4, 5, 3), np.uint8)
    b = np.full_like(a, 255)
    white_by_black = 20 * np.log10(255 / 219)  # Y is from 16 to 235
    np.testing.assert_allclose(psnr_luminance(a, b), white_by_black, rtol=1e-9)
    b[1, 1:-1, 1:-1] = 0
    b[1, 1, 1, 1] = 255  # of six pixels inside the border, one is green
    one_of_six_green = 20 * np.log10(255 / 128.553) + 10 * np.log10(6)
    np.testing.assert_allclose(psnr_luminance(a, b, border=1), [white_by_black, one_of_six_green], rtol=1e-9)


def test_luminance_is_that_of_scikit_image():
    color = pytest.importorskip("skimage.color")
    rgb = pairs()[1]
    np.testing.assert_allclose(luminance(rgb / 255, 1)[..., 0] * 255, color.rgb2ycbcr(rgb)[..., 0], rtol=1e-9)
    np.testing.assert_array_equal(luminance(rgb)[..., 0], np.floor(color.rgb2ycbcr(rgb)[..., 0] + 0.5))


def test_rounding_luminance_moves_little():
    a, b = pairs()
    rounded = psnr(luminance(a), luminance(b))
    exact = psnr(luminance(a.astype(float), 255), luminance(b.astype(float), 255), 255)
    np.testing.assert_allclose(rounded, exact, atol=0.1)
    assert (rounded > psnr(a, b)).all()  # noise of the channels averages out


def test_what_cannot_be_compared_is_refused():
    a, b = pairs()
    for x, y, match in ((a, b[:2], "shape"), (a[0], b[0], "shape"), (a, b / 255, "kind")):
        with pytest.raises(ValueError, match=match):
            psnr(x, y)
    with pytest.raises(ValueError, match="data_range"):
        psnr(a / 255, b / 255)
    with pytest.raises(ValueError, match="range of 255"):
        psnr(a, b, data_range=1)
    for wrong in (a / 127.5 - 1, a * np.nan):
        with pytest.raises(ValueError, match="Clip"):
            psnr(wrong, b / 255, data_range=1)
    with pytest.raises(ValueError, match="leaves nothing"):
        psnr(a, b, border=10)
    with pytest.raises(ValueError, match="RGB"):
        luminance(a[..., :1])
