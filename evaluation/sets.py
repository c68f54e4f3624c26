"""Sets of pictures beside a reference: features are drawn from a stream, so that no set is held in memory."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from core import hardware
from core.errors import GessoError
from core.files import expanded, write_array
from core.images import to_float
from data import ImageDataset
from data.cache import cached, reading
from metrics.features import FeatureSpace, scale_of
from metrics.fid import Moments

# Pictures float32 [batch, height, width, channels] in [-1, 1], and their labels, int [batch], if they have any.
Batch = tuple[np.ndarray, np.ndarray | None]
KINDS = ("images", "moments", "features", "labelled", "probabilities")  # what a metric of sets may be `of`
GENERATED = "float32, not rounded"  # how pictures of a generator are compared: nothing resizes or stores them
VERSION = 1  # of features in the cache


@dataclass
class SetStatistics:
    """Statistics of a set of `n` pictures that has passed by: only those that some metric asked for.

    Memory grows by the features, 2 KB a picture on VGG16's 512, where a metric compares picture with picture;
    moments (FID) alone take the same for any number. `images` are kept for metrics without a feature space alone.
    """

    n: int = 0
    features: np.ndarray | None = None  # float32 [n, d]
    moments: Moments | None = None
    labels: np.ndarray | None = None  # int64 [n]; None where there are no classes
    images: np.ndarray | None = None
    probabilities: np.ndarray | None = None  # float32 [n, classes]


def gather_statistics(
    batches: Iterable[Batch],
    kinds: Iterable[str],
    space: FeatureSpace | None = None,
    scale: float = 1.0,
    classifier: Callable[[np.ndarray], np.ndarray] | None = None,
) -> SetStatistics:
    """Passes `batches` by the feature space and the classifier, as far as `kinds` of `KINDS` need them.

    Features, and with them their moments, are multiplied by `scale`. Raises `ValueError` for a classifier that
    does not give probabilities.
    """
    kinds, statistics = set(kinds), SetStatistics()
    parts = {name: [] for name in ("features", "labels", "images", "probabilities")}
    if "moments" in kinds:
        statistics.moments = Moments(space.dimensions)
    for images, labels in batches:
        statistics.n += len(images)
        if labels is not None:
            parts["labels"].append(labels)
        if "images" in kinds:
            parts["images"].append(images)
        if "probabilities" in kinds:
            with hardware.full_float32():
                parts["probabilities"].append(_probabilities(np.asarray(classifier(images))))
        if kinds & {"features", "labelled", "moments"}:
            found = space(images) * np.float32(scale)
            if "moments" in kinds:
                statistics.moments.update(found)
            if kinds & {"features", "labelled"}:
                parts["features"].append(found)
    for name, arrays in parts.items():
        if arrays:
            setattr(statistics, name, np.concatenate(arrays))
    return statistics


def _probabilities(found: np.ndarray) -> np.ndarray:
    if (found < 0).any() or not np.allclose(found.sum(axis=-1), 1, atol=0.02):
        raise ValueError(
            "the classifier gives no probabilities, which are 0 or more and add up to 1: a softmax last."
        )
    return found


def measure(
    statistics: SetStatistics, reference: SetStatistics, metrics: Mapping[str, Mapping[str, Any]]
) -> dict[str, float]:
    """Computes the numbers of `metrics` (see `conf/metrics/`; `function` is built) of a set beside a reference.

    The two are of one size: precision, recall, coverage and FID depend on how many pictures there are, each in its
    own way. Raises `GessoError` for others, and for a metric that does not take them, such as sets that are too
    small for it.
    """
    if statistics.n != reference.n:
        raise GessoError(
            f"{statistics.n} pictures do not compare with {reference.n}: most metrics depend on the size of both "
            "sets. Take as many of each."
        )
    inputs = {
        "images": (statistics.images, reference.images),
        "moments": (statistics.moments, reference.moments),
        "features": (statistics.features, reference.features),
        "labelled": (statistics.features, statistics.labels),
        "probabilities": (statistics.probabilities, statistics.labels),
    }
    return computed(metrics, inputs)


def computed(metrics: Mapping[str, Mapping[str, Any]], inputs: Mapping[str, tuple]) -> dict[str, float]:
    """Computes metrics of what they are of, `inputs` by that name: numbers by name. Raises `GessoError`."""
    values = {}
    for name, metric in metrics.items():
        try:
            found = metric["function"](*inputs[metric["of"]])
        except ValueError as error:
            raise GessoError(f"metrics={name}: {error}") from error
        numbers, names = np.atleast_1d(found), metric["names"]
        if numbers.shape != (len(names),):
            raise GessoError(f"metrics={name} has {len(names)} names; its function gives {numbers.shape} numbers.")
        values |= zip(names, numbers.tolist(), strict=True)
    return values


def dataset_batches(
    dataset: ImageDataset, chosen: np.ndarray, batch_size: int, bar: str | None = None
) -> Iterator[Batch]:
    """Yields the pictures `chosen` of a data set, a batch at a time; `bar` names a progress bar."""
    for i in _bar(range(0, len(chosen), batch_size), bar):
        pictures, labels = dataset.pictures(chosen[i : i + batch_size])
        yield to_float(pictures), labels


def generator_batches(
    generator,
    num: int,
    seed: int,
    labels: np.ndarray | None,
    batch_size: int,
    bar: str | None = None,
    truncation: float | None = None,
) -> Iterator[Batch]:
    """Yields `num` pictures of a generator, of `labels` `[num]` if it takes them; latents as in `generate.py`."""
    from models import latent, trained

    draw = trained.drawer(generator)
    dimensions = trained.latent_dim(generator)
    for i in _bar(range(0, num, batch_size), bar):
        latents = latent.sample(seed, min(batch_size, num - i), dimensions, truncation, start=i)
        part = None if labels is None else labels[i : i + batch_size]
        yield draw(latents, part), part


def extract_features(
    dataset: ImageDataset,
    chosen: np.ndarray,
    space: FeatureSpace,
    cache_dir: str,
    batch_size: int,
) -> np.ndarray:
    """Computes features `[n, d]` of the pictures `chosen` of a data set, or takes them from the cache.

    Keyed by the pixels themselves, the space, and its weights file's size and time. Mapped from the disk.
    """
    import hashlib

    digest = hashlib.sha256()
    for images, _ in dataset_batches(dataset, chosen, batch_size):
        digest.update(np.ascontiguousarray(images).data)
    file = None if space.weights is None else expanded(space.weights).stat()
    key = {
        "version": VERSION, "space": space.name, "resizer": space.resizer, "pixels": digest.hexdigest(),
        "weights": file and [file.st_size, file.st_mtime_ns], "shape": [len(chosen), *dataset.spec.image_shape],
    }  # fmt: skip

    def build(folder: Path) -> None:
        found = gather_statistics(
            dataset_batches(dataset, chosen, batch_size, "reference"), ["features"], space
        ).features
        write_array(folder / "features.npy", found)

    folder = cached("features", key, build, cache_dir)
    with reading(folder):
        return np.load(folder / "features.npy", mmap_mode="r", allow_pickle=False)


def summarize_features(
    features: np.ndarray, labels: np.ndarray | None, kinds: Iterable[str], scale: float
) -> SetStatistics:
    """Gathers statistics, as `gather_statistics`, of raw features that are there already."""
    statistics = SetStatistics(n=len(features), labels=labels)
    if {"features", "labelled"} & set(kinds):
        statistics.features = features * np.float32(scale)
    if "moments" in kinds:
        statistics.moments = Moments(features.shape[1])
        for i in range(0, len(features), 1024):
            statistics.moments.update(features[i : i + 1024] * np.float32(scale))
    return statistics


def choose_scale(space: FeatureSpace, reference: np.ndarray) -> float:
    """Chooses what all features of a comparison are multiplied by: 1 where the space's own are about 1."""
    return 1.0 if space.unit else scale_of(reference)


def _bar(steps: range, name: str | None) -> Iterable[int]:
    return steps if name is None else tqdm(steps, desc=name, unit="batch", disable=None)
