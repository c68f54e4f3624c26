import keras
import numpy as np
import pytest
import tensorflow as tf

from metrics.perceptual_distance import LAYERS, load_heads, on_vgg16, perceptual_distance
from models.networks import vgg


@pytest.fixture(scope="module")
def encoder() -> keras.Model:
    """Five layers with VGG's names, of some channels each, every one half as large as the one before."""
    keras.utils.set_random_seed(0)
    image = x = keras.Input((None, None, 3))
    outputs = {}
    for i, name in enumerate(LAYERS):
        x = outputs[name] = keras.layers.Conv2D(4 + i, 3, strides=1 + (i > 0), padding="same", activation="relu")(x)
    return keras.Model(image, outputs)


@pytest.fixture
def heads() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {name: rng.uniform(0, 1, 4 + i).astype(np.float32) for i, name in enumerate(LAYERS)}


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(2).uniform(-1, 1, (2, 5, 20, 24, 3)).astype(np.float32)


def by_loops(a: dict, b: dict, heads: dict | None) -> np.ndarray:
    """Of activations by layer: place by place, in float64."""
    total = 0
    for name in a:
        x, y = (np.asarray(v[name], np.float64) for v in (a, b))
        head = np.ones(x.shape[-1]) if heads is None else heads[name]
        distances = np.zeros(x.shape[:3])
        for place in np.ndindex(*x.shape[:3]):
            p, q = (v[place] / max(np.linalg.norm(v[place]), 1e-10) for v in (x, y))
            distances[place] = head @ (p - q) ** 2
        total = total + distances.mean(axis=(1, 2))
    return total


@pytest.mark.parametrize("weighted", [True, False], ids=["heads", "unweighted"])
@pytest.mark.parametrize("batch_size", [2, 8])
def test_is_the_definition(encoder, heads, images, weighted, batch_size):
    heads = heads if weighted else None
    found = perceptual_distance(encoder, *images, heads, batch_size)
    assert found.dtype == np.float64 and found.shape == (5,)
    np.testing.assert_allclose(found, by_loops(encoder(images[0]), encoder(images[1]), heads), rtol=1e-5)


def test_worked_by_hand():
    """Two channels, (3, 4) and (0, 2) everywhere: of length 1 (0.6, 0.8) and (0, 1), squares 0.36 and 0.04."""

    def encoder(images, training):
        first = images[..., :1] > 0
        values = tf.where(first, [3.0, 4.0], [0.0, 2.0])
        return {name: values[:, : 4 >> i] for i, name in enumerate(LAYERS[:3])} | {
            name: tf.zeros((len(images), 1, 1, 2)) for name in LAYERS[3:]
        }

    bright, dark = np.ones((1, 4, 4, 3)), -np.ones((1, 4, 4, 3))
    assert perceptual_distance(encoder, bright, dark) == pytest.approx([3 * 0.4])
    heads = {name: np.array([10.0, i]) for i, name in enumerate(LAYERS)}
    assert perceptual_distance(encoder, bright, dark, heads) == pytest.approx([3 * 3.6 + (0 + 1 + 2) * 0.04])
    assert perceptual_distance(encoder, bright, bright, heads) == [0]


def test_copies_are_at_zero_and_it_is_symmetric(encoder, heads, images):
    a, b = images
    assert not perceptual_distance(encoder, a, a, heads).any()
    np.testing.assert_allclose(perceptual_distance(encoder, a, b), perceptual_distance(encoder, b, a), rtol=1e-6)
    near = perceptual_distance(encoder, a, a + 0.05 * b)
    assert (near > 0).all() and (near < perceptual_distance(encoder, a, b)).all()
    assert perceptual_distance(encoder, a[:0], b[:0]).shape == (0,)


def test_on_vgg16(vgg_weights):
    images = np.random.default_rng(3).uniform(-1, 1, (2, 1, 16, 18, 3)).astype(np.float32)
    network = vgg.encoder(LAYERS, vgg_weights)
    expected = by_loops(network(images[0]), network(images[1]), None)
    np.testing.assert_allclose(perceptual_distance(network, *images), expected, rtol=1e-4)
    small = np.zeros((1, 20, 15, 3), np.uint8)
    with pytest.raises(ValueError, match="16 px or larger"):
        on_vgg16(vgg_weights)(small, small)


def test_heads_from_a_file(heads, tmp_path):
    published = {name: head.reshape(1, -1, 1, 1) for name, head in heads.items()}
    np.savez(tmp_path / "heads.npz", **published)
    loaded = load_heads(tmp_path / "heads.npz")
    assert list(loaded) == list(LAYERS)
    for name in LAYERS:
        np.testing.assert_array_equal(loaded[name], heads[name])
    np.savez(tmp_path / "few.npz", **{name: heads[name] for name in LAYERS[:4]})
    np.savez(tmp_path / "negative.npz", **heads | {LAYERS[0]: -heads[LAYERS[0]]})
    for name in ("few.npz", "negative.npz"):
        with pytest.raises(ValueError, match="does not hold"):
            load_heads(tmp_path / name)
    (tmp_path / "empty.npz").touch()
    (tmp_path / "cut.npz").write_bytes((tmp_path / "heads.npz").read_bytes()[:200])
    for name in ("empty.npz", "cut.npz"):
        with pytest.raises(ValueError, match=f"{name} cannot be read"):
            load_heads(tmp_path / name)


def test_what_cannot_be_compared_is_refused(encoder, heads, images):
    a, b = images
    for x, y in ((a, b[:2]), (a[0], b[0])):
        with pytest.raises(ValueError, match="one shape"):
            perceptual_distance(encoder, x, y)
    with pytest.raises(ValueError, match="head of block1_conv2"):
        perceptual_distance(encoder, a, b, heads | {"block1_conv2": np.ones(3)})
    del heads["block5_conv3"]
    with pytest.raises(ValueError, match="head of block5_conv3"):
        perceptual_distance(encoder, a, b, heads)
    with pytest.raises(ValueError, match="does not give block2_conv2"):
        perceptual_distance(lambda x, training: {"block1_conv2": x}, a, b)


def test_the_encoder_is_asked_without_tf32(encoder, images):
    seen = []

    def watched(*args, **options):
        seen.append(tf.config.experimental.tensor_float_32_execution_enabled())
        return encoder(*args, **options)

    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(True)
    try:
        perceptual_distance(watched, *images, batch_size=3)
        assert seen == [False, False] and tf.config.experimental.tensor_float_32_execution_enabled()
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)
