"""Looks inside a generator: directions in its latents, nearness to the training pictures, balance."""

import math
from collections.abc import Iterable
from functools import cached_property

import numpy as np
from omegaconf import DictConfig
from PIL import Image, ImageDraw

from core import hardware
from core.errors import GessoError
from core.images import grid, to_uint8
from core.instantiate import build
from core.network_file import find_network, provenance
from data import ImageDataset
from evaluation import sets
from metrics.class_scores import histogram
from metrics.color_balance import ColorBalance, distance
from models import directions, latent, trained
from models.labels import as_asked, draw_labels, find_labels

LINE = 14  # px that a line of text takes
NEXT = 16  # of the nearest, among which one is another picture than the first
ROWS = 4096  # of features at a time
COPY = 0.5  # of the distance to the next picture, below which the nearest counts as copied


class Exploration:
    """A generator and the pictures that it was trained on. Raises `GessoError` if they do not fit.

    Each public method is a look at it, and gives a picture, uint8 `[height, width, channels]` or None, and numbers.
    """

    def __init__(self, config: DictConfig):
        self.config = config
        self.path = find_network(config.network, kinds=["generator"])
        self.generator, metadata = trained.load(self.path, "generator")
        self.metadata = metadata
        self.draw = trained.drawer(self.generator)
        self.classes, self.label = tuple(metadata.classes), None
        if self.classes:
            label = 0 if config.label is None else config.label
            self.asked = find_labels(label, self.classes, self.path)
            self.label = self.asked[0]  # of parts, the one it has seen most of
        self.latent_dim = trained.latent_dim(self.generator)
        self.provenance = provenance(self.path, config.seed)

    def sefa(self) -> tuple[np.ndarray, dict]:
        """Draws a strip for each of SeFa's directions, through one latent, labelled."""
        return self._strips(directions.sefa), {}

    def ganspace(self) -> tuple[np.ndarray, dict]:
        """Draws the same for GANSpace's directions."""
        return self._strips(directions.ganspace), {}

    def nearest(self) -> tuple[np.ndarray, dict]:
        """Shows each sample, then the training pictures nearest to it; counts samples that look like copies.

        A copy is much nearer to one training picture than to any other: at less than half the distance of the next,
        the picture's own doubles in the data set aside. (Near to some picture is no proof: a blurred grey is near
        to many.)
        """
        config, dataset = self.config, self.dataset
        if len(dataset) < 2:
            raise GessoError(f"{dataset.spec.name} has {len(dataset)} pictures: none is nearer than others.")
        space = build(config.features)
        space.check(dataset.spec.image_shape)
        everything = np.arange(len(dataset))
        reals = sets.extract_features(dataset, everything, space, config.cache_dir, config.batch_size)
        images, neighbors = self._samples(config.num), min(config.neighbors, len(dataset))
        parts = (images[i : i + config.batch_size] for i in range(0, len(images), config.batch_size))
        features = np.concatenate([space(part) for part in parts])
        near, distances = find_nearest(features, reals, min(max(neighbors, NEXT), len(dataset)))
        rows = []
        for image, found in zip(images, near, strict=True):
            rows += [to_uint8(image), *dataset.pictures(found[:neighbors])[0]]
        ratios = np.array([_by_next(row, reals[found]) for row, found in zip(distances, near, strict=True)])
        known = ratios[np.isfinite(ratios)]
        sheet = grid(np.stack(rows), columns=1 + neighbors)
        return _titled(sheet, "left: generated; then the nearest training pictures"), {
            "distance_to_training": float(np.mean(distances[:, 0])), "features": space.name,
            "nearest_by_next": float(known.mean()) if len(known) else None,
            "copies": float((known < COPY).mean()) if len(known) else None,
        }  # fmt: skip

    def balance(self) -> tuple[None, dict]:
        """Compares colours, and classes if there is a classifier, of generated and of training pictures."""
        config, dataset = self.config, self.dataset
        num = min(config.pictures, len(dataset))
        chosen = dataset.drawn(num, config.seed)
        # A generator that takes labels is asked for each class as often as it is there; where there are others, as
        # often as it has seen it.
        labels, known = None, dataset.spec.class_names
        if self.classes:
            own = None if dataset.labels is None else dataset.labels[chosen]
            labels = as_asked(self.metadata, num, config.seed, known, own)
        size = config.batch_size
        streams = {
            "generated": sets.generator_batches(self.generator, num, config.seed, labels, size, "generated"),
            "training": sets.dataset_batches(dataset, chosen, size, "training"),
        }
        classifier = None
        if config.classifier is not None:
            classifier = trained.load_classifier(config.classifier, dataset.spec.image_shape, len(known) or None)
        found = {name: _count(batches, classifier) for name, batches in streams.items()}
        numbers = {name: colors.numbers() for name, (colors, _) in found.items()}
        if classifier is not None:
            numbers["classes"] = {name: self._shares(counts / num) for name, (_, counts) in found.items()}
        return None, numbers | {"hue_distance": distance(*(colors for colors, _ in found.values()))}

    @cached_property
    def dataset(self) -> ImageDataset:
        """Returns the training pictures, at the generator's size."""
        size = self.generator.output_shape[1]
        if self.config.image_size not in (None, size):
            raise GessoError(f"image_size={self.config.image_size}, but the generator makes pictures of {size} px.")
        dataset = build(self.config.dataset, image_size=size)
        spec = dataset.spec
        if spec.batch_keys != ("image",) or spec.image_shape != tuple(self.generator.output_shape[1:]):
            raise GessoError(f"{spec.name} does not have the kind of pictures that {self.path} makes.")
        return dataset

    def _shares(self, shares: np.ndarray) -> dict[str, float]:
        """Names the shares of classes, `[classes]`."""
        names = self.dataset.spec.class_names or [str(i) for i in range(len(shares))]
        return dict(zip(names, shares.tolist(), strict=True))

    def _samples(self, num: int) -> np.ndarray:
        labels = None
        if self.classes:
            among = None if self.config.label is None else self.asked
            labels = draw_labels(self.metadata, num, self.config.seed, among)
        batches = sets.generator_batches(self.generator, num, self.config.seed, labels, self.config.batch_size)
        return np.concatenate([images for images, _ in batches])

    def _strips(self, find) -> np.ndarray:
        config = self.config
        try:
            vectors = find(self.generator, config.num)
        except ValueError as error:
            raise GessoError(f"num={config.num}: {error}") from error
        start = latent.sample(config.seed, 1, self.latent_dim)[0]
        steps = np.linspace(-config.reach, config.reach, config.frames, dtype=np.float32)
        strips = []
        for i, vector in enumerate(vectors, 1):
            # From where the latent lies across the direction, so that all strips go equally far from the usual.
            across = start - (start @ vector) * vector
            latents = across + steps[:, None] * vector
            images = self.draw(latents, None if self.label is None else np.full(len(latents), self.label))
            title = f"{i}: from -{config.reach:g} to {config.reach:g}"
            strips.append(_titled(grid(to_uint8(images), columns=config.frames), title))
        return np.concatenate(strips)


