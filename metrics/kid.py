"""Kernel inception distance, KID (Bińkowski et al. 2018, arXiv:1801.01401): how far two sets of features are apart.

The squared maximum mean discrepancy under the kernel `(x.y / d + 1)^3`, by its unbiased estimate: on average it is
0 for two samples of one distribution, however few they are, so it may be negative. FID is biased, by an amount that
depends on the generator and the number of pictures; KID is not. It hardly notices that a generator makes few
pictures over and over (`metrics.neighbor_distance_ratio` does).
"""

import numpy as np

from metrics.order import canonical

ROWS = 2048  # of a kernel matrix at a time: [2048, 10000] is 160 MB


def kid(features_a: np.ndarray, features_b: np.ndarray) -> float:
    """Computes the unbiased squared MMD of features `[n, d]` and `[m, d]`, in float64.

    Raises `ValueError` for fewer than two rows, for NaN and infinity, and where the dimensions differ.
    """
    a, b = _checked(features_a, features_b)
    return float(_estimates(a, b, np.ones((1, len(a))), np.ones((1, len(b))))[0])


def kid_with_error(
    features_a: np.ndarray, features_b: np.ndarray, subset_size: int = 1000, num: int = 100, seed: int = 0
) -> tuple[float, float]:
    """Computes `kid` and its standard error, from `num` random subsets of `subset_size` rows of each set.

    The mean over all possible subsets is the estimate from all rows, so that is what is returned. The spread of
    the subsets is scaled by `sqrt(s / (n - s))`, n being the rows of the smaller set (the delete-d jackknife, Shao
    & Wu 1989), for they are smaller than the whole and overlap. What comes out is how much KID would vary with
    other samples as large as these; rather too much than too little where the sets differ in size or the KID is
    near 0. Subsets are the same however rows are ordered. `subset_size` is cut to half of the smaller set. Raises
    `ValueError` as `kid` does, for fewer than four rows, and where `num` is below 2.
    """
    a, b = _checked(features_a, features_b)
    smaller = min(len(a), len(b))
    size = min(subset_size, smaller // 2)
    if size < 2 or num < 2:
        raise ValueError(f"An error needs 2 subsets of 2 rows or more: not {num} of {size} ({smaller} rows).")
    a, b = a[canonical(a)], b[canonical(b)]
    rng = np.random.default_rng(seed)
    members_a, members_b = (np.ones((1 + num, len(x))) for x in (a, b))  # row 0: all of them
    for members in (members_a, members_b):
        for row in members[1:]:
            row[rng.permutation(len(row))[size:]] = 0
    whole, *parts = _estimates(a, b, members_a, members_b)
    return float(whole), float(np.std(parts, ddof=1) * np.sqrt(size / (smaller - size)))


def _checked(features_a: np.ndarray, features_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.asarray(features_a, np.float64), np.asarray(features_b, np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(f"KID compares [n, d] with [m, d], n and m at least 2; not {a.shape} with {b.shape}.")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("Features must be finite numbers.")
    return a, b


def _estimates(a: np.ndarray, b: np.ndarray, members_a: np.ndarray, members_b: np.ndarray) -> np.ndarray:
    """Computes estimates `[subsets]` from the rows of `a`, `b` that `members_a`, `members_b` `[subsets, n]` mark.

    All subsets share one pass over the kernel matrices.
    """
    n, m = members_a.sum(axis=1), members_b.sum(axis=1)
    within_a = _sums(a, a, members_a, members_a) - members_a @ _kernel(np.sum(a * a, axis=1), a.shape[1])
    within_b = _sums(b, b, members_b, members_b) - members_b @ _kernel(np.sum(b * b, axis=1), a.shape[1])
    between = _sums(a, b, members_a, members_b)
    return within_a / (n * (n - 1)) + within_b / (m * (m - 1)) - 2 * between / (n * m)


def _sums(a: np.ndarray, b: np.ndarray, members_a: np.ndarray, members_b: np.ndarray) -> np.ndarray:
    """Sums the kernel over all pairs of members: `[subsets]`."""
    total = np.zeros(len(members_a))
    for i in range(0, len(a), ROWS):
        rows = slice(i, i + ROWS)
        total += np.sum(members_a[:, rows] @ _kernel(a[rows] @ b.T, a.shape[1]) * members_b, axis=1)
    return total


def _kernel(products: np.ndarray, dimensions: int) -> np.ndarray:
    x = products / dimensions + 1
    return x * x * x
