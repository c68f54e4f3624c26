"""Evaluation of a generator, or a folder of pictures, as a set beside the pictures of a data set."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from omegaconf import DictConfig
from PIL import Image

from core.errors import GessoError
from core.images import to_float, to_uint8
from core.instantiate import build
from core.network_file import find_network
from data import image_folder
from evaluation import pairs, sets
from metrics import fid
from models import trained

log = logging.getLogger(__name__)

LARGEST = 256  # px, at which the pictures of a folder are compared if nothing else is said


class Subject(NamedTuple):
    """Pictures to evaluate: squares of `size` px, `available` of them (None: any number).

    `batches(num, labels)` gives `num` of them, of `labels` `[num]` where it can be asked for `classes`; `stored`
    says how they came to their size, and in which numbers they are.
    """

    name: str
    size: int
    available: int | None
    classes: list[str]
    batches: Callable[[int, np.ndarray | None], Iterator[sets.Batch]]
    stored: str


def evaluate(config: DictConfig, metrics: Mapping[str, Mapping[str, Any]]) -> tuple[dict, dict]:
    """Measures rows of numbers by name; returns them, and what they depend on.

    As many pictures are taken of either: `num`, or what the smaller set has. Without `images=`, half of a data set
    that is not twice `num` is left for the row of other real pictures: what a
    perfect generator would score. Raises `GessoError` where there is nothing to compare.
    """
    subject = _folder(config) if config.images is not None else _generator(config)
    if config.image_size not in (None, subject.size):
        raise GessoError(f"image_size={config.image_size}, but {subject.name} makes pictures of {subject.size} px.")
    config.image_size = subject.size
    dataset = build(config.dataset)
    spec = dataset.spec
    if spec.batch_keys != ("image",):
        raise GessoError(
            f"{spec.name} has two kinds of pictures; which to compare with? Give dataset=image_folder."
        )
    classes = list(spec.class_names)
    if config.images is not None and subject.classes != classes:
        subject = subject._replace(classes=[])  # subfolders that are other ones
    if subject.classes and subject.classes != classes:
        raise GessoError(f"{subject.name} makes pictures of classes, and {spec.name} does not have the same.")
    num = min(config.num, len(dataset), subject.available or config.num)
    if subject.available is None and config.baselines and len(dataset) < 2 * num:
        num = len(dataset) // 2
    if num < 2:
        raise GessoError(f"{spec.name} has {len(dataset)} pictures: too few to compare with.")
    labelled = bool(subject.classes)  # else no row has labels, or they would not compare
    order = np.random.default_rng(config.seed).permutation(len(dataset))
    first, second = order[:num], order[num : 2 * num]

    kinds = {metric["of"] for metric in metrics.values()}
    seen_by_space = kinds & {"features", "labelled", "moments"}
    space = build(config.features) if seen_by_space else None
    classifier = _classifier(config.classifier) if "probabilities" in kinds else None
    reals = partial(sets.dataset_batches, dataset, batch_size=config.batch_size)
    seen = partial(_seen, labelled=labelled, space=space, classifier=classifier)
    reference, scale = seen(reals(first), kinds - seen_by_space), 1.0
    if space is not None:
        raw = sets.extract_features(dataset, first, space, config.weights, config.cache_dir, config.batch_size)
        scale = sets.choose_scale(space, raw)
        found = sets.summarize_features(raw, reference.labels, kinds, scale)
        reference.features, reference.moments = found.features, found.moments

    streams = {subject.name: subject.batches(num, dataset.labels[first] if labelled else None)}
    if config.baselines and len(second) == num:
        streams["reals, others"] = reals(second, bar="reals")
        streams[pairs.BLURRED] = _changed(reals(second, bar="blurred"), pairs.blurred)
        streams[pairs.MEAN_COLOR] = _changed(reals(second, bar="mean colour"), pairs.mean_color)
    rows = {
        name: sets.measure(seen(batches, kinds, scale=scale), reference, metrics)
        for name, batches in streams.items()
    }
    if "moments" in kinds and (said := fid.warning(num, space.dimensions)):
        log.warning("%s", said)
    settings = {
        "reference": spec.name, "num": num, "seed": config.seed, "truncation": config.truncation,
        "image_size": subject.size, "pictures": subject.stored, "reference_pictures": f"{dataset.resizer}, uint8",
        "features": space and space.name, "resizer": space and space.resizer, "weights": config.weights,
        "features_multiplied_by": scale, "classifier": config.classifier,
    }  # fmt: skip
    return rows, settings


def _seen(batches: Iterator[sets.Batch], kinds: Iterable[str], labelled: bool, **options) -> sets.SetStatistics:
    """Calls `sets.gather_statistics`. Raises `GessoError` for pictures that the networks there do not take."""
    try:
        return sets.gather_statistics(
            ((images, labels if labelled else None) for images, labels in batches), kinds, **options
        )
    except ValueError as error:
        raise GessoError(f"These pictures cannot be looked at: {str(error).splitlines()[0]}") from error


def _generator(config: DictConfig) -> Subject:
    path = find_network(config.network, kinds=["generator"])
    network, metadata = trained.load(path, "generator")

    def batches(num: int, labels: np.ndarray | None) -> Iterator[sets.Batch]:
        return sets.generator_batches(
            network, num, config.seed, labels, config.batch_size, "generated", config.truncation
        )

    return Subject(str(path), network.output_shape[1], None, list(metadata.classes), batches, sets.GENERATED)


def _folder(config: DictConfig) -> Subject:
    size = config.image_size or _side(config.images)
    own = image_folder.load(config.images, size, config.cache_dir, flip=False)

    def batches(num: int, labels: np.ndarray | None) -> Iterator[sets.Batch]:
        chosen = np.random.default_rng(config.seed).permutation(len(own))[:num]
        return sets.dataset_batches(own, chosen, config.batch_size, "pictures")

    stored = f"{own.resizer}, uint8"
    return Subject(str(config.images), size, len(own), list(own.spec.class_names), batches, stored)


def _side(folder: str) -> int:
    """Returns the shorter side of the first picture in a folder, in px, at most `LARGEST`."""
    root, files = image_folder.listed(folder, "images")
    try:
        with Image.open(root / files[0].path) as image:
            return min(*image.size, LARGEST)
    except OSError:  # the loader says what is wrong with it
        return LARGEST


def _classifier(path: str) -> Callable[[np.ndarray], Any]:
    network = trained.load_network(path)
    return lambda images: network(images, training=False)


def _changed(batches: Iterator[sets.Batch], change: Callable[[np.ndarray], np.ndarray]) -> Iterator[sets.Batch]:
    for images, labels in batches:
        yield to_float(np.stack([change(image) for image in to_uint8(images)])), labels
