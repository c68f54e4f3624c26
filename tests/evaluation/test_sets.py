"""Streams of pictures through feature spaces, against everything in one array."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from core.config import metrics_named
from core.errors import GessoError
from core.images import to_float
from core.instantiate import build
from data import ImageDataset
from evaluation import sets
from metrics import fid, kid
from metrics.features import FeatureSpace
from models import latent
from models.networks import dcgan

rng = np.random.default_rng(0)
IMAGES = rng.integers(0, 256, (23, 8, 8, 3), dtype=np.uint8)
LABELS = (np.arange(23) % 3).astype(np.int32)
DATASET = ImageDataset("made", IMAGES, LABELS, ("a", "b", "c"), flip=True)


class Means:
    """The network of a feature space: mean colours, and their squares. Counts the pictures that it saw."""

    seen = 0

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.seen += len(images)
        means = images.mean(axis=(1, 2))
        return np.concatenate([means, means**2], axis=1)


def space(network=None) -> FeatureSpace:
    return FeatureSpace("means", network or Means(), 6, "none", unit=False)


def test_batches_give_what_one_array_gives():
    chosen = rng.permutation(23)[:17]
    batches = list(sets.dataset_batches(DATASET, chosen, batch_size=4))
    assert [len(images) for images, _ in batches] == [4, 4, 4, 4, 1]

    def shares(x: np.ndarray) -> np.ndarray:
        return (x.mean(axis=(1, 2)) + 1) / (x.mean(axis=(1, 2)) + 1).sum(axis=1, keepdims=True)

    seen = sets.gather_statistics(batches, sets.KINDS, space(), 2.0, classifier=shares)
    images = to_float(IMAGES[chosen])
    features = 2 * Means()(images)
    np.testing.assert_array_equal(seen.images, images)
    np.testing.assert_array_equal(seen.labels, LABELS[chosen])
    np.testing.assert_allclose(seen.features, features, rtol=1e-5)
    np.testing.assert_allclose(seen.moments.covariance, np.cov(features.T), rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(seen.probabilities, shares(images), rtol=1e-5)
    assert seen.n == 17
    with pytest.raises(ValueError, match="a softmax last"):
        sets.gather_statistics(batches, ["probabilities"], classifier=lambda x: 5 * shares(x))


def test_only_what_is_asked_for_is_kept():
    network = Means()
    seen = sets.gather_statistics(sets.dataset_batches(DATASET, np.arange(23), 10), ["moments"], space(network))
    assert (seen.features, seen.images, seen.probabilities) == (None, None, None) and seen.moments.n == 23
    sets.gather_statistics(sets.dataset_batches(DATASET, np.arange(23), 10), ["images"], space(network))
    assert network.seen == 23  # not for images alone


def test_numbers_are_those_of_the_metrics():
    one, other = (
        sets.gather_statistics(sets.dataset_batches(DATASET, part, 8), sets.KINDS[:4], space())
        for part in (range(11), range(11, 22))
    )
    metrics = {
        "kid": {"of": "features", "names": ["kid", "kid_error"], "function": kid.kid_with_error},
        "fid": {"of": "moments", "names": ["fid"], "function": fid.fid},
    }
    values = sets.measure(one, other, metrics)
    assert values["kid"] == pytest.approx(kid.kid(one.features, other.features)) and values["kid_error"] > 0
    assert values["fid"] == fid.fid(one.moments, other.moments) > 0


def test_a_metric_gives_as_many_numbers_as_it_has_names():
    metrics = {"mine": {"of": "images", "names": ["a"], "function": lambda samples, reals: [1.0, 2.0]}}
    with pytest.raises(GessoError, match=r"metrics=mine has 1 names; its function gives \(2,\) numbers"):
        sets.computed(metrics, {"images": (None, None)})


def test_reference_features_are_cached_by_content(tmp_path):
    network, chosen = Means(), np.arange(20)
    arguments = (space(network), str(tmp_path), 8)
    first = sets.extract_features(DATASET, chosen, *arguments)
    again = sets.extract_features(DATASET, chosen, *arguments)
    assert network.seen == 20
    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(first, Means()(to_float(IMAGES[:20])), rtol=1e-5)
    changed = IMAGES.copy()
    changed[3, 0, 0, 0] ^= 1
    sets.extract_features(ImageDataset("made", changed), chosen, *arguments)
    assert network.seen == 40
    (weights := tmp_path / "other.weights.h5").write_bytes(b"of another network")
    other = replace(space(network), weights=str(weights))
    sets.extract_features(DATASET, chosen, other, str(tmp_path), 8)
    assert network.seen == 60  # the same pictures, seen by other weights
    joined = sets.summarize_features(first, None, ["features", "moments"], 3.0)
    np.testing.assert_allclose(joined.moments.mean, 3 * first.mean(axis=0), rtol=1e-5)


def test_generated_pictures_are_those_of_their_numbers():
    """However large the batches: picture i depends on the seed and i alone."""
    keras.utils.set_random_seed(0)
    generator = dcgan.generator((32, 32, 3), latent_dim=6, width=4)
    found = np.concatenate(
        [images for images, _ in sets.generator_batches(generator, 5, seed=2, labels=None, batch_size=2)]
    )
    np.testing.assert_allclose(found, generator(latent.sample(2, 5, 6)), atol=1e-5)


@pytest.mark.parametrize("unit", [True, False])
def test_features_are_scaled_where_they_need_it(unit):
    reference = rng.normal(5, 3, (100, 6))
    scale = sets.choose_scale(FeatureSpace("x", Means(), 6, "none", unit), reference)
    assert scale == (1.0 if unit else pytest.approx(1 / reference.std()))


def test_sets_of_two_sizes_are_refused():
    """Recall and coverage grow with the number of pictures, density and precision with that of the reference."""
    many, few = (
        sets.gather_statistics(sets.dataset_batches(DATASET, np.arange(n), 8), ["features"], space())
        for n in (23, 17)
    )
    for name in ("precision_recall", "density_coverage", "kid"):
        metric = build(metrics_named([name]))
        sets.measure(many, many, metric)
        for pair in ((few, many), (many, few)):
            with pytest.raises(GessoError, match="as many of each"):
                sets.measure(*pair, metric)


def test_networks_are_looked_through_without_tf32():
    """A GPU would round what they multiply; training may do so, before and after."""
    seen = []

    def network(images: np.ndarray) -> np.ndarray:
        seen.append(tf.config.experimental.tensor_float_32_execution_enabled())
        return Means()(images)

    def classifier(images: np.ndarray) -> np.ndarray:
        return 0 * network(images) + 1 / 6

    def fails(images: np.ndarray) -> np.ndarray:
        raise ZeroDivisionError

    before = tf.config.experimental.tensor_float_32_execution_enabled()
    try:
        for training in (True, False):
            tf.config.experimental.enable_tensor_float_32_execution(training)
            kinds = ["features", "probabilities"]
            sets.gather_statistics(
                sets.dataset_batches(DATASET, np.arange(23), 23), kinds, space(network), classifier=classifier
            )
            with pytest.raises(ZeroDivisionError):
                space(fails)(to_float(IMAGES))
            assert tf.config.experimental.tensor_float_32_execution_enabled() == training
        assert seen == [False] * 4
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)
