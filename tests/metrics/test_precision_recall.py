import numpy as np
import pytest

from metrics.precision_recall import precision_recall


def by_brute_force(fakes: np.ndarray, reals: np.ndarray, k: int) -> tuple[float, float]:
    def covered(points, centers):
        radii = [np.sort(np.linalg.norm(centers - c, axis=1))[k] for c in centers]
        inside = [any(np.linalg.norm(p - c) <= r for c, r in zip(centers, radii, strict=True)) for p in points]
        return np.mean(inside)

    return covered(fakes, reals), covered(reals, fakes)


@pytest.mark.parametrize("k", [1, 3])
def test_is_the_definition(k):
    rng = np.random.default_rng(0)
    fakes, reals = rng.normal(0.8, 0.7, size=(50, 4)), rng.normal(size=(60, 4))
    found = precision_recall(fakes, reals, k)
    assert found == by_brute_force(fakes, reals, k)
    assert 0.1 < found[1] < found[0] < 1


def test_is_that_of_scikit_learn():
    sklearn = pytest.importorskip("sklearn.neighbors")
    rng = np.random.default_rng(1)
    fakes, reals = rng.normal(0.4, 0.8, size=(300, 6)), rng.normal(size=(250, 6))

    def covered(points, centers):
        radii = sklearn.NearestNeighbors(n_neighbors=4).fit(centers).kneighbors(centers)[0][:, -1]  # 4: itself too
        distances = sklearn.NearestNeighbors(n_neighbors=len(centers)).fit(centers).kneighbors(points)
        return np.mean((distances[0] <= radii[distances[1]]).any(axis=1))

    assert precision_recall(fakes, reals) == pytest.approx(
        (covered(fakes, reals), covered(reals, fakes)), rel=1e-12
    )


def test_worked_by_hand():
    # k = 1. Reals 0, 1, 5: radii 1, 1, 4, so [-1, 2] and [1, 9]. Fakes 1.5, 20, 21: radii 18.5, 1, 1.
    fakes, reals = np.array([[1.5], [20.0], [21.0]]), np.array([[0.0], [1.0], [5.0]])
    assert precision_recall(fakes, reals, 1) == (pytest.approx(1 / 3), 1)
    assert precision_recall(reals, fakes, 1) == (1, pytest.approx(1 / 3))


def test_identical_sets_score_one_with_or_without_copies():
    x = 100 + np.random.default_rng(2).normal(size=(300, 8))
    assert precision_recall(x, x) == (1, 1)
    assert precision_recall(x[::-1], np.repeat(x, 5, axis=0)) == (1, 1)


def test_samples_of_one_distribution_score_alike_and_others_not():
    a, b = np.random.default_rng(3).normal(size=(2, 800, 4))
    precision, recall = precision_recall(a, b)
    assert precision == pytest.approx(recall, abs=0.04) and precision > 0.85
    assert precision_recall(a + 20, b) == (0, 0)


def test_one_picture_over_and_over_has_no_recall():
    rng = np.random.default_rng(4)
    reals = rng.normal(size=(400, 8))
    repeated = np.tile(reals[:1], (400, 1))
    precision, recall = precision_recall(repeated, reals)
    assert precision == 1 and recall == 1 / 400  # itself alone
    near = 0.5 * reals[:1] + 1e-3 * rng.normal(size=(400, 8))
    precision, recall = precision_recall(near, reals)
    assert precision > 0.9 and recall == 0


def test_what_cannot_be_compared_is_refused():
    x = np.arange(12.0).reshape(6, 2)
    for a, b in ((x[:3], x), (x, x[:3]), (x, x[:, :1]), (x[0], x)):
        with pytest.raises(ValueError):
            precision_recall(a, b)
