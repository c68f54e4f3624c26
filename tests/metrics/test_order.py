"""Every metric of sets has one value for a set, in whatever batches and order its pictures come."""

import numpy as np
import pytest
from omegaconf import OmegaConf

from core.config import CONF, metrics_named
from core.instantiate import build
from evaluation import modes, sets
from metrics.features import FeatureSpace
from metrics.order import canonical

NUM = 150  # more than a metric takes at a time, and of each class more pairs than it looks at
rng = np.random.default_rng(0)


def pictures(shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Blotches of colour, of three classes."""
    coarse = rng.normal(shift, 0.4, size=(NUM, 4, 4, 3)).repeat(8, axis=1).repeat(8, axis=2)
    return np.clip(coarse + rng.normal(0, 0.1, (NUM, 32, 32, 3)), -1, 1).astype(np.float32), np.arange(NUM) % 3


ONE, OTHER = pictures(0.0), pictures(0.1)


def classify(images: np.ndarray) -> np.ndarray:
    scores = np.exp(5 * images.mean(axis=(1, 2), dtype=np.float64))
    return scores / scores.sum(axis=1, keepdims=True)


def means(images: np.ndarray) -> np.ndarray:
    return images.reshape(-1, 4, 8, 4, 8, 3).mean(axis=(2, 4)).reshape(-1, 48)


def of_sets() -> list[str]:
    files = {path.stem: OmegaConf.load(path) for path in (CONF / "metrics").glob("*.yaml")}
    return sorted(name for name, file in files.items() if file[name].of not in modes.OF)


def measured(metric, space: FeatureSpace, order: np.ndarray, batch_size: int) -> dict[str, float]:
    def look(images, labels, places):
        starts = range(0, NUM, batch_size)
        batches = ((images[places[i : i + batch_size]], labels[places[i : i + batch_size]]) for i in starts)
        return sets.gather_statistics(batches, {metric[name]["of"] for name in metric}, space, 1.0, classify)

    return sets.measure(look(*ONE, order), look(*OTHER, order[::-1]), metric)


def test_there_are_metrics_of_sets():
    assert {"fid", "kid", "precision_recall", "density_coverage", "diversity", "sliced_wasserstein"} <= set(
        of_sets()
    )


@pytest.mark.parametrize("name", of_sets())
def test_neither_batches_nor_order_matter(name):
    metric, space = build(metrics_named([name])), FeatureSpace("means", means, 48, "area", unit=True)
    straight = measured(metric, space, np.arange(NUM), NUM)
    assert set(straight) == set(metric[name]["names"])
    for i, batch_size in enumerate((NUM, 64, 7, 1)):
        shuffled = np.random.default_rng(i).permutation(NUM)
        assert measured(metric, space, shuffled, batch_size) == pytest.approx(straight, rel=1e-5, abs=1e-9)
    # And it is a number of these sets, not a constant.
    images, labels = ONE
    looked = sets.gather_statistics([(np.abs(images[::-1]), labels)], {metric[name]["of"]}, space, 1.0, classify)
    reference = sets.gather_statistics([OTHER], {metric[name]["of"]}, space, 1.0, classify)
    assert sets.measure(looked, reference, metric) != pytest.approx(straight, rel=1e-5, abs=1e-9)


def test_the_order_is_of_the_samples_alone():
    samples = rng.normal(size=(40, 3, 5))
    order = canonical(samples)
    assert sorted(order) == list(range(40))
    shuffled = rng.permutation(40)
    np.testing.assert_array_equal(samples[order], samples[shuffled][canonical(samples[shuffled])])
    np.testing.assert_array_equal(order, canonical(samples * (1 + 1e-9 * rng.normal(size=samples.shape))))
    assert canonical(np.zeros((0, 4))).shape == (0,)
