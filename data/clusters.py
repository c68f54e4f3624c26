"""Clusters of pictures that are alike at a glance, which take the place of classes, or divide them.

    python train.py dataset.root=<folder> dataset=image_folder dataset.clusters=100 model.condition=projection
    python train.py dataset=paintings dataset.clusters=20 dataset.clusters_of=class model.condition=projection

Networks that are told a picture's cluster have less to guess: such a GAN is far better than one without labels, and
leaves fewer kinds of pictures out (Sage et al. 2018, arXiv:1712.04407; Liu et al. 2020, arXiv:2006.10728).
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from tqdm import tqdm

from core.class_names import part_name
from core.errors import GessoError
from core.files import write_array
from data.cache import cached, reading
from data.dataset import digest
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
    images: np.ndarray | Store,
    num: int | None,
    flip: bool,
    key: Mapping[str, object],
    cache_dir: str | Path,
    of: str = "all",
    labels: np.ndarray | None = None,
    classes: Sequence[str] = (),
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Finds `num` clusters of `images`, uint8 `[n, height, width, channels]`, the largest first, or fewer.

    `of` is "all", or "class" for so many of each of the `classes`, whose numbers are `labels`, int32 `[n]`. Returns
    int32 `[n]`, the number of each picture's cluster, and the clusters' names (`core.class_names`), in which others
    of the same pictures, or of other pictures, differ; where `num` is None, `labels` and `classes`. By k-means of
    their main colours and forms; with `flip`, a picture and its mirror image are in the same. Found once, and then
    read from the cache: `key` names all that the pictures depend on. Raises `GessoError` for fewer pictures than
    clusters, and for those of no classes.
    """
    if of == "class" and (num is None or labels is None):
        lacks = "how many? dataset.clusters=10" if num is None else "these pictures have no classes"
        raise GessoError(f"dataset.clusters_of=class: {lacks}.")
    if num is None:
        return labels, tuple(classes)
    if num > len(images):
        raise GessoError(f"dataset.clusters={num}, but there are {len(images)} pictures.")
    key = dict(key) | {"clusters": num, "flip": flip, "found": VERSION}
    members = [np.arange(len(images))]
    if of == "class":
        members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        key |= {"of": digest(labels.tolist())}

    def build(folder: Path) -> None:
        numbers, before = np.empty(len(images), np.int32), 0
        with tqdm(total=sum(map(len, members)), desc="Looking for clusters", unit="picture", disable=None) as bar:
            for own in members:
                fitted = max(FITTED * len(own) // len(images), num)
                numbers[own] = before + _clusters(images, own, min(num, len(own)), fitted, flip, bar)
                before = numbers[own].max() + 1
        write_array(folder / "labels.npy", numbers)

    folder = cached("clusters", key, build, cache_dir)
    with reading(folder):
        numbers = np.load(folder / "labels.npy", allow_pickle=False)
    found, name = int(numbers.max()) + 1, sha256(numbers.astype("<i4").tobytes()).hexdigest()[:6]
    if of == "class":
        own = [classes[labels[first]] for first in np.unique(numbers, return_index=True)[1]]
        return numbers, tuple(part_name(own[i], i - own.index(own[i]), name) for i in range(found))
    return numbers, tuple(f"{i:0{len(str(found - 1))}d}-{name}" for i in range(found))


def _clusters(
    images: np.ndarray | Store, members: np.ndarray, num: int, fitted: int, flip: bool, bar: tqdm
) -> np.ndarray:
    """Returns the clusters of the pictures numbered `members`, int32 `[len(members)]`, found among `fitted`."""
    from scipy.cluster.vq import kmeans2, vq

    rows = np.concatenate([small(images[part], flip) for part in _parts(members[spread(len(members), fitted)])])
    mean = rows.mean(0)
    rows -= mean
    directions = np.linalg.eigh(rows.T @ rows)[1][:, : -DIMENSIONS - 1 : -1]  # the last are the longest
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):  # of empty clusters, and of pictures all alike
        warnings.simplefilter("ignore")
        centers, numbers = kmeans2(rows @ directions, num, ROUNDS, minit="++", missing="warn", rng=0)
    counts = np.bincount(numbers, minlength=num)
    centers = centers[counts * num >= len(rows) * LEAST]  # a picture unlike all others is no class
    found = []
    for part in _parts(members):
        found.append(vq((small(images[part], flip) - mean) @ directions, centers)[0])
        bar.update(len(part))
    numbers = np.concatenate(found)
    order = np.argsort(-np.bincount(numbers, minlength=len(centers)), kind="stable")
    return np.argsort(order)[numbers].astype(np.int32)


def _parts(numbers: np.ndarray) -> Iterator[np.ndarray]:
    return (numbers[i : i + PART] for i in range(0, len(numbers), PART))


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
