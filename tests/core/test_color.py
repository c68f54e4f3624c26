import numpy as np
import pytest

from core import color

random = np.random.default_rng(0)


def picture(mean: float, spread: float) -> np.ndarray:
    mixing = random.normal(size=(3, 3)) * spread
    return (random.normal(size=(40, 50, 3)) @ mixing + mean).astype(np.float32)


def test_matched_colors_have_the_reference_s_mean_and_covariance():
    image, reference = picture(0.2, 0.1), picture(-0.1, 0.05)
    matched = color.match_colors(image, reference).reshape(-1, 3)
    np.testing.assert_allclose(matched.mean(0), reference.reshape(-1, 3).mean(0), atol=1e-3)
    np.testing.assert_allclose(np.cov(matched.T), np.cov(reference.reshape(-1, 3).T), atol=1e-3)


def test_matching_itself_changes_nothing():
    image = np.clip(picture(0.0, 0.1), -1, 1)
    np.testing.assert_allclose(color.match_colors(image, image), image, atol=1e-3)


@pytest.mark.parametrize("constant", ["image", "reference"])
def test_a_single_colour_is_no_error(constant):
    pictures = {"image": picture(0, 0.1), "reference": picture(0, 0.1)} | {
        constant: np.full((4, 4, 3), 0.3, np.float32)
    }
    assert np.isfinite(color.match_colors(**pictures)).all()


def test_luminance_of_one_and_colour_of_the_other():
    image, painted = picture(0.0, 0.05), picture(0.0, 0.05)
    mixed = color.with_luminance(image, painted)
    np.testing.assert_allclose(mixed @ color.YIQ[0], painted @ color.YIQ[0], atol=1e-5)
    np.testing.assert_allclose(mixed @ color.YIQ[1:].T, image @ color.YIQ[1:].T, atol=1e-5)


def test_matched_luminance_keeps_colors():
    image, reference = picture(0.1, 0.05), picture(-0.2, 0.1)
    matched = color.match_luminance(image, reference)
    light, wanted = matched @ color.YIQ[0], reference @ color.YIQ[0]
    assert (light.mean(), light.std()) == pytest.approx((wanted.mean(), wanted.std()), abs=0.02)
    inside = (abs(matched) < 1).all(axis=-1)
    np.testing.assert_allclose((matched @ color.YIQ[1:].T)[inside], (image @ color.YIQ[1:].T)[inside], atol=1e-5)
