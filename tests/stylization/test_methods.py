"""What painters do around their networks."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from core.color import YIQ
from data import transforms
from models.networks import adain, srresnet, transform_net, unet
from stylization import adain as by_adain
from stylization import fast, feedforward, optimization, translate
from stylization.method import Interrupted
from stylization.objective import Style
from stylization.resizing import resize_lanczos
from stylization.temporal import stabilize

random = np.random.default_rng(0)


@pytest.fixture
def given(monkeypatch) -> list[np.ndarray]:
    """What translators' networks are given: none is there, and what comes of it is grey."""
    sources = []

    def run(source):
        sources.append(source)
        return np.zeros((*source.shape[:2], 3), np.float32)

    monkeypatch.setattr(feedforward, "Feedforward", lambda network, geometry, tile: run)
    return sources


def test_colours_are_laid_over_the_picture_s_own_light_and_dark():
    """However large the picture: its details do not pass through a network that learned from small ones."""
    keras.utils.set_random_seed(0)
    network = unet.generator((32, 32, 3), (32, 32, 1), width=4)
    network.get_layer("out").bias.assign([0.3, 0.0, -0.3])
    paint = translate.painter(network, network.geometry, "colorize", 32, None, 512)
    grey = np.repeat(random.uniform(-0.5, 0.5, (70, 90, 1)), 3, axis=-1).astype(np.float32)
    painted = paint(grey, None)
    assert painted.shape == grey.shape and np.ptp(painted, axis=-1).min() > 0.1
    inside = abs(painted).max(axis=-1) < 1  # no clipping
    assert inside.mean() > 0.5
    np.testing.assert_allclose((painted @ YIQ[0])[inside], grey[..., 0][inside], atol=1e-3)


@pytest.mark.parametrize(
    ("sides", "size", "seen"), [((70, 90), 32, (32, 41)), ((20, 24), 32, (20, 24)), ((70, 90), None, (70, 90))]
)
def test_colors_are_guessed_at_the_size_that_the_network_learned_at(given, sides, size, seen):
    """What is smaller stays so."""
    image = picture(sides)
    painted = translate.painter(None, None, "colorize", size, None, None)(image, None)
    np.testing.assert_allclose(given[0][..., 0], resize_lanczos(image, seen) @ YIQ[0], atol=1e-5)
    assert given[0].shape == (*seen, 1) and painted.shape == image.shape


def test_a_network_that_paints_drawings_is_given_one(given):
    image = picture()
    translate.painter(None, None, "edges", 32, None, None)(image, None)
    np.testing.assert_allclose(given[0], transforms.edges(image[None])[0], atol=1e-6)
    translate.painter(None, None, "edges", 32, None, None)(image[:1, :2], None)
    assert given[1].shape == (1, 2, 1)


def test_pictures_of_several_sizes_are_enlarged():
    """One after the other: the network is compiled for sizes that are not known then."""
    network = srresnet.generator((32, 32, 3), (8, 8, 3), width=4, blocks=1)
    paint = translate.painter(network, network.geometry, "super_resolution", 32, None, 512)
    for sides in ((10, 12), (9, 16), (11, 8)):
        image = random.uniform(-1, 1, (*sides, 3)).astype(np.float32)
        expected = np.clip(tf.image.resize(image, [4 * side for side in sides], "bicubic"), -1, 1)
        assert paint(image, None).shape == expected.shape
        np.testing.assert_allclose(paint(image, None)[8:-8, 8:-8], expected[8:-8, 8:-8], atol=1e-5)


def test_films_are_enlarged_without_flicker():
    """Frames that do not change stay as they were painted, though the result is larger than the film."""
    network = srresnet.generator((32, 32, 3), (8, 8, 3), width=4, blocks=1)
    paint = translate.painter(network, network.geometry, "super_resolution", 32, None, 512)
    frame = random.integers(0, 256, (12, 10, 3), dtype=np.uint8)
    first, second, third = stabilize([frame, frame, 255 - frame], paint, keep=0.9)
    assert first.shape == (48, 40, 3)
    np.testing.assert_allclose(second, first, atol=1e-6)
    assert abs(third - second).mean() > 0.1


def picture(sides: tuple[int, int] = (40, 48)) -> np.ndarray:
    """Smooth colours far from white and black, so that nothing is clipped."""
    colour, noise = random.uniform(-0.2, 0.3, 3), random.uniform(-0.1, 0.1, (*sides, 3))
    return (colour + noise).astype(np.float32)


def faint_transformer() -> keras.Model:
    """Untrained, and its pictures never clipped."""
    keras.utils.set_random_seed(0)
    network = transform_net.transformer(width=4, blocks=1)
    network.get_layer("out").kernel.assign(0.05 * network.get_layer("out").kernel)
    return network


def check_colours(painted: np.ndarray, content: np.ndarray, plain: np.ndarray) -> None:
    """The content's colours, with the light and dark of what was painted without."""
    np.testing.assert_allclose(painted @ YIQ[1:].T, content @ YIQ[1:].T, atol=1e-4)
    np.testing.assert_allclose(painted @ YIQ[0], plain @ YIQ[0], atol=1e-4)
    assert abs(plain @ YIQ[1:].T - content @ YIQ[1:].T).max() > 1e-2


