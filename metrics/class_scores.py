"""Scores of what a classifier sees: are all classes there, are they clear, are they the ones that were asked for?

`probabilities` are float `[n, classes]`, rows that sum to 1.
"""

import numpy as np


def histogram(probabilities: np.ndarray) -> np.ndarray:
    """Counts the pictures that look most like each class: int64 `[classes]`."""
    return np.bincount(probabilities.argmax(axis=1), minlength=probabilities.shape[1])


def kl_from_uniform(counts: np.ndarray) -> float:
    """Computes the Kullback-Leibler divergence of the shares of `counts` `[classes]` from equal shares, in nats.

    0 where all classes come equally often, log(classes) where only one comes.
    """
    shares = np.asarray(counts, np.float64) / np.sum(counts)
    shares = shares[shares > 0]
    return float(np.sum(shares * np.log(shares)) + np.log(len(counts)))


def confident(probabilities: np.ndarray, threshold: float = 0.9) -> float:
    """Computes the share of pictures whose likeliest class has a probability above `threshold`."""
    return float(np.mean(probabilities.max(axis=1) > threshold))


def accuracy(probabilities: np.ndarray, labels: np.ndarray | None) -> float:
    """Computes the share of pictures that look most like their label, int `[n]`: that asked for, or the true one.

    Raises `ValueError` if there are no labels.
    """
    if labels is None:
        raise ValueError("These pictures are of no classes, so none of them is right or wrong.")
    return float(np.mean(probabilities.argmax(axis=1) == labels))


def accuracy_per_class(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Computes the accuracy for each label: float64 `[classes]`, NaN for labels that do not occur."""
    classes = probabilities.shape[1]
    right = np.bincount(labels[probabilities.argmax(axis=1) == labels], minlength=classes)
    asked = np.bincount(labels, minlength=classes)
    return np.divide(right, asked, out=np.full(classes, np.nan), where=asked > 0)


def summary(
    probabilities: np.ndarray, labels: np.ndarray | None = None, threshold: float = 0.9
) -> tuple[float, float, float]:
    """Computes `confident`, `kl_from_uniform` and `inception_score`; labels are not looked at."""
    counts = histogram(probabilities)
    return confident(probabilities, threshold), kl_from_uniform(counts), inception_score(probabilities)


def inception_score(probabilities: np.ndarray) -> float:
    """Computes exp of the mean divergence from all pictures' classes (Salimans et al. 2016, arXiv:1606.03498).

    From 1 (all pictures look alike, or like nothing) to the number of classes (each clear, all equally often). Only
    with the paper's network, Inception trained on ImageNet, is it the published measure.
    """
    p = np.asarray(probabilities, np.float64)
    tiny = np.finfo(np.float64).tiny  # 0 log 0 is 0
    divergence = np.sum(p * (np.log(np.maximum(p, tiny)) - np.log(np.maximum(p.mean(axis=0), tiny))), axis=1)
    return float(np.exp(divergence.mean()))
