import keras
import numpy as np
import pytest
import tensorflow as tf
from omegaconf import OmegaConf
from PIL import Image

from core.errors import GessoError
from core.images import to_uint8
from models.networks import vgg
from stylization import neural_neighbors, nnst, options

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def encoder(vgg_weights):
    return vgg.encoder(neural_neighbors.LAYERS, vgg_weights)


def noise(*shape) -> np.ndarray:
    return RNG.uniform(-1, 1, shape).astype(np.float32)


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of all pairs of rows, each set relative to its own mean."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    return (a @ b.T) / np.linalg.norm(a, axis=1)[:, None] / np.linalg.norm(b, axis=1)


@pytest.mark.parametrize("size", [(32, 48), (33, 21), (1, 7)])
def test_the_pyramid_adds_up_to_the_image(size):
    image = tf.constant(noise(1, *size, 3))
    pyramid = neural_neighbors.decompose(image, neural_neighbors.DEPTH)
    np.testing.assert_allclose(neural_neighbors.synthesize(pyramid), image, atol=1e-6)
    assert min(pyramid[-1].shape[1:3]) == 1  # halved as long as there was something to halve
    if max(size) > 30:
        np.testing.assert_allclose(pyramid[1].shape[1:3], [side // 2 for side in size])


def test_levels_from_coarse_to_fine():
    found = [(level.halvings, level.steps, level.turned) for level in neural_neighbors.schedule(512, 200)]
    assert found == [(3, 200, True), (2, 200, True), (1, 100, True), (0, 50, False)]
    assert [level.halvings for level in neural_neighbors.schedule(1024, 200)] == [4, 3, 2, 1, 0]
    assert [level.halvings for level in neural_neighbors.schedule(1023, 200)] == [3, 2, 1, 0]
    assert [level.halvings for level in neural_neighbors.schedule(100, 200)] == [1, 0]  # 32 px or more
    assert [level.halvings for level in neural_neighbors.schedule(20, 200)] == [0]


def test_nearest_is_brute_force_by_centred_cosine(monkeypatch):
    monkeypatch.setattr(neural_neighbors, "BLOCK", 40 * 7)  # seven rows at a time
    queries, keys = noise(23, 12) + 3, noise(40, 12) - 5  # far apart: only deviations count
    likeness = cosines(queries, keys)
    found = neural_neighbors.nearest(tf.constant(queries), tf.constant(keys)).numpy()
    index = [np.flatnonzero((keys == row).all(axis=1))[0] for row in found]
    best = likeness.max(axis=1)
    assert (best - likeness[np.arange(23), index] < 0.01).all()  # bfloat16 may choose another as near
    assert np.mean(likeness.argmax(axis=1) == index) > 0.8


def test_hypercolumns_are_layers_by_their_channels(encoder):
    image = tf.constant(noise(1, 32, 24, 3))
    found = neural_neighbors.hypercolumns(encoder, image)
    assert found.shape == (1, 8, 6, 2 * 64 + 2 * 128 + 3 * 256 + 3 * 512)
    layer = encoder(image)["block3_conv1"].numpy() / 256  # a quarter of the size already
    np.testing.assert_allclose(found[..., 384:640], layer, rtol=1e-3, atol=1e-6)


def test_losses_fall_and_all_steps_are_counted(encoder):
    """Of two levels; with the style as its own content, whose nearest places are its own."""
    picture, losses = np.tile(noise(8, 8, 3), (8, 8, 1)), []
    painted = neural_neighbors.optimize(
        picture, [picture], encoder, steps=6, report=lambda terms, image: losses.extend(terms.values())
    )
    assert painted.shape == picture.shape and abs(painted).max() <= 1
    assert losses[5] < losses[0] and losses[-1] < losses[-6]
    assert len(losses) == neural_neighbors.total_steps(64, 6) > 12


def test_losses_are_those_of_a_search_by_brute_force(monkeypatch):
    """For the content mixed with the picture so far, in two styles: it is there, but lighter and on its side."""
    monkeypatch.setattr(neural_neighbors, "LAYERS", ("first", "second"))
    draw = np.random.default_rng(0).standard_normal
    content, begun = draw((2, 32, 32, 3), np.float32) / 3
    kernel, found = draw((4, 4, 3, 60), np.float32), []
    finest, *_ = neural_neighbors.decompose(tf.constant(content[None]), 8)
    _, *coarse = neural_neighbors.decompose(tf.constant(begun[None]), 8)
    so_far = neural_neighbors.synthesize([finest, *coarse]).numpy()[0]
    query = 0.25 * content + 0.75 * so_far
    styles = [np.concatenate([content, so_far], axis=1) + 0.3, np.rot90(query) + 0.3]

    def encoder(image, training):
        """In place of VGG, one convolution: a half of its channels for each layer."""
        first, second = tf.split(tf.nn.conv2d(image, kernel, 4, "VALID"), 2, axis=-1)
        return {"first": first, "second": second}

    def places(image):
        return np.reshape(tf.nn.conv2d(image[None], kernel, 4, "VALID"), (-1, 60))

    def distances(image):
        flat = image.reshape(-1, 3) / 2
        return np.linalg.norm(flat[:, None] - flat, axis=-1)

    neural_neighbors.optimize(
        content,
        styles,
        encoder,
        alpha=0.25,
        self_similarity=True,
        steps=2,
        init=begun,
        report=lambda terms, image: found.append((*terms, *terms.values(), image)),
    )
    keys = np.concatenate([places(np.rot90(style, k)) for style in styles for k in range(4)])
    target = keys[cosines(places(query), keys).argmax(axis=1)]
    expected = []
    for step, (*_, image) in enumerate(found):
        here = places(image)
        if step < 2:
            near = (here * target).sum(axis=1) / np.linalg.norm(here, axis=1) / np.linalg.norm(target, axis=1)
            expected.append(1 - near.mean())
        else:
            pairs = zip(np.split(here, 2, axis=1), np.split(keys, 2, axis=1), strict=True)
            expected.append(sum(1 - cosines(*pair).max(axis=1).mean() for pair in pairs))
        if step < 3:  # the last pass's second half goes without
            expected[-1] += abs(distances(image) - distances(content)).mean()
    assert [name for name, *_ in found] == ["matching", "matching", "layers", "layers"]
    np.testing.assert_allclose([loss for _, loss, _ in found], expected, rtol=0.01)  # some are taken in bfloat16


def test_places_of_a_large_picture_are_some_that_a_key_chooses():
    features = tf.constant(noise(1, 200, 10, 3))
    one, same, other = (
        neural_neighbors._some(features, tf.random.create_rng_state(seed, "threefry")[:2]) for seed in (1, 1, 6)
    )
    np.testing.assert_array_equal(one, same)
    places = {tuple(place) for place in features.numpy().reshape(-1, 3)}
    assert len(one) < 2000 and {tuple(place) for place in one.numpy()} < places
    assert one.shape != other.shape or not np.array_equal(one, other)
    few = tf.constant(noise(1, 20, 10, 3))
    assert len(neural_neighbors._some(few, tf.constant([1, 2]))) == 200  # of few, all


def test_a_start_is_kept(encoder):
    content, style = noise(40, 33, 3), noise(36, 50, 3)
    one = neural_neighbors.optimize(content, [style], encoder, steps=2, seed=3)
    sizes = []
    begun = neural_neighbors.optimize(
        content, [style], encoder, steps=2, init=content, report=lambda terms, image: sizes.append(image.shape)
    )
    assert set(sizes) == {content.shape}  # the finest level alone
    assert len(sizes) == neural_neighbors.total_steps(40, 2, reached=40)
    assert abs(begun - content).mean() < abs(one - content).mean()


def test_a_start_goes_on_at_the_level_that_it_came_to(encoder):
    content, style, sizes = noise(72, 64, 3), noise(36, 50, 3), []
    assert [level.halvings for level in neural_neighbors.levels_from(72, 2, 36)] == [1, 0]
    assert [level.halvings for level in neural_neighbors.levels_from(72, 2, 37)] == [0]
    assert [level.halvings for level in neural_neighbors.levels_from(72, 2, 100)] == [0]
    neural_neighbors.optimize(
        content,
        [style],
        encoder,
        steps=2,
        init=content,
        reached=36,
        report=lambda _, image: sizes.append(image.shape),
    )
    assert [size[0] for size in sizes] == [36] * 2 + [72] * 4
    assert len(sizes) == neural_neighbors.total_steps(72, 2, reached=36)


def test_self_similarity_is_distances_of_colors():
    image = noise(1, 4, 4, 3)
    found = neural_neighbors._self_similarity(tf.constant(image), (4, 4)).numpy()
    flat = image.reshape(-1, 3) / 2
    np.testing.assert_allclose(
        found, np.linalg.norm(flat[:, None] - flat, axis=-1), atol=1e-3
    )  # 1e-4 of a place itself


def test_self_similarity_is_compared_at_one_size_whatever_the_level(encoder):
    """100x67 px and its half would be made small by whole numbers to 33x22 and 50x33."""
    content, style = noise(100, 67, 3), noise(32, 32, 3)
    painted = neural_neighbors.optimize(content, [style], encoder, steps=1, self_similarity=True)
    assert painted.shape == content.shape


@pytest.mark.parametrize(("side", "stride"), [(64, 1), (65, 2), (127, 2), (128, 2), (500, 8)])
def test_of_large_layers_at_most_64_places_a_side_are_compared(side, stride):
    found = neural_neighbors._some(tf.zeros((1, side, side, 1)), tf.constant([0, 0]))
    assert (side // stride) ** 2 <= len(found) <= 64**2


def test_what_is_no_number_is_refused(encoder):
    with pytest.raises(GessoError, match="NaN"):
        neural_neighbors.optimize(noise(32, 32, 3), [noise(32, 32, 3)], encoder, steps=3, learning_rate=np.nan)


def test_runs_in_bfloat16(vgg_weights):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        encoder = vgg.encoder(neural_neighbors.LAYERS, vgg_weights)
        painted = neural_neighbors.optimize(
            noise(32, 32, 3), [noise(32, 32, 3)], encoder, steps=1, self_similarity=True
        )
    finally:
        keras.config.set_dtype_policy("float32")
    assert painted.dtype == np.float32 and np.isfinite(painted).all()


def test_float16_is_declined(vgg_weights, tmp_path, monkeypatch):
    """Its gradients would all be 0. And a start is that of the first picture, or of a film's first shot, alone."""
    begun = []

    def optimize(content, styles, encoder, init, **options):
        begun.append(init)
        return content

    monkeypatch.setattr(neural_neighbors, "optimize", optimize)
    style = tmp_path / "style.png"
    Image.fromarray(to_uint8(noise(32, 32, 3))).save(style)
    config = OmegaConf.create(
        {
            "init": str(style), "style": str(style), "preserve_color": False, "weights": str(vgg_weights),
            "steps": 1, "seed": 0,
            "nnst": {"alpha": 0.75, "self_similarity": False, "learning_rate": 0.004, "style_scale": 1.0},
        }
    )  # fmt: skip
    keras.config.set_dtype_policy("mixed_float16")
    try:
        paint = nnst.painter(config)
        assert keras.config.dtype_policy().name == "float32"
    finally:
        keras.config.set_dtype_policy("float32")
    content = np.zeros((32, 32, 3), np.float32)
    for _ in range(2):
        paint(content, None)
    np.testing.assert_allclose(begun[0], options.read_picture(style), atol=0.01)
    assert begun[1] is None
    with pytest.raises(GessoError, match="init= is 32x32 px, and the picture 40x32: another"):
        nnst.painter(config)(noise(32, 40, 3), None)


def test_panoramas_and_scrolls(vgg_weights, encoder, tmp_path, monkeypatch):
    """Their short sides are padded until VGG can halve those of the coarsest level; the picture keeps its own."""
    style, content, given = tmp_path / "scroll.png", noise(24, 256, 3), []
    Image.fromarray(to_uint8(noise(200, 16, 3))).save(style)
    config = OmegaConf.create(
        {
            "init": None,
            "style": str(style),
            "preserve_color": False,
            "weights": str(vgg_weights),
            "steps": 1,
            "seed": 0,
            "nnst": {"alpha": 0.75, "self_similarity": False, "learning_rate": 0.004, "style_scale": 1.0},
        }
    )

    def optimize(content, styles, *args, **options):
        given.extend([content, *styles])
        return content

    monkeypatch.setattr(neural_neighbors, "optimize", optimize)
    np.testing.assert_array_equal(nnst.painter(config)(content, None), content)
    given.clear()
    nnst.painter(OmegaConf.merge(config, {"nnst": {"style_scale": 1.5}}))(content, None)
    assert given[1].shape[0] == 1.5 * 256  # the scroll's longer side beside the panorama's
    with pytest.raises(GessoError, match=r"nnst\.style_scale=6: styles may have up to 1280 px, here .*=5"):
        nnst.painter(OmegaConf.merge(config, {"nnst": {"style_scale": 6}}))(content, None)
    shortest = min(min(picture.shape[:2]) for picture in given) >> neural_neighbors.schedule(256, 1)[0].halvings
    neural_neighbors.hypercolumns(encoder, tf.constant(noise(1, shortest, 32, 3)))  # too short a side raises
    with pytest.raises(tf.errors.OpError):
        neural_neighbors.hypercolumns(encoder, tf.constant(noise(1, 6, 32, 3)))
