"""Looks inside a generator: directions in its latents, nearness to the training pictures, balance."""

from functools import cached_property

import numpy as np
from omegaconf import DictConfig
from PIL import Image, ImageDraw

from core.errors import GessoError
from core.images import grid, to_uint8
from core.instantiate import build
from core.network_file import find_network, provenance
from data import ImageDataset
from evaluation import report, sets
from metrics.class_scores import histogram
from metrics.color_balance import ColorBalance, distance
from models import directions, latent, trained

LINE = 14  # px that a line of text takes
ROWS = 4096  # of features at a time
COPY = 0.5  # of the distance to the next picture, below which the nearest counts as copied


class Inside:
    """A generator and the pictures it was trained on. Raises `GessoError` if they do not fit.

    Each method gives a picture, uint8 `[height, width, channels]` or None, and numbers.
    """

    def __init__(self, config: DictConfig):
        self.config = config
        self.path = find_network(config.network, kinds=["generator"])
        self.generator, metadata = trained.load(self.path, "generator")
        self.draw = trained.drawer(self.generator)
        self.conditional = bool(metadata.classes)
        self.label = None
        if self.conditional:
            label = 0 if config.label is None else config.label
            self.label = trained.find_class(label, metadata.classes, self.path)
        self.latent_dim = trained.latent_dim(self.generator)
        self.provenance = provenance(self.path, config.seed)

    def sefa(self) -> tuple[np.ndarray, dict]:
        """Draws a strip for each direction, through one latent, labelled."""
        return self._strips(directions.sefa), {}

    def ganspace(self) -> tuple[np.ndarray, dict]:
        """Draws the same for GANSpace's directions."""
        return self._strips(directions.ganspace), {}

    def nearest(self) -> tuple[np.ndarray, dict]:
        """Shows each sample, then the training pictures nearest to it; counts the samples that look like copies.

        A copy is much nearer to one training picture than to any other: at less than half the distance of the next.
        (Near to some picture is no proof: a blurred grey is near to many.)
        """
        config, dataset = self.config, self.dataset
        space = build(config.features)
        everything = np.arange(len(dataset))
        reals = sets.extract_features(
            dataset, everything, space, config.weights, config.cache_dir, config.batch_size
        )
        if len(dataset) < 2:
            raise GessoError(f"{dataset.spec.name} has {len(dataset)} pictures: none is nearer than others.")
        images, neighbours = self._samples(config.num), min(config.neighbors, len(dataset))
        rows, nearest, ratios = [], [], []
        for image, row in zip(images, space(images), strict=True):
            parts = (reals[i : i + ROWS] for i in range(0, len(reals), ROWS))
            found = np.concatenate([np.linalg.norm(part - row, axis=1) for part in parts])
            near = np.argsort(found, kind="stable")[: max(neighbours, 2)]
            rows += [to_uint8(image), *dataset.pictures(near[:neighbours])[0]]
            nearest.append(found[near[0]])
            ratios.append(found[near[0]] / max(found[near[1]], 1e-12))
        numbers = {
            "distance_to_training": float(np.mean(nearest)), "nearest_by_next": float(np.mean(ratios)),
            "copies": float(np.mean(np.array(ratios) < COPY)),
        }  # fmt: skip
        print(report.table({f"{config.num} samples, {len(dataset)} training pictures": numbers}))
        sheet = grid(np.stack(rows), columns=1 + neighbours)
        title = "left: generated; then the nearest training pictures"
        return _titled(sheet, title), numbers | {"features": space.name}

    def balance(self) -> tuple[None, dict]:
        """Compares colours, and classes if there is a classifier, of generated and of training pictures."""
        config, dataset = self.config, self.dataset
        num = min(config.pictures, len(dataset))
        chosen = np.random.default_rng(config.seed).permutation(len(dataset))[:num]
        # A generator that takes labels is asked for each class as often as it is there.
        labels = dataset.labels[chosen] if self.conditional and dataset.labels is not None else None
        size = config.batch_size
        streams = {
            "generated": sets.generator_batches(self.generator, num, config.seed, labels, size, "generated"),
            "training": sets.dataset_batches(dataset, chosen, size, "training"),
        }
        classifier = None if config.classifier is None else trained.load_network(config.classifier)
        colors, classes = {}, {}
        for name, batches in streams.items():
            colors[name], likeliest = ColorBalance(), []
            for images, _ in batches:
                colors[name].update(images)
                if classifier is not None:
                    likeliest.append(np.asarray(classifier(images, training=False)))
            if classifier is not None:
                classes[name] = histogram(np.concatenate(likeliest)) / num
        numbers = {name: found.numbers() for name, found in colors.items()}
        print(report.table(numbers))
        if classes:
            names = dataset.spec.class_names or [str(i) for i in range(len(classes["training"]))]
            if len(names) != len(classes["training"]):
                raise GessoError(
                    f"classifier={config.classifier} knows {len(classes['training'])} classes, and "
                    f"{dataset.spec.name} has {len(names)}."
                )
            shares = {name: dict(zip(names, found.tolist(), strict=True)) for name, found in classes.items()}
            print(report.table(shares))
            numbers["classes"] = shares
        return None, numbers | {"hue_distance": distance(*colors.values())}

    @cached_property
    def dataset(self) -> ImageDataset:
        """Returns the training pictures."""
        size = self.generator.output_shape[1]
        if self.config.image_size not in (None, size):
            raise GessoError(f"image_size={self.config.image_size}, but the generator makes pictures of {size} px.")
        self.config.image_size = size
        dataset = build(self.config.dataset)
        spec = dataset.spec
        if spec.batch_keys != ("image",) or spec.image_shape != tuple(self.generator.output_shape[1:]):
            raise GessoError(f"{spec.name} does not have the kind of pictures that {self.path} makes.")
        return dataset

    def _samples(self, num: int) -> np.ndarray:
        latents = latent.sample(self.config.seed, num, self.latent_dim)
        return self.draw(latents, None if self.label is None else np.full(num, self.label))

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


def _titled(sheet: np.ndarray, text: str) -> np.ndarray:
    """Writes a line of text above a picture."""
    line = Image.new("RGB", (sheet.shape[1], LINE), "white")
    ImageDraw.Draw(line).text((2, 1), text, fill="black")
    return np.concatenate([np.asarray(line)[..., : sheet.shape[2]], sheet])
