import numpy as np
import pytest

from metrics import neighbors
from metrics.density_coverage import density_coverage
from metrics.precision_recall import precision_recall


def by_brute_force(fakes: np.ndarray, reals: np.ndarray, k: int) -> tuple[float, float]:
    radii = [np.sort(np.linalg.norm(reals - r, axis=1))[k] for r in reals]
    inside = np.array([[np.linalg.norm(f - r) < d for r, d in zip(reals, radii, strict=True)] for f in fakes])
    return inside.sum() / (k * len(fakes)), inside.any(axis=0).mean()


@pytest.mark.parametrize("k", [1, 5])
def test_is_the_definition(k):
    rng = np.random.default_rng(0)
    fakes, reals = rng.normal(0.5, 0.7, size=(50, 4)), rng.normal(size=(60, 4))
    assert density_coverage(fakes, reals, k) == pytest.approx(by_brute_force(fakes, reals, k), rel=1e-12)


def test_is_that_of_scikit_learn():
    """As the authors' code has it."""
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    fakes, reals = rng.normal(0.4, 0.8, size=(300, 6)), rng.normal(size=(250, 6))
    radii = np.sort(sklearn.pairwise_distances(reals), axis=1)[:, 5]
    distances = sklearn.pairwise_distances(reals, fakes)
    density = (distances < radii[:, None]).sum(axis=0).mean() / 5
    coverage = (distances.min(axis=1) < radii).mean()
    assert density_coverage(fakes, reals) == pytest.approx((density, coverage), rel=1e-12)


def test_worked_by_hand():
    # k = 1. Reals 0, 1, 5: open balls (-1, 1), (0, 2), (1, 9). Fakes 0.5: in two, 1.5: in two, 9: in none.
    fakes, reals = np.array([[0.5], [1.5], [9.0]]), np.array([[0.0], [1.0], [5.0]])
    assert density_coverage(fakes, reals, 1) == (pytest.approx(4 / 3), 1)
    assert density_coverage(fakes[:1], reals, 1) == (2, pytest.approx(2 / 3))


def test_identical_sets_have_a_density_of_exactly_one():
    x = 100 + np.random.default_rng(2).normal(size=(300, 8))
    assert density_coverage(x, x) == (1, 1)


def test_other_reals_score_as_the_paper_expects():
    a, b = np.random.default_rng(3).normal(size=(2, 1500, 4))
    density, coverage = density_coverage(a, b)
    assert density == pytest.approx(1, abs=0.05)
    assert coverage == pytest.approx(1 - 1 / 2**5, abs=0.02)
    assert density_coverage(a + 20, b) == (0, 0)


def test_one_good_picture_over_and_over_is_dense_and_covers_nothing():
    reals = np.random.default_rng(4).normal(size=(400, 4))
    balls, _ = neighbors.within(reals, reals, neighbors.kth_distance(reals, 5), closed=False)
    density, coverage = density_coverage(np.tile(reals[balls.argmax()], (400, 1)), reals)
    assert density > 2 and coverage == pytest.approx(density * 5 / 400)


def test_an_outlier_lends_little():
    """One real far off has a ball that reaches to the others: what lies between is in it, but in no other."""
    rng = np.random.default_rng(5)
    reals = rng.normal(size=(400, 4))
    reals[0] = 100
    between = rng.uniform(10, 90, size=(400, 4))
    assert precision_recall(between, reals)[0] > 0.95
    assert density_coverage(between, reals) == (pytest.approx(1 / 5, rel=0.05), 1 / 400)


def test_what_cannot_be_compared_is_refused():
    x = np.arange(16.0).reshape(8, 2)
    for a, b in ((x, x[:5]), (x, x[:, :1]), (x[0], x)):
        with pytest.raises(ValueError):
            density_coverage(a, b)
