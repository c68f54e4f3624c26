import itertools

import numpy as np
import pytest

from metrics import diversity


def test_all_pairs_worked_by_hand():
    # Class 4: 0, 3, 4 -> 3, 4, 1. Class 7: one member. Class 9: two equal ones.
    samples = np.array([[0.0], [10.0], [3.0], [5.0], [4.0], [10.0]])
    labels = np.array([4, 9, 4, 7, 4, 9])
    assert diversity.per_class(samples, labels) == {4: pytest.approx(8 / 3), 9: 0}
    assert diversity.diversity(samples, labels) == pytest.approx(4 / 3)  # of classes, not of pairs


def test_random_pairs_come_near_the_mean_of_all():
    rng = np.random.default_rng(0)
    samples, labels = rng.normal(size=(200, 6)), np.repeat([0, 1], 100)
    samples[100:] *= 3
    every = {
        c: np.mean([np.linalg.norm(a - b) for a, b in itertools.combinations(samples[labels == c], 2)])
        for c in (0, 1)
    }
    assert diversity.per_class(samples, labels, pairs=4950) == pytest.approx(every)
    assert diversity.per_class(samples, labels, pairs=1000) == pytest.approx(every, rel=0.05)
    assert diversity.per_class(samples, labels, pairs=1000) != pytest.approx(every, rel=1e-6)


@pytest.mark.parametrize(("n", "most"), [(2, 1), (7, 20), (7, 21), (50, 1000), (100_001, 5000)])
def test_pairs_are_different_and_of_different_members(n, most):
    first, second = diversity._pairs(n, most, np.random.default_rng(1))
    assert len(first) == min(most, n * (n - 1) // 2) == len(set(zip(first.tolist(), second.tolist(), strict=True)))
    assert first.min() >= 0 and second.max() < n and (first < second).all()
    if n == 7:
        assert set(second.tolist()) == set(range(1, 7))
    elif n > 1000:
        np.testing.assert_allclose([first.mean() / n, second.mean() / n], [1 / 3, 2 / 3], atol=0.02)


def test_is_seeded_and_blind_to_other_classes():
    rng = np.random.default_rng(2)
    samples, labels = rng.normal(size=(200, 3)), rng.integers(0, 2, 200)
    one = diversity.per_class(samples, labels, pairs=50, seed=1)
    assert one == diversity.per_class(samples, labels, pairs=50, seed=1)
    assert one != diversity.per_class(samples, labels, pairs=50, seed=2)
    alone = diversity.per_class(samples[labels == 1], labels[labels == 1], pairs=50, seed=1)
    assert alone == {1: one[1]}


def test_collapse_within_classes_shows():
    """All classes are there, each one picture: only distances within classes can tell."""
    rng = np.random.default_rng(3)
    labels = np.arange(300) % 10
    modes = rng.normal(size=(10, 8))[labels]
    collapsed = diversity.diversity(modes + 0.01 * rng.normal(size=(300, 8)), labels)
    assert collapsed < 0.02 * diversity.diversity(modes + rng.normal(size=(300, 8)), labels)


def test_any_distance_of_any_samples_in_batches():
    seen = []

    def brightness(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        seen.append(a.shape)
        return np.abs(a.mean(axis=(1, 2, 3)) - b.mean(axis=(1, 2, 3)))

    pictures = np.arange(5.0)[:, None, None, None] * np.ones((5, 4, 4, 3))
    found = diversity.per_class(pictures, np.zeros(5, int), brightness, batch_size=4)
    assert found == {0: pytest.approx(2)}  # 4 of 1, 3 of 2, 2 of 3, 1 of 4: 20 / 10
    assert seen == [(4, 4, 4, 3), (4, 4, 4, 3), (2, 4, 4, 3)]


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="two pictures"):
        diversity.diversity(np.ones((3, 2)), np.arange(3))
    with pytest.raises(ValueError, match="labels"):
        diversity.diversity(np.ones((3, 2)), np.zeros(2, int))
