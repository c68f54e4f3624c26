"""Density and coverage (Naeem et al. 2020, arXiv:2002.09797): precision and recall that outliers do not spoil.

Only the reals have balls, each as large as the distance to the k-th nearest other. Density counts how many balls a
picture lies in, so that one outlier's large ball lends it little; coverage counts balls with a picture in them.
"""

import numpy as np

from metrics import neighbors


def density_coverage(features: np.ndarray, reference: np.ndarray, k: int = 5) -> tuple[float, float]:
    """Computes the density and the coverage of `features` `[n, d]` among those of a reference `[m, d]`.

    Density is the mean number of the reference's balls that each of `features` lies in, divided by k; coverage the
    share of balls with one of `features` in them.

    Density is about 1 for other reals, and above where pictures keep to where reals are dense, as a generator that
    repeats few good ones does. Coverage lies in 0 to 1, for other reals at about `1 - 2^-k` if n = m; it grows with
    n: compare sets of one size, as `evaluation.sets` asks for. Balls are open, as in the authors' code: a set has a
    density of exactly 1 against itself, but a real with k copies has a ball of radius 0, in which nothing lies.
    Raises `ValueError` for a reference of fewer than k + 1 rows and where the dimensions differ.
    """
    radii = neighbors.kth_distance(reference, k)
    balls, pictures = neighbors.within(features, reference, radii, closed=False)
    return float(np.mean(balls) / k), float(np.mean(pictures > 0))
