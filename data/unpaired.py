"""Two folders of pictures that have nothing to do with each other, for translation without pairs.

python train.py model=cyclegan dataset.a=<photos> dataset.b=<paintings>
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from core.errors import GessoError
from data.checks import check_batch
from data.dataset import DatasetSpec, digest
from data.image_dataset import ImageDataset
from data.image_folder import from_source
from data.source import find

if TYPE_CHECKING:
    from data.stream import Batch, Stream

APART = 2**32  # between the seeds of the two: neither order says anything about the other


class Unpaired:
    """Pictures of one size from two data sets, drawn independently of each other: a `data.dataset.Dataset`.

    `keys` names the two in what `stream` and `examples` give. The classes are those of the second.
    """

    def __init__(self, first: ImageDataset, second: ImageDataset, keys: tuple[str, str] = ("a", "b")):
        name = f"{first.spec.name} and {second.spec.name}"
        self.spec = DatasetSpec(name, keys, first.spec.image_shape, class_names=second.spec.class_names)
        self.first = first
        self.second = second
        self.skipped = first.skipped + second.skipped

    def __len__(self) -> int:
        """The pictures of the larger one: of the other, each comes oftener."""
        return max(len(self.first), len(self.second))

    @property
    def fingerprint(self) -> str:
        """As `data.dataset.Dataset.fingerprint` says."""
        return digest([self.first.fingerprint, self.second.fingerprint])

    def stream(
        self, batch_size: int, seed: int, start_step: int = 0, worker: int = 0, workers: int = 1
    ) -> "Stream":
        """As `data.dataset.Dataset.stream` says: under each of `spec.batch_keys`, and "label" of the second."""
        check_batch(self.spec.name, len(self), batch_size, worker, workers)  # the smaller one comes oftener
        one, other = self.spec.batch_keys
        first = self.first.batches(batch_size, seed, start_step, worker, workers)
        second = self.second.batches(batch_size, seed + APART, start_step, worker, workers)

        def pair(a: "Batch", b: "Batch") -> "Batch":
            return {one: a["image"], other: b["image"]} | ({"label": b["label"]} if "label" in b else {})

        return first.zip(first, second).map(pair)  # a static method, which needs no TensorFlow imported here

    def examples(self, num: int, seed: int = 0, start: int = 0) -> dict[str, np.ndarray]:
        """As `data.dataset.Dataset.examples` says: under each of `spec.batch_keys`."""
        num = max(0, min(num, len(self.first) - start, len(self.second) - start))  # as many of one as of the other
        one, other = self.spec.batch_keys
        first, second = self.first.examples(num, seed, start), self.second.examples(num, seed + APART, start)
        return {one: first["image"], other: second["image"]}


def load(
    a: str | None,
    b: str | None,
    image_size: int,
    cache_dir: str,
    crop: str = "random",
    flip: bool = True,
    limit: int | None = None,
) -> Unpaired:
    """All pictures under two folders; `crop`, `flip` and `limit` as in `image_folder.load`.

    Raises `GessoError` if a folder is missing or has nothing to read.
    """
    if a is None or b is None:
        raise GessoError(
            "This data set is two folders: dataset.a=<pictures to translate, such as photos> and "
            "dataset.b=<pictures to translate them into, such as paintings>."
        )
    options = (image_size, cache_dir, crop, flip, limit)
    return Unpaired(load_folder(a, "dataset.a", *options), load_folder(b, "dataset.b", *options))


def load_folder(
    root: str,
    key: str,
    image_size: int,
    cache_dir: str,
    crop: str,
    flip: bool,
    limit: int | None,
    classes: bool = False,
) -> ImageDataset:
    """All pictures in what the configuration's `key` names; with `classes`, those of subfolders."""
    source = find(root, key, cache_dir)
    if not classes:
        source = replace(source, classes=None)
    return from_source(source, image_size, cache_dir, crop, flip, limit)
