import numpy as np
import pytest

from metrics import neighbor_distance_ratio, neighbors


def test_nearest_worked_by_hand():
    points = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0], [3.0, 9.0]])
    np.testing.assert_allclose(neighbor_distance_ratio.nearest_distance(points), [1, np.sqrt(18), 1, 5])


def test_nearest_by_loops_in_pieces():
    x = np.random.default_rng(0).normal(size=(30, 5))
    expected = [min(np.linalg.norm(p - q) for j, q in enumerate(x) if j != i) for i, p in enumerate(x)]
    np.testing.assert_allclose(neighbors.kth_distance(x, 1, rows=7), expected, rtol=1e-12)


def test_copies_give_exactly_zero_even_far_from_the_origin():
    x = 1000 + np.random.default_rng(1).normal(size=(20, 5))
    reals = np.random.default_rng(2).normal(size=(40, 5))
    assert neighbor_distance_ratio.neighbor_distance_ratio(np.tile(x, (2, 1)), reals) == 0


def test_reals_give_one_and_collapse_little():
    rng = np.random.default_rng(3)
    reals, others = rng.normal(size=(2, 500, 8))
    assert neighbor_distance_ratio.neighbor_distance_ratio(reals, reals) == 1
    assert neighbor_distance_ratio.neighbor_distance_ratio(others, reals) == pytest.approx(1, abs=0.05)
    modes = rng.normal(size=(5, 8))[np.arange(500) % 5] + rng.normal(0, 0.01, (500, 8))
    assert neighbor_distance_ratio.neighbor_distance_ratio(modes, reals) < 0.02
    assert neighbor_distance_ratio.neighbor_distance_ratio(3 * others, reals) == pytest.approx(3, abs=0.15)


def test_what_cannot_be_compared_is_refused():
    x = np.arange(6.0).reshape(3, 2)
    with pytest.raises(ValueError, match="one size"):
        neighbor_distance_ratio.neighbor_distance_ratio(x, x[:2])
    with pytest.raises(ValueError, match="at least 2"):
        neighbor_distance_ratio.nearest_distance(x[:1])
    with pytest.raises(ValueError, match="copies"):
        neighbor_distance_ratio.neighbor_distance_ratio(x, np.ones((3, 2)))
