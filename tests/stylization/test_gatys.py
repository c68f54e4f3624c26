"""Style transfer by optimisation, on random VGG weights and small pictures."""

import numpy as np
import pytest

from core.errors import GessoError
from models.perceptual import Perceptual
from stylization import optimization
from stylization.method import Interrupted
from stylization.objective import Problem, Style
from stylization.progress import watching

random = np.random.default_rng(0)


@pytest.fixture(scope="module")
def objective(vgg_weights) -> Perceptual:
    return Perceptual(weights=vgg_weights)


def picture(height: int = 48, width: int = 40) -> np.ndarray:
    return random.uniform(-1, 1, (height, width, 3)).astype(np.float32)


def test_schedule_doubles_and_halves():
    assert optimization.schedule((300, 200), 256, 200) == [((300, 200), 200)]
    assert optimization.schedule((768, 1024), 256, 200) == [((192, 256), 200), ((384, 512), 100), ((768, 1024), 50)]
    assert [steps for _, steps in optimization.schedule((4096, 4096), 256, 64)] == [64, 32, 20, 20, 20]
    assert optimization.schedule((1024, 1024), 256, 5) == [((256,) * 2, 5), ((512,) * 2, 5), ((1024,) * 2, 5)]


def test_terms_are_those_of_numpy(objective):
    content, style, image = picture(), picture(30, 64), picture()
    terms, _ = Problem(objective, content, [Style(style)], None, 64, 2.0, 512)(image)
    seen = [
        {n: f.numpy()[0].astype(float) for n, f in objective.encoder(x[None]).items()}
        for x in (image, content, style)
    ]

    def gram(features: np.ndarray) -> np.ndarray:
        flat = features.reshape(-1, features.shape[-1])
        return flat.T @ flat / len(flat)

    expected = np.mean((seen[0]["block4_conv2"] - seen[1]["block4_conv2"]) ** 2)
    assert terms["content"] == pytest.approx(expected, rel=1e-3)
    names = [f"block{i}_conv1" for i in range(1, 6)]
    errors = [np.mean((gram(seen[0][n]) - gram(seen[2][n])) ** 2) / seen[0][n].shape[-1] ** 2 for n in names]
    assert terms["style"] == pytest.approx(2 * 30 * sum(errors), rel=1e-3)


def test_layers_are_weighed(vgg_weights):
    layers, weights = ["block1_conv1", "block2_conv1"], [3.0, 0.5]
    named = {"content_layers": layers, "style_layers": layers}
    weighed = Perceptual(
        **named, content_layer_weights=weights, style_layer_weights=weights[::-1], weights=vgg_weights
    )
    image, other = picture()[None], picture()[None]

    def terms(objective: Perceptual) -> np.ndarray:
        seen, target = objective.encoder(image), objective.encoder(other)
        content = objective.content_loss(objective.content(seen), objective.content(target))
        return np.float64([content, objective.style_loss(objective.style(seen), objective.style(target))])

    alone = [terms(Perceptual([layer], [layer], weights=vgg_weights)) for layer in layers]
    expected = [3 * alone[0][0] + 0.5 * alone[1][0], 0.5 * alone[0][1] + 3 * alone[1][1]]
    np.testing.assert_allclose(terms(weighed), expected, rtol=1e-4)


def test_styles_have_the_size_asked_for(objective, monkeypatch):
    """`style_scale` of the longer side that the content has at that level."""
    asked = []

    class Seen(Problem):
        def __init__(self, objective, content, styles, masks, style_side, *options):
            asked.append((max(content.shape), style_side))
            super().__init__(objective, content, styles, masks, style_side, *options)

    monkeypatch.setattr(optimization, "Problem", Seen)
    optimization.optimize(picture(64, 32), [Style(picture())], objective, steps=1, coarsest=32, style_scale=0.75)
    assert asked == [(32, 24), (64, 48)]


def test_thin_pictures(objective):
    """Thinner than the places of the deepest layer: a scroll, of 3 px."""
    content, style = picture(90, 3), picture(5, 70)
    painted = optimization.optimize(content, [Style(style)], objective, steps=2, coarsest=32)
    assert painted.shape == content.shape and np.isfinite(painted).all()
    assert [size for size, _ in optimization.schedule((1024, 60), 256, 10)] == [(512, 30), (1024, 60)]


