"""A network for any style: what it is made of, how it learns, and what paints with it."""

import copy

import keras
import numpy as np
import pytest
import tensorflow as tf

from core.errors import GessoError
from core.network_metadata import Metadata
from models import trained
from models.any_style import AnyStyle
from models.networks import any_style, efficientnet_lite, vgg
from models.networks.transform_net import transformer
from models.perceptual import Perceptual
from stylization import any_style as by_any_style
from training import checkpoint

random = np.random.default_rng(0)


def pictures(*shape: int) -> np.ndarray:
    return random.uniform(-1, 1, (*shape, 3)).astype(np.float32)


@pytest.fixture
def small(monkeypatch):
    """Builds small networks, with random weights in place of EfficientNet-lite0's."""
    monkeypatch.setattr(efficientnet_lite, "STAGES", efficientnet_lite.STAGES[:2])
    monkeypatch.setattr(efficientnet_lite, "_installed", lambda: "")
    monkeypatch.setattr(efficientnet_lite, "tensors", lambda path: {})
    monkeypatch.setattr(efficientnet_lite, "_weights", lambda layer, arrays: layer.get_weights())
    keras.utils.set_random_seed(0)
    return lambda dimensions=4: any_style.stylizer(dimensions, width=4, blocks=1)


@pytest.fixture(scope="module")
def network():
    return keras.applications.VGG16(include_top=False, weights=None)


@pytest.fixture
def objective(monkeypatch, network):
    monkeypatch.setattr(vgg, "pretrained", lambda *_: network)
    return Perceptual(["block2_conv1"], ["block1_conv1", "block2_conv1"], style_weight=10.0)


def test_a_code_begins_as_an_equal_share_of_all_rows(small):
    reads, paints = any_style.parts(small())
    code = reads(pictures(2, 48, 32)).numpy()
    np.testing.assert_allclose(code, 1 / 4, atol=0.1)
    assert np.ptp(code, axis=0).max() > 0  # but not quite: alike rows would stay alike
    assert paints.geometry.stride == 4


def test_another_network_has_no_such_parts():
    with pytest.raises(GessoError, match="not made of a part that reads"):
        any_style.parts(transformer(4, 1, styles=2))


def test_moments_are_those_of_all_places():
    x = pictures(2, 5, 3)
    found = any_style.Moments()(x).numpy()
    np.testing.assert_allclose(found[:, :3], x.mean((1, 2)), atol=1e-6)
    np.testing.assert_allclose(found[:, 3:], x.std((1, 2)), atol=1e-4)


def test_it_begins_as_the_average_of_learned_styles(small):
    learned = transformer(4, 1, styles=2, output="linear")
    for weight in learned.weights:
        if weight.path.endswith(("gamma", "beta")):
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
    model = AnyStyle(small, start=learned)
    image = pictures(1, 32, 32)
    average = learned([image, np.full((1, 2), 0.5, np.float32)])
    np.testing.assert_allclose(model.painter([image, np.full((1, 4), 0.25, np.float32)]), average, atol=1e-4)
    again = AnyStyle(small, start=model.average)
    for one, two in zip(model.network.weights, again.network.weights, strict=True):
        np.testing.assert_array_equal(one, two)
    with pytest.raises(GessoError, match="of another width or depth"):
        AnyStyle(small, start=transformer(4, 2, styles=2))


def test_it_learns_and_what_reads_stays_as_it_was(small, objective):
    model = AnyStyle(small, log_above=1e3, ema_decay=0.0)
    model.compile(keras.optimizers.Adam(1e-3), objective)
    frozen = [weight.numpy() for weight in model.reader.non_trainable_weights]
    trainable = {weight.path for weight in model.network.trainable_weights}
    assert any("reader" in path or "hidden" in path for path in trainable)
    assert not any("_blocks_" in path for path in trainable)
    data = {"content": tf.constant(pictures(2, 32, 32)), "style": tf.constant(pictures(2, 32, 32) * 0.3)}
    dense = model.reader.get_layer("shares").kernel.numpy()
    step, losses = tf.function(model.train_step), []
    for _ in range(40):
        model.reset_metrics()  # means over steps
        losses.append(float(step(data)["total_loss"]))
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    assert not np.array_equal(dense, model.reader.get_layer("shares").kernel)
    for before, weight in zip(frozen, model.reader.non_trainable_weights, strict=True):
        np.testing.assert_array_equal(before, weight)
    for mean, weight in zip(model.average.weights, model.network.weights, strict=True):
        np.testing.assert_allclose(mean, weight, atol=1e-6, err_msg=mean.path)  # at a decay of 0