def test_a_network_keeps_colours_and_mixes():
    content, network = picture(), faint_transformer()

    def paint(color: str, strength: float) -> np.ndarray:
        return fast.painter(network, network.geometry, None, color, strength, None)(content, None)

    plain, half = paint("none", 1.0), paint("none", 0.5)
    np.testing.assert_allclose(half, (plain + content) / 2, atol=1e-6)
    check_colours(paint("luminance", 1.0), content, plain)
    matched = paint("histogram", 1.0)
    np.testing.assert_allclose(matched.mean((0, 1)), content.mean((0, 1)), atol=1e-3)


def test_several_styles_of_adain_are_weighed(vgg_weights):
    keras.utils.set_random_seed(0)
    network = adain.stylizer(8, vgg_weights)
    content, styles = picture(), [picture((64, 32)), picture((32, 64)) + 0.4]

    def paint(styles, weights=None, color="none", strength=1.0):
        return by_adain.painter(network, network.geometry, styles, weights, color, strength, None)(content, None)

    first, second = paint(styles[:1]), paint(styles[1:])
    np.testing.assert_allclose(paint(styles, [1, 0]), first, atol=1e-4)
    np.testing.assert_allclose(paint(styles, [0, 3]), second, atol=1e-4)
    blend = paint(styles, [1, 1])
    assert min(abs(blend - first).mean(), abs(blend - second).mean()) > 0.1 * abs(first - second).mean() > 0
    check_colours(paint(styles[:1], color="luminance"), content, first)


def test_optimisation_begins_where_a_film_is(monkeypatch):
    """A frame starts from the one before as it was painted, at full size, with a quarter of the steps."""
    calls = []

    def optimize(image, styles, objective, report, steps, **options):
        calls.append({"styles": styles, "steps": steps, **options})
        return image[..., ::-1]

    monkeypatch.setattr(optimization, "optimize", optimize)
    content, before, style = picture(), picture(), picture()
    options = {"strength": 1.0, "coarsest": 16, "init": "content"}

    def painter(color="none", **changed):
        return optimization.painter(None, [Style(style)], color, 40, **options | changed)

    plain = painter()(content, None)
    assert (calls[-1]["steps"], calls[-1]["init"], calls[-1]["coarsest"]) == (40, "content", 16)
    painter()(content, before)
    assert (calls[-1]["steps"], calls[-1]["coarsest"]) == (10, 48) and calls[-1]["init"] is before
    check_colours(painter("luminance")(content, None), content, plain)
    painter("histogram")(content, None)
    np.testing.assert_allclose(calls[-1]["styles"][0].image.mean((0, 1)), content.mean((0, 1)), atol=1e-3)
    assert painter(strength=0)(content, None) is content and len(calls) == 4


@pytest.mark.parametrize(("side", "begun", "first", "steps"), [
    (1503, 752, 752, 40), (1503, 700, 752, 40), (1503, 1503, 1503, 20), (1503, 753, 1503, 20), (1504, 100, 376, 80),
    (300, 300, 300, 80), (300, 999, 300, 80),
])  # fmt: skip
def test_a_picture_that_was_begun_goes_on_at_its_level(monkeypatch, side, begun, first, steps):
    """Whatever is rounded: sizes are halves, 1503 to 752, whose double is more."""
    calls = []

    def optimize(image, styles, objective, report, steps, **options):
        calls.append(optimization.schedule(image.shape[:2], options["coarsest"], steps)[0])
        return image

    monkeypatch.setattr(optimization, "optimize", optimize)
    content, start = (np.zeros((height, height // 2, 3), np.float32) for height in (side, begun))
    optimization.painter(None, [Style(content)], "none", 80, strength=1.0, coarsest=256, init=start)(content, None)
    assert (max(calls[0][0]), calls[0][1]) == (first, steps)


def test_an_interrupted_picture_is_not_lost(monkeypatch):
    """What comes back is the best of the finest level so far, at full size."""
    content, coarse, fine = picture((40, 48)), picture((20, 24)), picture((40, 48))

    def optimize(image, styles, objective, report, steps, **options):
        report({"content": 1.0, "style": 2.0}, coarse)
        if options["init"] == "content":
            report({"content": 3.0, "style": 2.0}, fine)
            report({"content": 4.0, "style": 2.0}, -fine)
        raise KeyboardInterrupt

    monkeypatch.setattr(optimization, "optimize", optimize)
    for init, expected in (("content", fine), ("noise", resize_lanczos(coarse, (40, 48)))):
        paint = optimization.painter(None, [Style(content)], "none", 40, strength=1.0, coarsest=16, init=init)
        with pytest.raises(Interrupted) as interrupted:
            paint(content, None)
        np.testing.assert_allclose(interrupted.value.painted, expected, atol=1e-6)
