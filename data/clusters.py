"""Clusters of pictures that are alike at a glance, which take the place of classes.

    python train.py dataset.root=<folder> dataset=image_folder dataset.clusters=100 model.condition=projection

Networks that are told a picture's cluster have less to guess: such a GAN is far better than one without labels, and
leaves fewer kinds of pictures out (Sage et al. 2018, arXiv:1712.04407; Liu et al. 2020, arXiv:2006.10728).
"""

import warnings
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import numpy as np
from tqdm import tqdm

from core.errors import GessoError
from core.files import write_array
from data.cache import cached
from data.source import spread
from data.store import Store

VERSION = 1  # of how they are found
SIDE = 16  # px that pictures are averaged to
DIMENSIONS = 32  # principal components of these that are compared
FITTED = 20_000  # pictures, evenly spread, that the clusters are found among
ROUNDS = 30  # of k-means
LEAST = 0.1  # of the average cluster: the pictures of smaller ones go to the next best
PART = 256  # pictures read at a time


def clustered(
    images: np.ndarray | Store, num: int, flip: bool, key: Mapping[str, object], cache_dir: str | Path
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Finds `num` clusters of `images`, uint8 `[n, height, width, channels]`, the largest first, or fewer.

    Returns int32 `[n]`, the number of each picture's cluster, and the clusters' names, in which others of the same
    pictures, or of other pictures, differ. By k-means of their main colours and forms; with `flip`, a picture and
    its mirror image are in the same. Found once, and then read from the cache: `key` names all that the pictures
    depend on. Raises `GessoError` for fewer pictures than clusters.
    """
    if num > len(images):
        raise GessoError(f"dataset.clusters={num}, but there are {len(images)} pictures.")
    key = dict(key) | {"clusters": num, "flip": flip, "found": VERSION}

    def build(folder: Path) -> None:
        write_array(folder / "labels.npy", _clusters(images, num, flip))

    labels = np.load(cached("clusters", key, build, cache_dir) / "labels.npy", allow_pickle=False)
    found, name = int(labels.max()) + 1, sha256(labels.astype("<i4").tobytes()).hexdigest()[:6]
    return labels, tuple(f"{i:0{len(str(found - 1))}d}-{name}" for i in range(found))


def _clusters(images: np.ndarray | Store, num: int, flip: bool) -> np.ndarray:
    from scipy.cluster.vq import kmeans2, vq

    fitted = _small(images, spread(len(images), max(FITTED, num)), flip, "Looking for clusters")
    mean = fitted.mean(0)
    fitted -= mean
    directions = np.linalg.eigh(fitted.T @ fitted)[1][:, : -DIMENSIONS - 1 : -1]  # the last are the longest
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):  # of empty clusters, and of pictures all alike
        warnings.simplefilter("ignore")
        centers, numbers = kmeans2(fitted @ directions, num, ROUNDS, minit="++", missing="warn", rng=0)
    counts = np.bincount(numbers, minlength=num)
    centers = centers[counts * num >= len(fitted) * LEAST]  # a picture unlike all others is no class
    rows = _small(images, np.arange(len(images)), flip, "Sorting into clusters", (mean, directions))
    numbers = vq(rows, centers)[0]
    order = np.argsort(-np.bincount(numbers, minlength=len(centers)), kind="stable")
    return np.argsort(order)[numbers].astype(np.int32)


def _small(
    images: np.ndarray | Store,
    numbers: np.ndarray,
    flip: bool,
    bar: str,
    projection: tuple[np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
    """Returns the pictures of these numbers averaged to `SIDE`, and projected if so wanted: float64 `[n, d]`."""
    rows = []
    for i in tqdm(range(0, len(numbers), PART), desc=bar, unit="batch", disable=None):
        row = small(images[numbers[i : i + PART]], flip)
        rows.append(row if projection is None else (row - projection[0]) @ projection[1])
    return np.concatenate(rows)


def small(images: np.ndarray, flip: bool) -> np.ndarray:
    """Averages pictures `[n, height, width, channels]` to `SIDE` px, or leaves smaller ones: float64 `[n, d]`.

    What is left of sides that are no multiples is left out. With `flip`, mirror images have the same numbers: what
    the two halves have in common, and how much they differ.
    """
    n, height, width, channels = images.shape
    down, right = max(1, height // SIDE), max(1, width // SIDE)
    height, width = height // down, width // right
    cut = images[:, : height * down, : width * right].reshape(n, height, down, width, right, channels)
    found = cut.mean((2, 4), dtype=np.float64)
    if flip:
        mirrored, half = found[:, :, ::-1], -(-width // 2)
        found = np.concatenate([found + mirrored, np.abs(found - mirrored)], axis=3)[:, :, :half] / np.sqrt(2)
    return found.reshape(n, -1)
