"""Nearest neighbours in two sets of features: exact distances in float64, some rows at a time.

`|x|^2 + |y|^2 - 2 x.y` is fast, but has lost digits: copies are not at 0 by it, and a point on the edge of a ball
falls in or out by chance. So it only decides where it must be right, and where it may be wrong the differences are
taken themselves.
"""

from collections.abc import Iterator

import numpy as np

ROWS = 1024
BLOCK = 2**24  # numbers in a piece of the distance matrix (128 MB), however many rows the other set has
PAIRS = 2**17  # numbers in the differences of single pairs: what a cache holds
LOOK = 256  # others beyond k that a row is compared with anew


def kth_distance(features: np.ndarray, k: int, rows: int = ROWS) -> np.ndarray:
    """Computes distances of the rows of `[n, d]` to their k-th nearest: float64 `[n]`, exactly 0 for copies.

    Where more than `LOOK` others are as near as the k-th by all that rounding lets tell, as in a set that has
    collapsed, only so many of them are looked at: 0 if all are copies, and else right to about 1e-6 of the set's
    extent. Raises `ValueError` for fewer than k + 1 rows, and for NaN and infinity.
    """
    x = _checked(features)
    if not 1 <= k < len(x):
        raise ValueError(f"Neighbours need [n, d] with n at least {k + 1}, not {x.shape}.")
    result = np.empty(len(x))
    for part, near, slack in _blocks(x, x, rows):
        own = np.arange(len(near))
        near[own, part.start + own] = np.inf
        farthest = np.partition(near, k - 1, axis=1)[:, k - 1] + slack
        candidates = near <= farthest[:, None]  # k a row, or more: one of them is the k-th
        for row in np.flatnonzero(candidates.sum(axis=1) > k + LOOK):
            candidates[row] = False
            candidates[row, np.argpartition(near[row], k + LOOK)[: k + LOOK]] = True
        i, j = np.nonzero(candidates)
        distances = _distances(x, part.start + i, x, j)
        order = np.lexsort((distances, i))
        result[part] = distances[order][np.searchsorted(i, own) + k - 1]
    return result


def within(
    points: np.ndarray, centers: np.ndarray, radii: np.ndarray, closed: bool = True, rows: int = ROWS
) -> tuple[np.ndarray, np.ndarray]:
    """Counts the balls that each point lies in, and the points that lie in each ball: int64 `[n]` and `[m]`.

    Of points `[n, d]` and balls around `centers` `[m, d]` with `radii` `[m]`; those on the edge lie in it if
    `closed`. Radii from `kth_distance` have the neighbour exactly on the edge.
    """
    x, y, radii = _checked(points), _checked(centers), np.asarray(radii, np.float64)
    if x.shape[1] != y.shape[1] or radii.shape != (len(y),):
        raise ValueError(f"Not points, centres and radii: {x.shape}, {y.shape} and {radii.shape}.")
    per_point, per_ball = np.zeros(len(x), np.int64), np.zeros(len(y), np.int64)
    for part, near, slack in _blocks(x, y, rows):
        near -= np.square(radii)
        inside = near < -slack[:, None]
        np.abs(near, out=near)
        i, j = np.nonzero(near <= slack[:, None])
        distances = _distances(x, part.start + i, y, j)
        inside[i, j] = distances <= radii[j] if closed else distances < radii[j]
        per_point[part] = inside.sum(axis=1)
        per_ball += inside.sum(axis=0)
    return per_point, per_ball


def _checked(features: np.ndarray) -> np.ndarray:
    x = np.asarray(features, np.float64)
    if x.ndim != 2 or not x.size or not np.isfinite(x).all():
        raise ValueError(f"Features are finite numbers [n, d]; not so these, {x.shape}.")
    return x


def _blocks(x: np.ndarray, y: np.ndarray, rows: int) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Yields rows of x, their squared distances to all of y `[rows, m]`, and how far these may be off `[rows]`."""
    middle = y.mean(axis=0)  # the nearer 0 all lie, the less is lost
    x, y = x - middle, y - middle
    squares_x, squares_y = (np.einsum("ij,ij->i", values, values) for values in (x, y))
    rows = max(1, min(rows, BLOCK // len(y)))
    off = 4 * (x.shape[1] + 8) * np.finfo(np.float64).eps  # twice the bound for a sum of d products
    for i in range(0, len(x), rows):
        part = slice(i, min(i + rows, len(x)))
        near = x[part] @ y.T
        near *= -2
        near += squares_x[part, None]
        near += squares_y
        yield part, near, off * (squares_x[part] + squares_y.max())


def _distances(x: np.ndarray, i: np.ndarray, y: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Computes the distances of x[i], y[j]; the same to the last bit if x and y change places."""
    result = np.empty(len(i))
    step = max(1, PAIRS // x.shape[1])
    for start in range(0, len(i), step):
        pairs = slice(start, start + step)
        result[pairs] = np.linalg.norm(x[i[pairs]] - y[j[pairs]], axis=1)
    return result
