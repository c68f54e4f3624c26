"""Two folders of pictures that have nothing to do with each other, for translation without pairs.

python train.py model=cyclegan dataset.a=<photos> dataset.b=<paintings>
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.errors import GessoError
from data.image_folder import PICTURES, from_files, listed, subfolders
from data.pipeline import Dataset

if TYPE_CHECKING:
    import tensorflow as tf

APART = 2**32  # between the seeds of the two: neither order says anything about the other


@dataclass(frozen=True, eq=False)
class Unpaired:
    """Pictures of one size from two data sets, drawn independently of each other; otherwise as `Dataset`.

    `keys` names the two in what `stream` and `examples` give. All have the shape `image_shape`.
    """

    first: Dataset
    second: Dataset
    keys: tuple[str, str] = ("a", "b")

    def __len__(self) -> int:
        return min(len(self.first), len(self.second))

    @property
    def name(self) -> str:
        return f"{self.first.name} and {self.second.name}"

    @property
    def class_names(self) -> tuple[str, ...] | None:
        return self.second.class_names

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.first.image_shape

    @property
    def skipped(self) -> tuple[str, ...]:
        return self.first.skipped + self.second.skipped

    def stream(self, batch_size: int, seed: int, start_step: int = 0) -> "tf.data.Dataset":
        """Endless batches: under each of `keys`, float32 [batch, height, width, channels] in [-1, 1].

        Under "label", int32 [batch], the classes of the second, if it has any. As `Dataset.stream`: what a step
        gives depends on `seed` and its number alone.
        """
        import tensorflow as tf

        first = self.first.stream(batch_size, seed, start_step)
        second = self.second.stream(batch_size, seed + APART, start_step)
        one, other = self.keys

        def pair(a: dict[str, "tf.Tensor"], b: dict[str, "tf.Tensor"]) -> dict[str, "tf.Tensor"]:
            return {one: a["image"], other: b["image"]} | ({"label": b["label"]} if "label" in b else {})

        return tf.data.Dataset.zip(first, second).map(pair)

    def examples(self, num: int, seed: int = 0) -> dict[str, np.ndarray]:
        """Under each of `keys`, float32 [num, height, width, channels] in [-1, 1]: drawn at random."""
        num = min(num, len(self))
        parts = zip(self.keys, (self.first, self.second), strict=True)
        return {key: part.examples(num, seed)["image"] for key, part in parts}


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
) -> Dataset:
    """All pictures under the folder that the configuration's `key` names; with `classes`, those of subfolders."""
    folder, pictures = listed(root, key, f"Expected: {PICTURES}, with or without subfolders.")
    name = folder.resolve().name
    names = subfolders(pictures) if classes else None
    return from_files(name, folder, pictures, names, image_size, cache_dir, crop, flip, limit, balance=False)
