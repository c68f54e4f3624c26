import numpy as np
import pytest
from PIL import Image, ImageFilter

from metrics import sliced_wasserstein as swd


def pictures(num: int, size: int, channels: int, seed: int) -> np.ndarray:
    """Random discs in [-1, 1]: something with detail at every scale."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    images = np.empty((num, size, size, channels), np.float32)
    for image in images:
        image[:] = rng.uniform(-1, 1, channels)
        for _ in range(8):
            (cx, cy), radius = rng.uniform(size=2), rng.uniform(0.03, 0.3)
            image[(x - cx) ** 2 + (y - cy) ** 2 < radius**2] = rng.uniform(-1, 1, channels)
    return images


def blurred(images: np.ndarray, sigma: float) -> np.ndarray:
    def blur(plane: np.ndarray) -> np.ndarray:
        image = Image.fromarray(np.rint((plane + 1) * 127.5).astype(np.uint8))
        return np.asarray(image.filter(ImageFilter.GaussianBlur(sigma)), np.float32) / 127.5 - 1

    return np.stack([np.stack([blur(i[..., c]) for c in range(i.shape[-1])], axis=-1) for i in images])


@pytest.mark.parametrize(
    ("shape", "sizes"),
    [((64, 64, 3), [64, 32, 16]), ((16, 16, 1), [16]), ((63, 48, 1), [(63, 48), (32, 24)]), ((31, 31, 1), [31])],
)
def test_pyramid_reconstructs_the_picture(shape, sizes):
    images = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    pyramid = swd.laplacian_pyramid(images)
    assert [p.shape[1:3] for p in pyramid] == [s if isinstance(s, tuple) else (s, s) for s in sizes]
    rebuilt = pyramid[-1]
    for band in reversed(pyramid[:-1]):
        rebuilt = band + swd._doubled(rebuilt, band.shape)
    np.testing.assert_allclose(rebuilt, images, atol=1e-5)


def test_pyramid_separates_scales():
    """Plain colour lies in the coarsest level alone; a chequered pixel pattern in the finest alone."""
    plain = swd.laplacian_pyramid(np.full((1, 64, 64, 1), 0.5))
    assert [float(abs(level).max()) for level in plain] == pytest.approx([0, 0, 0.5], abs=1e-6)
    chequered = np.indices((64, 64)).sum(axis=0)[None, :, :, None] % 2 * 2.0 - 1
    fine, middle, coarse = (float(abs(level).max()) for level in swd.laplacian_pyramid(chequered))
    assert fine == pytest.approx(1, abs=1e-6) and middle < 1e-6 and coarse < 1e-6


def test_distance_of_known_distributions():
    """White noise of two kinds at 16 px, where the pyramid has one level: each patch is 49 independent numbers.

    Projected, both are nearly normal with variance 1, so there is nothing between them; against patches all of one
    random colour, whose projections have a variance of (sum of the direction)^2, there is.
    """
    rng = np.random.default_rng(0)
    normal, coin = rng.normal(size=(300, 16, 16, 1)), rng.integers(0, 2, (300, 16, 16, 1)) * 6.0 + 100
    assert swd.sliced_wasserstein(normal, coin, patches=32, projections=256) < 40
    plain = np.broadcast_to(rng.normal(size=(300, 1, 1, 1)), normal.shape)
    directions = rng.standard_normal((20_000, 49))
    deviations = abs(directions.sum(axis=1)) / np.linalg.norm(directions, axis=1)  # |cos| * 7
    # Wasserstein-1 distance of normal distributions of deviations s and 1: |s - 1| * sqrt(2 / pi)
    expected = 1000 * np.mean(abs(deviations - 1)) * np.sqrt(2 / np.pi)
    assert swd.sliced_wasserstein(normal, plain, patches=32, projections=256) == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("channels", [1, 3])
def test_orders_pictures_by_how_blurred_they_are(channels):
    images = pictures(192, 64, channels, seed=0)
    one, other = images[:96], images[96:]
    floor = swd.per_level(one, other)
    assert list(floor) == [64, 32, 16]
    weak, strong = (swd.per_level(one, blurred(other, sigma)) for sigma in (0.7, 2.0))
    mean = [np.mean(list(levels.values())) for levels in (floor, weak, strong)]
    assert 1.15 * mean[0] < mean[1] < mean[2] / 1.4
    assert 1.5 * floor[64] < weak[64] < strong[64] / 2
    assert weak[16] < 1.1 * floor[16]  # a weak blur leaves the large forms alone
    assert swd.sliced_wasserstein(one, other) == pytest.approx(mean[0])


def test_more_patches_bring_a_set_nearer_to_itself():
    images = pictures(48, 32, 1, seed=1)
    few, many = (swd.sliced_wasserstein(images, images, patches=n) for n in (4, 256))
    assert 0 < many < few / 3
    assert many < 25


def test_is_seeded_and_ignores_the_range():
    one, other = pictures(64, 32, 3, seed=2).reshape(2, 32, 32, 32, 3)
    first = swd.per_level(one, other, seed=5)
    assert first == swd.per_level(one, other, seed=5)
    assert first != swd.per_level(one, other, seed=6)
    stretched = swd.per_level(one * 127.5 + 127.5, other, seed=5)
    assert list(stretched.values()) == pytest.approx(list(first.values()), rel=1e-3)


def test_what_cannot_be_compared_is_refused():
    for a, b in (((2, 15, 15, 1), (2, 15, 15, 1)), ((2, 16, 16, 1), (3, 16, 16, 1)), ((16, 16, 1), (16, 16, 1))):
        with pytest.raises(ValueError, match="16 px"):
            swd.sliced_wasserstein(np.zeros(a), np.zeros(b))
