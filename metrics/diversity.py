"""Diversity within classes: do two pictures of one kind differ? The mean distance between random pairs of a class.

With LPIPS of pictures as the distance it is how diversity is measured for translation (BicycleGAN, Zhu et al. 2017,
arXiv:1711.11586; StarGAN v2, Choi et al. 2020, arXiv:1912.01865) and, within classes, for conditional generators.
It says nothing of quality: noise is diverse. Read it beside the same of real pictures.
"""

from collections.abc import Callable

import numpy as np

from metrics.order import canonical


def euclidean(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Computes distances of rows of features, `[n, d]` and `[n, d]` -> float64 `[n]`."""
    return np.linalg.norm(np.asarray(a, np.float64) - b, axis=1)


def diversity(
    samples: np.ndarray,
    labels: np.ndarray | None,
    distance: Callable[[np.ndarray, np.ndarray], np.ndarray] = euclidean,
    pairs: int = 500,
    seed: int = 0,
) -> float:
    """Averages `per_class`: each class counts the same, however many pictures it has.

    Raises `ValueError` where no class has two pictures.
    """
    found = per_class(samples, labels, distance, pairs, seed)
    if not found:
        raise ValueError("Diversity needs a class with two pictures or more.")
    return float(np.mean(list(found.values())))


def per_class(
    samples: np.ndarray,
    labels: np.ndarray | None,
    distance: Callable[[np.ndarray, np.ndarray], np.ndarray] = euclidean,
    pairs: int = 500,
    seed: int = 0,
    batch_size: int = 64,
) -> dict[int, float]:
    """Averages the distances between different members, for each label that has two or more.

    `samples` `[n, ...]` are what `distance` compares, batch by batch: features `[n, d]`, or pictures with
    `metrics.perceptual_distance`. `labels` int `[n]`, 0 or more; None where there are no classes. All pairs are
    taken where they are `pairs` or fewer, else `pairs` at random, the same whatever the other classes are and
    however the samples are ordered.
    """
    labels = np.zeros(len(samples), np.int64) if labels is None else np.asarray(labels)
    if labels.shape != (len(samples),):
        raise ValueError(f"{len(samples)} samples have {len(samples)} labels, not {labels.shape}.")
    found = {}
    for label in np.unique(labels).tolist():
        members = np.flatnonzero(labels == label)
        if len(members) < 2:
            continue
        members = members[canonical(samples[members])]
        first, second = members[_pairs(len(members), pairs, np.random.default_rng([seed, label]))]
        total = 0.0
        for i in range(0, len(first), batch_size):
            batch = slice(i, i + batch_size)
            total += float(np.sum(distance(samples[first[batch]], samples[second[batch]]), dtype=np.float64))
        found[label] = total / len(first)
    return found


def _pairs(n: int, most: int, rng: np.random.Generator) -> np.ndarray:
    """Draws different pairs of 0..n-1: int64 `[2, num]`."""
    if n * (n - 1) // 2 <= most:
        return np.stack(np.triu_indices(n, 1))
    # The j-th pair (a, b), a < b, of the list (0, 1), (0, 2), (1, 2), (0, 3), ...: j = b (b - 1) / 2 + a.
    j = rng.choice(n * (n - 1) // 2, most, replace=False, shuffle=False)
    b = ((1 + np.sqrt(1 + 8.0 * j)) / 2).astype(np.int64)
    return np.stack([j - b * (b - 1) // 2, b])
