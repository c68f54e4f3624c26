"""Tiles: that they cover a picture, and that what is painted in them is what would be painted in one piece."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from models.networks import adain, transform_net
from stylization import feedforward
from stylization.feedforward import Feedforward
from stylization.tiling import tiles

random = np.random.default_rng(0)


@pytest.mark.parametrize("size", [(130, 37), (64, 64), (513, 200)])
@pytest.mark.parametrize("stride", [1, 8])
def test_cores_cover_a_picture_once(size, stride):
    covered = np.zeros(size, int)
    for tile in tiles(size, 64, 10, stride):
        (top, bottom, left, right), outer = tile.core, tile.outer
        covered[top:bottom, left:right] += 1
        assert bottom - top <= 64 + stride and right - left <= 64 + stride
        assert outer[0] == max(0, top - -(-10 // stride) * stride)
        assert all(edge % stride == 0 for edge in (top, left, outer[0], outer[2]))
        assert outer[1] == min(size[0], bottom + -(-10 // stride) * stride)
    assert (covered == 1).all()


def picture(height: int, width: int) -> np.ndarray:
    """Smooth colours with some noise, in [-1, 1]."""
    y, x = np.mgrid[:height, :width] / 50
    waves = np.stack([np.sin(x + 2 * y), np.cos(3 * x - y), np.sin(y) * np.cos(x)], -1)
    return (0.7 * waves + 0.2 * random.uniform(-1, 1, waves.shape)).astype(np.float32)


def test_any_size_comes_back_as_it_went():
    network = transform_net.transformer(width=4, blocks=1)
    image = picture(41, 50)
    assert Feedforward(network, network.geometry)(image).shape == image.shape


def test_tiles_of_adain_are_the_whole(vgg_weights):
    image = picture(250, 303)
    style = {"mean": random.uniform(0, 3, 512), "deviation": random.uniform(1, 3, 512), "strength": np.array([0.8])}
    network = adain.stylizer(width=8, weights=vgg_weights)
    whole, tiled = (Feedforward(network, network.geometry, tile)(image, style) for tile in (512, 128))
    np.testing.assert_allclose(tiled, whole, atol=2e-3)


@pytest.mark.parametrize("sides", [(1, 1), (3, 50), (5, 4)])
def test_tiny_pictures(sides):
    image = picture(*sides)
    network = transform_net.transformer(width=4, blocks=1)
    assert Feedforward(network, network.geometry)(image).shape == image.shape


def test_adain_paints_no_frame(vgg_weights):
    """A picture of one colour stays one: nothing of the encoder's padding is left at its edges."""
    keras.utils.set_random_seed(0)
    network = adain.stylizer(8, vgg_weights)
    style = {"mean": np.ones(512, np.float32), "deviation": np.ones(512, np.float32), "strength": np.zeros(1)}
    image = np.full((64, 64, 3), 0.5, np.float32)
    whole = Feedforward(network, network.geometry)(image, style)
    alone = network({"image": image[None]} | {name: value[None] for name, value in style.items()}).numpy()[0]
    assert np.ptp(whole, axis=(0, 1)).max() < 0.1 * np.ptp(alone, axis=(0, 1)).max()


def test_tiles_see_as_far_as_the_network():
    """With the statistics of the whole, tiles give the whole: the margin is wide enough, and cores fit."""
    network = transform_net.transformer(width=4)
    for layer in network.layers:
        if layer.name.endswith("b_norm"):
            layer.gamma.assign(np.ones_like(layer.gamma))  # so that the blocks take part
    image = picture(244, 300)
    geometry = replace(network.geometry, edge=0)
    run = Feedforward(network, geometry, 128)
    whole = Feedforward(network, geometry, 512)(image)
    run(image)  # makes the copy
    run.shared.estimate(image[None], {})
    painted = np.empty_like(image)
    for tile in tiles((244, 300), 128, network.geometry.reach, network.geometry.stride):
        top, bottom, left, right = tile.outer
        part = run.shared.run(image[None, top:bottom, left:right], {}).numpy()[0]
        up, down, begin, end = tile.inside
        top, bottom, left, right = tile.core
        painted[top:bottom, left:right] = part[up:down, begin:end]
    np.testing.assert_allclose(painted, whole, atol=2e-3)


def halves(height: int, width: int) -> np.ndarray:
    """Left a flat grey, right `picture`: no part of it is like the whole."""
    image = picture(height, width)
    image[:, : width // 2] = -0.5
    return image


def test_sampled_statistics_are_near_those_of_the_whole():
    """Much nearer than those of each tile for itself."""
    keras.utils.set_random_seed(0)
    network = transform_net.transformer(width=4, blocks=1)
    image = halves(400, 700)
    run, apart = (Feedforward(network, network.geometry, 300) for _ in range(2))
    apart.normalized = False
    whole, tiled, separate = Feedforward(network, network.geometry, 1024)(image), run(image), apart(image)
    assert abs(tiled - whole).mean() < 0.3 * abs(separate - whole).mean()
    np.testing.assert_array_equal(tiled, run(image))  # nothing is left over from the picture before
    tiny = Feedforward(network, network.geometry, 64)(image)  # from as large a sample
    assert abs(tiny - whole).mean() < 0.3 * abs(separate - whole).mean()


@pytest.mark.parametrize("sides", [(2160, 3840), (4000, 600), (300, 260)])
@pytest.mark.parametrize("tile", [64, 250, 1280, 3072])
def test_samples_come_from_all_over(sides, tile):
    y, x = np.mgrid[: sides[0], : sides[1]]
    sample = feedforward._sample(np.stack([y, x], -1), tile**2 // 2, 4)
    count, height, width, _ = sample.shape
    assert height == width and height % 4 == 0 and count * height * width <= tile**2 // 2
    for axis, side in enumerate(sides):  # its middle is the picture's; both halves are seen
        assert abs(sample[..., axis].mean() - side / 2) < 4
        assert sample[..., axis].min() < side / 2 < sample[..., axis].max()
