"""Subjects of an evaluation as a set: the pictures of a generator, or of a folder."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from omegaconf import DictConfig
from PIL import Image

from core.errors import GessoError
from core.vocabulary import Vocabulary
from data import image_folder, source
from data.decode import opened
from evaluation import sets
from models import trained
from models.labels import as_asked

LARGEST = 256  # px, at which the pictures of a folder are compared if nothing else is said


class Subject(NamedTuple):
    """Pictures to evaluate: squares of `size` px, `available` of them (None: any number).

    `batches(num, labels, names)` gives `num` of them, of `labels` `[num]`, numbers of `names`, where it can be
    asked for `classes`; of None, of each class as many as a generator has seen. `stored` says how they came to
    their size, and in which numbers they are. Where there is a `vocabulary`, sentences in its numbers take the
    labels' place. `drawn` says how often the classes are of None.
    """

    name: str
    size: int
    available: int | None
    classes: tuple[str, ...]
    batches: Callable[..., Iterator[sets.Batch]]
    stored: str
    vocabulary: Vocabulary | None = None
    drawn: str | None = None


def of_generator(config: DictConfig, path: Path) -> Subject:
    """Loads the generator in `path`. Raises `GessoError` if `image_size=` is not its own."""
    network, metadata = trained.load(path, "generator")
    size = network.output_shape[1]
    if config.image_size not in (None, size):
        raise GessoError(f"image_size={config.image_size}, but {path} makes pictures of {size} px.")

    truncation = trained.truncate(network, config.truncation)

    def batches(num: int, labels: np.ndarray | None = None, names: Sequence[str] = ()) -> Iterator[sets.Batch]:
        own = as_asked(metadata, num, config.seed, names, labels) if metadata.classes else labels
        size = config.batch_size
        made = sets.generator_batches(network, num, config.seed, own, size, "generated", truncation)
        for i, (images, part) in enumerate(made):
            yield images, part if labels is None else labels[i * size : (i + 1) * size]

    drawn = None
    if metadata.classes:
        drawn = "as often as in what it learned from" if metadata.shares else "equally often"
    return Subject(
        str(path), size, None, tuple(metadata.classes), batches, sets.GENERATED, metadata.vocabulary, drawn
    )


def of_folder(config: DictConfig) -> Subject:
    """Reads the pictures of `images=`, all at one size. Raises `GessoError` if there are none."""
    size = config.image_size or _side(config.images, config.cache_dir)
    own = image_folder.load(config.images, size, config.cache_dir, flip=False)

    def batches(num: int, labels: np.ndarray | None = None, names: Sequence[str] = ()) -> Iterator[sets.Batch]:
        return sets.dataset_batches(own, own.drawn(num, config.seed), config.batch_size, "pictures")

    stored = f"{own.resizer}, uint8"
    return Subject(str(config.images), size, len(own), own.spec.class_names, batches, stored)


def _side(folder: str, cache_dir: str) -> int:
    """Returns the shorter side of the first picture in a folder, in px, at most `LARGEST`."""
    first = next(source.find(folder, "images", cache_dir).files([0]))
    try:
        with first as file, opened(file) as image:
            return min(*image.size, LARGEST)
    except (OSError, ValueError, Image.DecompressionBombError):  # the loader says what is wrong with it
        return LARGEST
