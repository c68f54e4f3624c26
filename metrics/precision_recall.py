"""Improved precision and recall (Kynkäänniemi et al. 2019, arXiv:1904.06991): are they good, are all kinds there?

The region that a set fills is taken for the union of balls around its members, each as large as the distance to the
k-th nearest other. An outlier's ball is large: sets with outliers seem to fill more than they do, which
`metrics.density_coverage` minds less.
"""

import numpy as np

from metrics import neighbors


def precision_recall(features: np.ndarray, reference: np.ndarray, k: int = 3) -> tuple[float, float]:
    """Computes shares of `features` `[n, d]` in the reference's region, and of the reference `[m, d]` in theirs.

    Precision falls where pictures look like no real one, recall where they lack some of the reals' kinds. Both
    depend on the number of pictures: compare equal ones, n = m as in the paper (50,000), as `evaluation.sets` asks
    for. Two halves of one set give
    less than 1. Raises `ValueError` for fewer than k + 1 rows and where the dimensions differ.
    """
    return _covered(features, reference, k), _covered(reference, features, k)


def _covered(points: np.ndarray, centers: np.ndarray, k: int) -> float:
    balls, _ = neighbors.within(points, centers, neighbors.kth_distance(centers, k))
    return float(np.mean(balls > 0))
