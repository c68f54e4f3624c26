"""What everybody may ask of a data set, and nothing else: its facts, its length, its stream and a few examples."""

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from data.stream import Stream


@dataclass(frozen=True)
class DatasetSpec:
    """The facts of a data set, known before any picture is read.

    Args:
        name: for messages and tables.
        batch_keys: the pictures in a batch: ("image",), ("source", "target"), ("a", "b") or ("content", "style").
        image_shape: (height, width, channels) of the pictures; of pairs, of the targets.
        source_shape: that of the sources, in data sets of pairs alone.
        class_names: what the numbers under "label" stand for; empty where batches have no labels.
        shares: how often each class comes in the stream, to a sum of 1; empty where nobody asks.
        has_text: batches have, under "text", what is said of each picture.
        task: what made the sources ("colorize", "inpaint", ...), where they are made from the targets.
    """

    name: str
    batch_keys: tuple[str, ...]
    image_shape: tuple[int, int, int]
    source_shape: tuple[int, int, int] | None = None
    class_names: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    has_text: bool = False
    task: str | None = None

    @property
    def num_classes(self) -> int:
        return len(self.class_names)


class Dataset(Protocol):
    """A set of pictures that can be trained on. A function that returns one and a YAML that names it are enough."""

    @property
    def spec(self) -> DatasetSpec:
        """The facts of the data set."""

    @property
    def skipped(self) -> tuple[str, ...]:
        """ "relative path: reason" of each file that could not be used."""

    @property
    def fingerprint(self) -> str:
        """A short hexadecimal string that changes when pictures, classes or words do.

        How pictures are cut, resized and mirrored is no part of it: the configuration says that.
        """

    def __len__(self) -> int:
        """The number of pictures, or of pairs."""

    def stream(
        self, batch_size: int, seed: int, start_step: int = 0, worker: int = 0, workers: int = 1
    ) -> "Stream":
        """Endless batches, dictionaries of tensors, what a step gives being a function of (`seed`, step) alone.

        Under each of `spec.batch_keys` float32 `[batch, height, width, channels]` in [-1, 1]; under "label", where
        there are classes, int32 `[batch]`; under "text", where there are words, strings `[batch]`. `start_step=k`
        starts with what step k of a stream from 0 gives, bit for bit. `batch_size` is that of all `workers`
        together: worker number `worker` gets `batch_size / workers` pictures a step, and the workers' parts, one
        after the other, are the batch that a single one would get.

        Raises `GessoError` if a batch is larger than the data set, or is no multiple of `workers`.
        """

    def examples(self, num: int, seed: int = 0, start: int = 0) -> dict[str, np.ndarray]:
        """Distinct pictures drawn at random: under each of `spec.batch_keys`, float32 `[num, ...]` in [-1, 1].

        Fewer than `num` where there are fewer. `start`: how many of the draw to leave out at its beginning.
        """


def digest(facts: object) -> str:
    """Names `facts`, anything that JSON can hold: the first 16 hexadecimal digits of their SHA-256."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