def test_smoothness_counts_if_it_is_asked_for(small, objective):
    data = {"content": tf.constant(pictures(1, 32, 32)), "style": tf.constant(pictures(1, 32, 32))}
    means = []
    for weight in (0.0, 3.0, 6.0):
        keras.utils.set_random_seed(0)
        model, own = AnyStyle(small), copy.copy(objective)
        own.smoothness = weight
        model.compile(keras.optimizers.SGD(0.0), own)
        means.append({name: float(value) for name, value in model.train_step(data).items()})
    plain, smooth, twice = means
    assert "smoothness_loss" not in plain and smooth["smoothness_loss"] > 0
    assert twice["smoothness_loss"] == pytest.approx(2 * smooth["smoothness_loss"], rel=1e-5)
    for losses in means:
        assert losses.pop("total_loss") == pytest.approx(sum(losses.values()), rel=1e-5)


def test_a_style_counts_relative_to_its_strength(small, objective):
    """Twice the Gram matrices, of target and of picture, are the same distance."""
    model = AnyStyle(small)
    model.compile(keras.optimizers.SGD(0.0), objective)
    data = {"content": tf.constant(pictures(1, 32, 32)), "style": tf.constant(pictures(1, 32, 32))}
    first = float(model.train_step(data)["style_loss"])
    grams = objective.style
    objective.style = lambda features: {name: 2 * gram for name, gram in grams(features).items()}
    model.reset_metrics()
    assert float(model.train_step(data)["style_loss"]) == pytest.approx(first, rel=1e-4)


def test_a_loud_style_does_not_drown_a_quiet_one(small, objective):
    """Of a batch, the loss is the mean of those that each has alone."""
    model = AnyStyle(small)
    model.compile(keras.optimizers.SGD(0.0), objective)
    loud_and_quiet = np.float32([1, 0.1])[:, None, None, None]
    contents, styles = tf.constant(pictures(2, 32, 32)), tf.constant(pictures(2, 32, 32) * loud_and_quiet)

    def style_loss(part: slice) -> float:
        model.reset_metrics()
        return float(model.train_step({"content": contents[part], "style": styles[part]})["style_loss"])

    both = style_loss(slice(0, 2))
    assert both == pytest.approx((style_loss(slice(0, 1)) + style_loss(slice(1, 2))) / 2, rel=1e-3)


def test_a_resumed_step_is_the_straight_one(small, objective):
    data = {"content": tf.constant(pictures(2, 32, 32)), "style": tf.constant(pictures(2, 32, 32))}

    def made() -> AnyStyle:
        keras.utils.clear_session()
        keras.utils.set_random_seed(0)
        model = AnyStyle(small)
        model.compile(keras.optimizers.Adam(1e-2), objective)
        return model

    straight, resumed = made(), made()
    straight.train_step(data)
    pairs = list(zip(checkpoint.variables(straight), checkpoint.variables(resumed), strict=True))
    for one, other in pairs:
        other.assign(one)
    for model in (straight, resumed):
        model.train_step(data)
    for one, other in pairs:
        np.testing.assert_array_equal(one, other, err_msg=one.path)


def test_styles_are_weighed_and_a_file_paints_the_same(small, tmp_path):
    network = small()
    reads, _ = any_style.parts(network)
    reads.get_layer("shares").kernel.assign(4 * random.normal(size=reads.get_layer("shares").kernel.shape) * 0.3)
    for weight in network.weights:
        if weight.path.endswith(("gamma", "beta")):
            weight.assign(random.normal(size=weight.shape))
    content, styles = pictures(36, 44), [pictures(64, 32), 0.2 * pictures(32, 64) + 0.5]

    def paint(styles, weights=None, color="none", strength=1.0, network=network):
        painter = by_any_style.painter(
            network, any_style.parts(network)[1].geometry, styles, weights, color, strength, None
        )
        return painter(content, None)

    first, second = paint(styles[:1]), paint(styles[1:])
    assert first.shape == content.shape and abs(first).max() <= 1
    np.testing.assert_allclose(paint(styles, [1, 0]), first, atol=1e-5)
    np.testing.assert_allclose(paint(styles, [0, 3]), second, atol=1e-5)
    assert abs(first - second).mean() > 5e-4
    np.testing.assert_allclose(paint(styles[:1], strength=0.0), content, atol=1e-6)
    path = tmp_path / "stylizer.keras"
    trained.save(network, path, Metadata("stylizer", "any_style", geometry=network.geometry))
    loaded, metadata = trained.load(path, "stylizer")
    assert metadata.in_words() == "paints in any style=<painting>"
    loaded.geometry = metadata.geometry
    any_style.parts(loaded)[1].geometry = metadata.geometry
    np.testing.assert_allclose(paint(styles[:1], network=loaded), first, atol=1e-5)
