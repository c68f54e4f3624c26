"""Evaluation of a generator, or a folder of pictures, as a set beside the pictures of a data set."""

import logging
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from omegaconf import DictConfig

from core.errors import GessoError
from core.images import to_float, to_uint8
from core.instantiate import build
from data import DatasetSpec, ImageDataset
from evaluation import baselines, sets
from evaluation.modes import OF_SPACE, Metrics, Rows, Settings
from evaluation.subject import Subject
from metrics import fid
from models import trained
from models.labels import same_classes

log = logging.getLogger(__name__)


def evaluate(config: DictConfig, metrics: Metrics, subject: Subject) -> tuple[Rows, Settings]:
    """Measures a subject, and baselines, beside the pictures of a data set.

    Returns rows of numbers by name, and what they depend on. As many pictures are taken of either: `num`, or what
    the smaller set has. For a generator, half of a data set that is not twice
    `num` is left for the row of other real pictures: what a perfect generator would score. Raises `GessoError`
    where there is nothing to compare.
    """
    dataset = _load_reference(config, subject)
    labelled = _has_labels(subject, dataset)
    num = _count(config, subject, dataset)
    order = dataset.drawn(2 * num, config.seed)
    first, second = order[:num], order[num:]

    comparison = Comparison(config, metrics, dataset.spec, labelled)
    comparison.set_reference(dataset, first)
    asked = dataset.labels[first] if labelled else None
    if subject.vocabulary is not None:
        asked = subject.vocabulary.tokens(dataset.texts(first))
    streams = {subject.name: subject.batches(num, asked, dataset.spec.class_names)}
    if config.baselines and len(second) == num:
        streams |= _baselines(dataset, second, config.batch_size)
    elif config.baselines:
        log.info("No rows beside it: with other reals among them, they take a data set of %d.", 2 * num)
    rows = {name: comparison.measure(batches) for name, batches in streams.items()}
    if "moments" in comparison.kinds and (said := fid.warning(num, comparison.space.dimensions)):
        log.warning("%s", said)
    own = {} if subject.drawn is None else {"labels": "the data's" if labelled else subject.drawn}
    own |= {
        "reference": dataset.spec.name, "data": dataset.fingerprint, "num": num, "image_size": subject.size,
        "pictures": subject.stored, "reference_pictures": f"{dataset.resizer}, uint8",
    }  # fmt: skip
    return rows, own | comparison.settings


class Comparison:
    """Compares sets of pictures with one reference: by metrics, through a feature space and a classifier.

    `spec` says what pictures. Labels are left out unless `labelled`: either all sets have them, or they would not
    compare. Raises `GessoError` for a classifier of other pictures.
    """

    def __init__(self, config: DictConfig, metrics: Metrics, spec: DatasetSpec, labelled: bool):
        self.config, self.metrics, self.labelled = config, metrics, labelled
        self.kinds = {metric["of"] for metric in metrics.values()}
        self.space = build(config.features) if self.kinds & OF_SPACE else None
        if self.space is not None:
            self.space.check(spec.image_shape)
        self.classifier = None
        if "probabilities" in self.kinds:
            compared = any("class_accuracy" in metric["names"] for metric in metrics.values())
            if compared and not labelled:
                raise GessoError("metrics=class_accuracy: these pictures are not of the classes of the data set.")
            network = trained.load_classifier(
                config.classifier, spec.image_shape, spec.num_classes if compared else None
            )
            self.classifier = lambda images: network(images, training=False)
        self.scale = 1.0

    def set_reference(self, dataset: ImageDataset, chosen: np.ndarray) -> None:
        """Takes the pictures `chosen` of a data set for the reference; their features may be in the cache."""
        config = self.config
        self.reference = sets.SetStatistics(len(chosen), labels=dataset.labels[chosen] if self.labelled else None)
        if "images" in self.kinds:
            self.reference = self._gather(sets.dataset_batches(dataset, chosen, config.batch_size), ["images"])
        if self.space is not None:
            features = sets.extract_features(dataset, chosen, self.space, config.cache_dir, config.batch_size)
            self.scale = sets.choose_scale(self.space, features)
            found = sets.summarize_features(features, self.reference.labels, self.kinds, self.scale)
            self.reference.features, self.reference.moments = found.features, found.moments

    def measure(self, batches: Iterator[sets.Batch]) -> dict[str, float]:
        """Returns the numbers, by name, of pictures beside the reference."""
        return sets.measure(self._gather(batches, self.kinds), self.reference, self.metrics)

    @property
    def settings(self) -> Settings:
        """What the numbers depend on besides the two sets."""
        config, space = self.config, self.space
        return {
            "seed": config.seed, "truncation": config.truncation,
            "features": space and space.name, "resizer": space and space.resizer,
            "weights": space and space.weights, "features_multiplied_by": self.scale,
            "classifier": config.classifier,
        }  # fmt: skip

    def _gather(self, batches: Iterator[sets.Batch], kinds: Iterable[str]) -> sets.SetStatistics:
        """Gathers statistics. Raises `GessoError` for pictures that the networks do not take."""
        own = ((images, labels if self.labelled else None) for images, labels in batches)
        try:
            return sets.gather_statistics(own, kinds, self.space, self.scale, self.classifier)
        except ValueError as error:
            raise GessoError(f"These pictures cannot be looked at: {str(error).splitlines()[0]}") from error


