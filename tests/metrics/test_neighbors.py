import numpy as np
import pytest

from metrics import neighbors


def every(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """All distances, by the differences themselves."""
    return np.linalg.norm(x[:, None].astype(np.float64) - y[None], axis=2)


@pytest.mark.parametrize("k", [1, 3, 29])
@pytest.mark.parametrize("rows", [7, 1024], ids=["in pieces", "at once"])
def test_kth_distance_by_brute_force(k, rows):
    x = np.random.default_rng(0).normal(size=(30, 5))
    np.testing.assert_array_equal(neighbors.kth_distance(x, k, rows), np.sort(every(x, x), axis=1)[:, k])


def test_kth_distance_worked_by_hand():
    points = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0], [0.0, 0.0]])
    np.testing.assert_array_equal(neighbors.kth_distance(points, 1), [0, np.sqrt(18), 1, 0])
    np.testing.assert_array_equal(neighbors.kth_distance(points, 2), [1, 5, 1, 1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("apart", [0, 1000], ids=["one cloud", "two, far apart"])
def test_copies_and_near_copies_far_from_the_origin(dtype, apart):
    """Between two clouds the expanded square is off by more than the squares that it has to tell apart, 1e-13."""
    rng = np.random.default_rng(1)
    x = 1000 + rng.normal(size=(6, 8))
    x[3:] -= apart
    x = np.repeat(x, 6, axis=0).astype(dtype)
    near = np.concatenate([x, x[::6].astype(np.float64) + 1e-7 * rng.normal(size=(6, 8))])
    for k in (5, 6, 7):
        np.testing.assert_array_equal(neighbors.kth_distance(near, k), np.sort(every(near, near), axis=1)[:, k])
    assert not neighbors.kth_distance(x, 5).any() and neighbors.kth_distance(x, 6).all()


@pytest.mark.parametrize("rows", [7, 1024], ids=["in pieces", "at once"])
def test_within_by_brute_force(rows, monkeypatch):
    monkeypatch.setattr(neighbors, "PAIRS", 20)  # differences four pairs at a time
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(40, 5)), rng.normal(0.2, 1, size=(25, 5))
    radii = rng.uniform(0.5, 4, 25)
    inside = every(x, y) <= radii
    found = neighbors.within(x, y, radii, rows=rows)
    np.testing.assert_array_equal(found[0], inside.sum(axis=1))
    np.testing.assert_array_equal(found[1], inside.sum(axis=0))
    assert 0 < inside.mean() < 1


@pytest.mark.parametrize("offset", [0, 1000])
def test_the_edge_belongs_to_closed_balls_alone(offset):
    """Each k-th neighbour lies exactly on the edge, each centre in its own ball."""
    x = (offset + np.random.default_rng(3).normal(size=(200, 16))).astype(np.float32)
    radii = neighbors.kth_distance(x, 4)
    assert neighbors.within(x, x, radii)[1].tolist() == [5] * 200
    assert neighbors.within(x, x, radii, closed=False)[1].tolist() == [4] * 200
    assert neighbors.within(x, x, np.zeros(200))[1].tolist() == [1] * 200
    assert not neighbors.within(x, x, np.zeros(200), closed=False)[1].any()


def test_collapsed_sets_are_not_looked_into_without_end(monkeypatch):
    """Two pictures over and over, up to rounding: products do not tell 200 apart, and only some are compared."""
    rng = np.random.default_rng(5)
    x = np.repeat(rng.normal(size=(2, 16)), 200, axis=0)
    looked = []
    distances = neighbors._distances
    monkeypatch.setattr(neighbors, "_distances", lambda x, i, y, j: looked.append(len(i)) or distances(x, i, y, j))
    monkeypatch.setattr(neighbors, "LOOK", 10)
    assert not neighbors.kth_distance(x, 3).any()
    noisy = x + 1e-9 * rng.normal(size=x.shape)
    found = neighbors.kth_distance(noisy, 3)
    assert (found >= np.sort(every(noisy, noisy), axis=1)[:, 3]).all() and (found < 1e-6).all()
    assert sum(looked) == 2 * 400 * (3 + 10)


def test_memory_is_bounded_by_pieces(monkeypatch):
    monkeypatch.setattr(neighbors, "BLOCK", 64)
    x = np.random.default_rng(4).normal(size=(40, 3))
    sizes = [near.shape for _, near, _ in neighbors._blocks(x, x[:20], 1024)]
    assert sizes == [(3, 20)] * 13 + [(1, 20)]
    np.testing.assert_array_equal(neighbors.kth_distance(x, 2), np.sort(every(x, x), axis=1)[:, 2])


def test_what_has_no_neighbours_is_refused():
    x = np.arange(6.0).reshape(3, 2)
    for k in (0, 3):
        with pytest.raises(ValueError, match="at least"):
            neighbors.kth_distance(x, k)
    for wrong in (x[0], x * np.nan, x[:, :0]):
        with pytest.raises(ValueError, match="finite"):
            neighbors.kth_distance(wrong, 1)
    with pytest.raises(ValueError, match="radii"):
        neighbors.within(x, x, np.ones(2))
    with pytest.raises(ValueError, match="radii"):
        neighbors.within(x, x[:, :1], np.ones(3))