@pytest.mark.parametrize("masked", [False, True])
def test_tiles_give_the_objective_and_gradient_of_the_whole(objective, masked):
    content, style, image = picture(230, 40), picture(80, 64), picture(230, 40)
    masks = style_masks = None
    if masked:
        masks, style_masks = (np.zeros((2, *x.shape[:2]), np.float32) for x in (content, style))
        for part in (masks, style_masks):
            part[0, :, :16] = part[1, :, 16:] = 1
    objective.smoothness = 5.0
    try:
        results = [
            Problem(objective, content, [Style(style, 1.0, style_masks)], masks, 80, 1.0, tile)(image)
            for tile in (512, 96)
        ]
    finally:
        objective.smoothness = 0.0
    (terms, gradient), (tiled_terms, tiled_gradient) = results
    assert tiled_terms == pytest.approx(terms, rel=5e-3)
    np.testing.assert_allclose(tiled_gradient, gradient, atol=5e-3 * abs(gradient).max())


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_the_objective_falls_and_pixels_stay_in_range(objective, optimizer):
    seen = []
    painted = optimization.optimize(
        picture(),
        [Style(picture())],
        objective,
        optimizer=optimizer,
        steps=25,
        report=lambda t, x: seen.append((t, x)),
    )
    totals = [sum(terms.values()) for terms, _ in seen]
    assert len(seen) == 25
    assert min(totals[-5:]) < 0.3 * totals[0]
    assert painted.shape == (48, 40, 3) and abs(painted).max() <= 1 and painted.dtype == np.float32


def test_two_styles_pull_by_their_weights(objective):
    content, one, two = picture(), picture(), np.tanh(3 * picture())
    problem = Problem(objective, content, [Style(one, 3.0), Style(two, 1.0)], None, 48, 1.0, 512)
    alone = [Problem(objective, content, [Style(x)], None, 48, 1.0, 512) for x in (one, two)]
    image = picture()
    gradient = problem(image)[1]
    content_gradient = Problem(objective, content, [Style(one)], None, 48, 0.0, 512)(image)[1]
    parts = [p(image)[1] - content_gradient for p in alone]
    expected = content_gradient + 0.75 * parts[0] + 0.25 * parts[1]
    np.testing.assert_allclose(gradient, expected, atol=2e-3 * abs(expected).max())


def test_starts_where_it_is_told(objective):
    def first(init, **options) -> np.ndarray:
        seen = []
        optimization.optimize(
            content,
            [Style(picture())],
            objective,
            init=init,
            steps=1,
            report=lambda t, x: seen.append(x),
            **options,
        )
        return seen[0]

    content, start = picture(), picture()
    np.testing.assert_allclose(first("content"), content, atol=1e-6)
    np.testing.assert_allclose(first(start), start, atol=1e-6)
    noise = first("noise", seed=3)
    np.testing.assert_array_equal(noise, first("noise", seed=3))
    assert not np.allclose(noise, first("noise", seed=4))


def test_goes_on_from_a_picture_without_levels_coarser_than_it(objective):
    sizes = []
    content, started = (np.random.default_rng(i).uniform(-1, 1, (64, 48, 3)).astype(np.float32) for i in (1, 2))

    def report(terms, image):
        sizes.append(image.shape[:2])

    objective_of = {"curves": lambda terms, image: report(terms, image)}
    paint = optimization.painter(
        objective, [Style(content)], "none", 2, **objective_of, strength=1.0, coarsest=16, init=started
    )
    paint(content, None)
    assert set(sizes) == {(64, 48)}


def test_goes_on_with_the_steps_that_its_level_has_anyway(objective):
    """And in a film once: another shot begins as films do."""
    first, counts = [], []
    content, started = (np.random.default_rng(i).uniform(-1, 1, (64, 48, 3)).astype(np.float32) for i in (1, 2))

    def watch(terms, image):
        first.append(image)

    paint = optimization.painter(
        objective, [Style(content)], "none", 41, curves=watch, strength=1.0, coarsest=32, init=started,
        optimizer="adam", learning_rate=0.05,
    )  # fmt: skip
    for _ in range(2):
        paint(content, None)
        counts.append(len(first))
    np.testing.assert_allclose(first[0], started, atol=1e-6)
    assert counts[0] == 20 and first[20].shape == (32, 24, 3) and counts[1] == 20 + 41 + 20
    with pytest.raises(GessoError, match="init= is 48x64 px, and the picture 64x64: another shape"):
        optimization.painter(objective, [Style(content)], "none", 2, strength=1.0, coarsest=32, init=started)(
            picture(64, 64), None
        )
    masks = np.ones((1, 64, 48), np.float32)
    with pytest.raises(GessoError, match=r"gatys\.content_masks= is 48x64 px"):
        optimization.painter(objective, [Style(content)], "none", 2, strength=1.0, coarsest=32, masks=masks)(
            picture(64, 64), None
        )


def test_a_picture_of_few_rows_that_is_stopped_keeps_its_shape(objective):
    """VGG wants 16; the rows that are added are not part of what is left."""
    content = picture(7, 40)

    def stop(*_):
        raise KeyboardInterrupt

    paint = optimization.painter(objective, [Style(picture())], "none", 2, strength=1, coarsest=64, init="content")
    with watching(stop), pytest.raises(Interrupted) as interrupted:
        paint(content, None)
    np.testing.assert_allclose(interrupted.value.painted, content, atol=1e-6)
