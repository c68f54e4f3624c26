"""ADA's transformations beside NumPy and SciPy."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage, signal, stats
from scipy.spatial.transform import Rotation

from models import ada
from models.augmentation import Augmentation

SEED = tf.constant([3, 4], tf.int32)
STEP = tf.constant(0, tf.int64)
ALWAYS = tf.constant(1.0)


def pictures(num: int = 6, size: int = 16, channels: int = 3) -> tf.Tensor:
    return tf.random.stateless_uniform([num, size, size, channels], (1, 2), -1, 1)


def blitted(image: np.ndarray, flip: bool, turn: int, down: int, right: int) -> np.ndarray:
    size = len(image)
    image = np.rot90(image[:, ::-1] if flip else image, turn)
    image = np.pad(image, ((4, 4), (4, 4), (0, 0)), "reflect")
    return image[4 - down : 4 - down + size, 4 - right : 4 - right + size]


def test_blit_flips_turns_and_shifts_exactly():
    images = pictures(200, 8)
    done = set()
    every = list(itertools.product((False, True), range(4), (-1, 0, 1), (-1, 0, 1)))
    for image, seen in zip(images.numpy(), ada.blit(images, SEED, ALWAYS).numpy(), strict=True):
        fitting = [how for how in every if np.array_equal(blitted(image, *how), seen)]
        assert len(fitting) == 1
        done.update(fitting)
    assert {how[:2] for how in done} == {how[:2] for how in every}
    assert {how[2:] for how in done} == {how[2:] for how in every}


def by_scipy(image: np.ndarray, back: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Resamples a picture with wide plain borders, `[size, size]`, into which no mirror image is to come."""
    size, taps = len(image), len(ada.LOW_PASS)
    large = image
    for axis in (0, 1):
        large = 2 * np.take(signal.upfirdn(ada.LOW_PASS, large, up=2, axis=axis), range(5, 5 + 2 * size), axis)
    places = (np.arange(2 * size + 12) - 6 + 0.5) / 2 - size / 2
    x, y = np.meshgrid(places, places)
    moved = np.einsum("ij,jhw->ihw", back, np.stack([x, y]) - shift[:, None, None])
    column, row = 2 * (moved + (size - 1) / 2) + 0.5
    sampled = ndimage.map_coordinates(large, [row, column], order=1, cval=0)
    for axis in (0, 1):  # correlation is convolution by the reversed filter
        full = signal.upfirdn(ada.LOW_PASS[::-1], sampled, axis=axis)
        sampled = np.take(full, range(taps, taps + 2 * size, 2), axis)
    return sampled


def test_resampling_is_scipys():
    inner = pictures(3, 12, 1)
    images = tf.pad(inner, [[0, 0], [14, 14], [14, 14], [0, 0]])
    angle = 0.5
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    back = np.stack([turned @ np.diag([1.2, 0.9]), np.diag([0.9, 1.1]) @ turned, np.eye(2)]).astype("float32")
    shift = np.array([[1.3, -0.4], [0, 2.2], [-3, 1]], "float32")
    seen = ada.resample(images, tf.constant(back), tf.constant(shift)).numpy()[..., 0]
    expected = [by_scipy(*each) for each in zip(images.numpy()[..., 0], back, shift, strict=True)]
    inside = np.s_[:, 7:-7, 7:-7]
    np.testing.assert_allclose(seen[inside], np.array(expected)[inside], atol=1e-5)
    whole = np.roll(images.numpy()[2, ..., 0], (1, -3), (0, 1))  # whole pixels down, to the left
    np.testing.assert_allclose(seen[2], whole, atol=1e-5)


def test_resampling_mirrors_at_the_borders():
    x, y = np.meshgrid(np.linspace(-1, 1, 16), np.linspace(-1, 1, 16))
    image = np.stack([np.cos(2 * x + y), np.sin(x - 2 * y)], axis=-1).astype("float32")
    shift = np.array([[5.0, -3.0], [40.0, 0.0]], "float32")
    eye = tf.eye(2, batch_shape=[2])
    seen = ada.resample(tf.constant(np.stack([image] * 2)), eye, tf.constant(shift)).numpy()
    padded = np.pad(image, ((48, 48), (48, 48), (0, 0)), "reflect")
    for one, (right, down) in zip(seen, shift.astype(int), strict=True):
        expected = padded[48 - down : 64 - down, 48 - right : 64 - right]
        np.testing.assert_allclose(one, expected, atol=0.06)


@pytest.fixture
def drawn(monkeypatch):
    """Draws many geometries: what leads back, `[num, 2, 2]`, and shifts, `[num, 2]`, in pixels of 16."""

    def geometries(probability: float) -> tuple[np.ndarray, np.ndarray]:
        seen = []
        monkeypatch.setattr(ada, "resample", lambda images, *how: seen.extend(how) or images)
        ada.geometry(tf.zeros([4000, 16, 16, 1]), SEED, tf.constant(probability))
        return tuple(np.asarray(x) for x in seen)

    return geometries