def find_nearest(features: np.ndarray, reals: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Finds the `k` of `reals` `[m, d]` that are nearest to each of `features` `[n, d]`.

    Returns their numbers, int `[n, k]`, the nearest first, and how far they are, `[n, k]`.
    """
    numbers, distances = [], []
    for row in features:
        parts = (reals[i : i + ROWS] for i in range(0, len(reals), ROWS))
        found = np.concatenate([np.linalg.norm(part - row, axis=1) for part in parts])
        numbers.append(np.argsort(found, kind="stable")[:k])
        distances.append(found[numbers[-1]])
    return np.stack(numbers), np.stack(distances)


def _by_next(distances: np.ndarray, reals: np.ndarray) -> float:
    """Divides the first of `distances` `[k]` to `reals` `[k, d]` by the next to another picture than the first.

    NaN where all are doubles of one picture: whether the sample is a copy of it, they do not tell.
    """
    others = np.flatnonzero(np.any(reals != reals[0], axis=1))
    return float(distances[0] / max(distances[others[0]], 1e-12)) if len(others) else math.nan


def _count(batches: Iterable[sets.Batch], classifier) -> tuple[ColorBalance, np.ndarray | None]:
    """Counts the colours of pictures and, with a classifier, how many of them are of each class, `[classes]`."""
    colors, probabilities = ColorBalance(), []
    for images, _ in batches:
        colors.update(images)
        if classifier is not None:
            with hardware.full_float32():
                probabilities.append(np.asarray(classifier(images, training=False)))
    return colors, histogram(np.concatenate(probabilities)) if probabilities else None


def _titled(sheet: np.ndarray, text: str) -> np.ndarray:
    """Puts a line of text above a picture."""
    line = Image.new("RGB", (sheet.shape[1], LINE), "white")
    ImageDraw.Draw(line).text((2, 1), text, fill="black")
    return np.concatenate([np.asarray(line)[..., : sheet.shape[2]], sheet])
