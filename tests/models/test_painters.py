"""What painters do around their networks."""

import keras
import numpy as np
import tensorflow as tf

from models import painters
from models.color import YIQ
from models.networks import srresnet, unet
from models.steady import steadied

random = np.random.default_rng(0)


def test_colours_are_laid_over_the_picture_s_own_light_and_dark():
    """However large the picture: its details do not pass through a network that learned from small ones."""
    keras.utils.set_random_seed(0)
    network = unet.generator((32, 32, 3), (32, 32, 1), width=4)
    network.get_layer("out").bias.assign([0.3, 0.0, -0.3])
    paint = painters.translation(network, "colorize", 32, None, 512)
    grey = np.repeat(random.uniform(-0.5, 0.5, (70, 90, 1)), 3, axis=-1).astype(np.float32)
    painted = paint(grey, None)
    assert painted.shape == grey.shape and np.ptp(painted, axis=-1).min() > 0.1
    inside = abs(painted).max(axis=-1) < 1  # no clipping
    assert inside.mean() > 0.5
    np.testing.assert_allclose((painted @ YIQ[0])[inside], grey[..., 0][inside], atol=1e-3)


def test_pictures_of_several_sizes_are_enlarged():
    """One after the other: the network is compiled for sizes that are not known then."""
    network = srresnet.generator((32, 32, 3), (8, 8, 3), width=4, blocks=1)
    paint = painters.translation(network, "super_resolution", 32, None, 512)
    for sides in ((10, 12), (9, 16), (11, 8)):
        image = random.uniform(-1, 1, (*sides, 3)).astype(np.float32)
        expected = np.clip(tf.image.resize(image, [4 * side for side in sides], "bicubic"), -1, 1)
        assert paint(image, None).shape == expected.shape
        np.testing.assert_allclose(paint(image, None)[8:-8, 8:-8], expected[8:-8, 8:-8], atol=1e-5)


def test_films_are_enlarged_without_flicker():
    """Frames that do not change stay as they were painted, though the result is larger than the film."""
    network = srresnet.generator((32, 32, 3), (8, 8, 3), width=4, blocks=1)
    paint = painters.translation(network, "super_resolution", 32, None, 512)
    frame = random.integers(0, 256, (12, 10, 3), dtype=np.uint8)
    first, second, third = steadied([frame, frame, 255 - frame], paint, keep=0.9)
    assert first.shape == (48, 40, 3)
    np.testing.assert_allclose(second, first, atol=1e-6)
    assert abs(third - second).mean() > 0.1