def _load_reference(config: DictConfig, subject: Subject) -> ImageDataset:
    """Loads the data set, at the subject's size. Raises `GessoError` if it has more than one kind of pictures."""
    words = {"text": True} if subject.vocabulary is not None else {}
    dataset = build(config.dataset, image_size=subject.size, **words)
    if dataset.spec.batch_keys != ("image",):
        raise GessoError(
            f"{dataset.spec.name} has two kinds of pictures; which to compare with? Give dataset=image_folder."
        )
    return dataset


def _has_labels(subject: Subject, dataset: ImageDataset) -> bool:
    """Whether both have the same classes: then a generator is asked for those of the data set."""
    same = same_classes(subject.classes, dataset.spec.class_names)
    if subject.classes and not same and subject.available is None:  # of a folder, subfolders may be anything
        log.warning("%s has not the classes of %s: these come %s.", dataset.spec.name, subject.name, subject.drawn)
    return bool(subject.classes) and same


def _count(config: DictConfig, subject: Subject, dataset: ImageDataset) -> int:
    """Returns how many pictures of each set are compared. Raises `GessoError` if that is none or one."""
    num = min(config.num, len(dataset), subject.available or config.num)
    if subject.available is None and config.baselines and len(dataset) < 2 * num:
        num = len(dataset) // 2
        log.info(
            "Compared with %d pictures, as half of them is left for other reals; baselines=false takes all.", num
        )
    if num < 2:
        few = {
            "num=": config.num,
            f"{subject.name}:": subject.available or 2,
            f"{dataset.spec.name}:": len(dataset),
        }
        name, found = min(few.items(), key=lambda item: item[1])
        raise GessoError(f"{name} {found} pictures are too few to compare sets: two at least, of either.")
    return num


def _baselines(dataset: ImageDataset, chosen: np.ndarray, size: int) -> dict[str, Iterator[sets.Batch]]:
    """Returns, by name, real pictures as they are, blurred, and in plain colours."""

    def reals(bar: str) -> Iterator[sets.Batch]:
        return sets.dataset_batches(dataset, chosen, size, bar)

    return {
        "reals, others": reals("reals"),
        baselines.BLURRED: _changed(reals("blurred"), baselines.blur),
        baselines.MEAN_COLOR: _changed(reals("mean colour"), baselines.mean_color),
    }


def _changed(batches: Iterator[sets.Batch], change: Callable[[np.ndarray], np.ndarray]) -> Iterator[sets.Batch]:
    for images, labels in batches:
        yield to_float(np.stack([change(image) for image in to_uint8(images)])), labels
