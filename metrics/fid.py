"""Fréchet inception distance, FID (Heusel et al. 2017, arXiv:1706.08500): how far two sets of features are apart.

Each set is taken for a normal distribution; the distance is the squared Wasserstein-2 distance of the two. Only
mean and covariance enter, so a set of any size passes by in batches, and a reference need be measured only once.
"""

import numpy as np
from scipy import linalg

ROWS = 4096  # in float64 at a time: 64 MB of 2048 features
FEW = 2048  # the least that the paper's authors advise; published values are from 10,000 or 50,000


class Moments:
    """Number, mean `[d]` and covariance `[d, d]`, float64, of all features that `update` was given.

    Deviations are summed around each batch's own mean, and batches are joined by the pairwise update of Chan, Golub
    & LeVeque 1979: nothing cancels, however far from 0 the features lie.
    """

    def __init__(self, d: int):
        self.n = 0
        self.mean = np.zeros(d)
        self.scatter = np.zeros((d, d))  # sum of the deviations' outer products

    def update(self, features: np.ndarray) -> "Moments":
        """Takes `[n, d]` in; returns itself. Raises `ValueError` for another d, and for NaN and infinity."""
        d = len(self.mean)
        if np.ndim(features) != 2 or np.shape(features)[1] != d:
            raise ValueError(f"Moments of {d} features need [n, {d}], not {np.shape(features)}.")
        for i in range(0, len(features), ROWS):
            rows = np.array(features[i : i + ROWS], np.float64)
            mean = rows.mean(axis=0)
            if not np.isfinite(mean).all():
                raise ValueError("Features must be finite numbers.")
            rows -= mean
            self._join(len(rows), mean, rows.T @ rows)
        return self

    @property
    def covariance(self) -> np.ndarray:
        """Computes the covariance, unbiased, as `np.cov` does. Raises `ValueError` for fewer than two rows."""
        if self.n < 2:
            raise ValueError(f"A covariance needs 2 rows or more, not {self.n}.")
        return self.scatter / (self.n - 1)

    def _join(self, n: int, mean: np.ndarray, scatter: np.ndarray) -> None:
        total, apart = self.n + n, mean - self.mean
        self.scatter += scatter
        self.scatter += np.outer(apart, apart * (self.n * n / total))
        self.mean = self.mean + apart * (n / total)
        self.n = total


def fid(a: Moments, b: Moments) -> float:
    """Computes the Fréchet distance of two sets' moments: 0 where they agree, the same both ways, never negative.

    Biased: two samples of one distribution are above 0, and the more so the fewer they are (`warning`). Compare
    only values from the same number of pictures and the same network. Raises `ValueError` for sets of fewer than
    two rows and where the dimensions differ.
    """
    if a.mean.shape != b.mean.shape:
        raise ValueError(f"FID compares features of one dimension, not {len(a.mean)} with {len(b.mean)}.")
    return frechet(a.mean, a.covariance, b.mean, b.covariance)


def frechet(mean_a: np.ndarray, covariance_a: np.ndarray, mean_b: np.ndarray, covariance_b: np.ndarray) -> float:
    """Computes `|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^1/2)`, squared Wasserstein-2 of normal distributions.

    Covariances may be singular.
    """
    # The trace of (C_a C_b)^1/2 is the sum of the singular values of R_a^T R_b, where C = R R^T: no root of a
    # product that is not symmetric, which fails where it is nearly singular. And small values keep their digits,
    # as they would not as roots of eigenvalues of R_a C_b R_a.
    shared = linalg.svdvals(_root(covariance_a).T @ _root(covariance_b)).sum()
    spread = np.trace(covariance_a) + np.trace(covariance_b) - 2 * shared
    return float(max(np.sum(np.square(mean_a - mean_b)) + spread, 0.0))


def warning(n: int, d: int) -> str | None:
    """Says what is wrong with a FID of `n` pictures (the smaller set) on `d` features, or None."""
    if n <= d:
        return (
            f"FID of {n} pictures on {d} features is biased: their covariance is singular, as it takes {d + 1} "
            "pictures or more to fill it. KID has no such bias."
        )
    if n < FEW:
        return (
            f"FID of {n} pictures is biased: take {FEW} or more, better 10,000, and compare only values from the "
            "same number. KID has no such bias."
        )
    return None


def _root(covariance: np.ndarray) -> np.ndarray:
    """Computes `[d, rank]`, whose product with its transpose is the covariance."""
    values, vectors = np.linalg.eigh(covariance)
    some = values > values[-1] * len(values) * np.finfo(np.float64).eps  # the others are 0 but for rounding
    return vectors[:, some] * np.sqrt(values[some])