def test_geometry_has_the_papers_strengths(drawn):
    back, shift = drawn(1.0)
    scale = np.linalg.det(back) ** -0.5
    assert np.log2(scale).std() == pytest.approx(0.2, rel=0.05) and abs(np.log2(scale).mean()) < 0.02
    large, small = np.linalg.svd(back, compute_uv=False).T
    stretch = np.log2(large / small) / 2  # the size of a normal draw
    assert np.sqrt((stretch**2).mean()) == pytest.approx(0.2, rel=0.05)
    assert shift.std(axis=0) == pytest.approx([2, 2], rel=0.05)
    angle = np.arctan2(back[:, 1, 0] - back[:, 0, 1], back[:, 0, 0] + back[:, 1, 1])  # both rotations' sum
    assert stats.kstest(angle, stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-3


def test_geometry_has_the_probability_for_each(drawn):
    back, shift = drawn(0.3)
    straight = (back[:, 0, 1] == 0) & (back[:, 1, 0] == 0)
    assert straight.mean() == pytest.approx(0.7, abs=0.03)  # neither of the two rotations
    assert (shift == 0).all(axis=1).mean() == pytest.approx(0.7, abs=0.03)
    assert (back[straight, 0, 0] == 1).mean() == pytest.approx(0.49, abs=0.03)  # neither of the two scales


def by_hand(draws: list[float], channels: int) -> np.ndarray:
    """Multiplies the matrices `[4, 4]` of the five colour transformations, in the paper's order."""
    brightness, contrast, flip, hue, saturation = draws
    gray = np.array([1, 1, 1, 0]) / np.sqrt(3)
    axis, eye = np.outer(gray, gray), np.eye(4)
    add, scale = np.eye(4), np.eye(4)
    add[:3, 3] = 0.2 * stats.norm.ppf(brightness)
    scale[:3, :3] *= 2 ** (0.5 * stats.norm.ppf(contrast))
    mirror = eye - 2 * axis * (flip < 0.5)
    if channels == 1:
        return mirror @ scale @ add
    angle = (2 * hue - 1) * np.pi
    rotation = np.eye(4)
    rotation[:3, :3] = Rotation.from_rotvec(angle * gray[:3]).as_matrix()
    return (axis + (eye - axis) * 2 ** stats.norm.ppf(saturation)) @ rotation @ mirror @ scale @ add


@pytest.mark.parametrize("channels", [1, 3])
def test_colors_are_the_matrices_by_hand(channels):
    images = pictures(8, 4, channels)
    draws = np.stack(ada._uniform(images, SEED, 10)).astype("float64").T[:, :5]
    seen = ada.recolor(images, SEED, ALWAYS).numpy()
    for image, one, draw in zip(images.numpy(), seen, draws, strict=True):
        matrix = by_hand(draw, channels)
        colors = np.broadcast_to(image, (4, 4, 3)).reshape(-1, 3)
        expected = colors @ matrix[:3, :3].T + matrix[:3, 3]
        np.testing.assert_allclose(one.reshape(-1, channels), expected[:, :channels], atol=1e-4)


def test_color_share_is_a_factor_of_the_probability():
    images = pictures(2000, 2)
    seen = Augmentation(["recolor"], probability=0.4, color_share=0.5)(images, SEED, STEP)
    unchanged = np.all(seen == images, axis=(1, 2, 3)).mean()
    assert unchanged == pytest.approx(0.8**4 * 0.9, abs=0.03)  # half of the flips of lightness do nothing


def test_probability_zero_changes_no_bit():
    images = pictures()
    np.testing.assert_array_equal(Augmentation(["ada"], probability=0.0)(images, SEED, STEP), images)


def test_a_schedule_sets_the_probability():
    layer = Augmentation(["ada"], probability=lambda step: tf.cast(step, tf.float32) / 10)
    images, late = pictures(), tf.constant(8, tf.int64)
    np.testing.assert_array_equal(layer(images, SEED, STEP), images)
    np.testing.assert_array_equal(
        layer(images, SEED, late), Augmentation(["ada"], probability=0.8)(images, SEED, STEP)
    )
    with pytest.raises(ValueError, match="not by both"):
        Augmentation(["ada"], probability=lambda step: 0.5, target=0.6)


def test_gradients_once_and_twice_and_the_same_under_xla():
    images, step = pictures(4, 8), 0.25 * pictures(4, 8)[::-1].numpy()
    layer = Augmentation(["blit", "geometry", "recolor"], probability=0.8)

    def compute():
        with tf.GradientTape() as outer:
            outer.watch(images)
            with tf.GradientTape() as inner:
                inner.watch(images)
                seen = layer(images, SEED, STEP)
                loss = tf.reduce_sum(seen**3)
            gradient = inner.gradient(loss, images)
            norm = tf.reduce_sum(gradient**2)
        return seen, gradient, outer.gradient(norm, images), layer(images + step, SEED, STEP)

    seen, gradient, second, further = (x.numpy() for x in compute())
    assert np.abs(seen - images).max() > 0.5
    # Linear but for a constant, J: the gradient is 3 J' seen^2, the second one is 12 J' (seen * J gradient).
    moved = further - seen
    np.testing.assert_allclose((gradient * step).sum(), 3 * (seen**2 * moved).sum(), rtol=1e-3)
    along = layer(images + gradient, SEED, STEP).numpy() - seen
    np.testing.assert_allclose((second * step).sum(), 12 * (seen * along * moved).sum(), rtol=1e-3)

    @tf.function(jit_compile=True)
    def compiled():
        seen = layer(images, SEED, STEP)
        return seen, tf.gradients(seen**3, images)[0]

    for ours, other in zip((seen, gradient), compiled(), strict=True):
        np.testing.assert_allclose(other, ours, rtol=1e-3, atol=1e-3)
