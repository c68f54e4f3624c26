"""Nearest-neighbour distance ratio, a measure of ours: how far apart a set's pictures are, beside real ones."""

import numpy as np

from metrics import neighbors


def neighbor_distance_ratio(features: np.ndarray, reference: np.ndarray) -> float:
    """Divides the mean distance from each sample to its nearest other one by the same of the reference.

    Both float `[n, d]` with the same n, as neighbours come nearer in larger sets. 0 where every sample has a copy,
    near 0 for a generator that makes few pictures over and over, about 1 for other real ones. Above 1: more
    scattered than reals, which is no virtue; noise is. Raises `ValueError` where the shapes differ, for fewer than
    two rows, and if the reference has no two different rows.
    """
    if np.shape(features) != np.shape(reference):
        raise ValueError(f"Compare sets of one size: {np.shape(features)} is not {np.shape(reference)}.")
    unit = nearest_distance(reference).mean()
    if unit == 0:
        raise ValueError("All rows of the reference have copies: there is nothing to compare with.")
    return float(nearest_distance(features).mean() / unit)


def nearest_distance(features: np.ndarray) -> np.ndarray:
    """Computes the distance from each row of `[n, d]` to its nearest other: float64 `[n]`, exactly 0 for copies."""
    return neighbors.kth_distance(features, 1)
