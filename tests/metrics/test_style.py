import numpy as np
import pytest
from scipy import linalg

from losses import perceptual
from metrics import style


@pytest.fixture
def activations() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, 3, 6, 8, 5)).astype(np.float32)


def test_content_distance(activations):
    a, b = activations
    np.testing.assert_allclose(
        style.content_distance(a, b), [float(perceptual.content_loss(a[i], b[i])) for i in range(3)], rtol=1e-5
    )
    assert style.content_distance(np.zeros((1, 1, 2, 1)), np.array([[[[1.0], [3.0]]]])).tolist() == [5]
    with pytest.raises(ValueError, match="shapes"):
        style.content_distance(a, b[:, :3])


def test_gram_distance(activations):
    a, b = activations
    losses = [
        float(perceptual.gram_loss(*(perceptual.gram_matrix(x[i : i + 1]) for x in (a, b)))) for i in range(3)
    ]
    np.testing.assert_allclose(style.gram_distance(a, b), losses, rtol=1e-4)
    np.testing.assert_allclose(style.gram_distance(a, b[:1])[0], losses[0], rtol=1e-4)  # one style for all
    # Where things are does not count, nor how large the picture is.
    moved = np.tile(a[:, ::-1], (1, 2, 3, 1))
    np.testing.assert_allclose(style.gram_distance(moved, a), 0, atol=1e-12)
    # Two places (1, 2), (3, 0): F^T F = [[10, 2], [2, 4]], over 2 places * 2 channels; against nothing.
    found = style.gram_distance(np.array([[[[1.0, 2.0], [3.0, 0.0]]]]), np.zeros((1, 1, 1, 2)))
    assert found == pytest.approx([(100 + 4 + 4 + 16) / 16 / 4])
    with pytest.raises(ValueError, match="styles"):
        style.gram_distance(a, b[:2])


def test_artfid():
    assert style.artfid(0, 0) == 1
    assert style.artfid(0.5, 19) == 30
    for parts in ((-0.1, 1), (0.1, -1), (float("nan"), 1)):
        with pytest.raises(ValueError):
            style.artfid(*parts)


def test_lab_of_known_colours():
    colors = np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 0, 255]], np.uint8)
    expected = [[0, 0, 0], [100, 0, 0], [53.24, 80.09, 67.20], [32.30, 79.19, -107.86]]
    np.testing.assert_allclose(style.lab(colors), expected, atol=0.02)
    np.testing.assert_allclose(style.lab(colors / np.float32(127.5) - 1), style.lab(colors), atol=1e-4)
    with pytest.raises(ValueError, match="Colours"):
        style.lab(colors[:, :1])


def test_lab_is_that_of_scikit_image():
    color = pytest.importorskip("skimage.color")
    images = np.random.default_rng(1).integers(0, 256, (2, 9, 7, 3), dtype=np.uint8)
    images[0, 0] //= 20  # dark ones, where it is linear
    np.testing.assert_allclose(style.lab(images), color.rgb2lab(images), rtol=1e-3, atol=1e-3)


@pytest.fixture
def pictures() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    return rng.uniform(-1, 1, (8, 10, 3)), np.clip(rng.normal(0.3, [0.1, 0.5, 0.3], (8, 10, 3)), -1, 1)


def test_color_moments(pictures):
    a, b = (style.lab(x).reshape(-1, 3) for x in pictures)
    mean, spread = style.color_moments(*pictures)
    assert mean == pytest.approx(np.linalg.norm(a.mean(axis=0) - b.mean(axis=0)), rel=1e-9)
    ca, cb = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = linalg.sqrtm(ca)
    squared = np.trace(ca + cb - 2 * np.real(linalg.sqrtm(root @ cb @ root)))
    assert spread == pytest.approx(np.sqrt(squared), rel=1e-9)
    # Grey pictures: only L has a spread, and the distance is that of its deviations.
    greys = [np.repeat(x[..., :1], 3, axis=-1) for x in pictures]
    deviations = [style.lab(x)[..., 0].std(ddof=1) for x in greys]
    assert style.color_moments(*greys)[1] == pytest.approx(abs(deviations[0] - deviations[1]), rel=1e-3)


def test_colours_alone_count(pictures):
    a, _ = pictures
    shuffled = np.random.default_rng(3).permutation(a.reshape(-1, 3)).reshape(10, 8, 3)
    larger = np.tile(shuffled, (3, 2, 1))
    mean, spread = style.color_moments(a, larger)
    assert mean == pytest.approx(0, abs=1e-9) and spread < 0.5  # n - 1 is another share of them
    assert style.color_moments(a, a) == pytest.approx((0, 0), abs=1e-4)
