"""Pictures of one size in memory or on disk, with or without classes: what most data sets are or are made of."""

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from core.errors import GessoError
from core.images import to_float
from data.checks import check_batch, check_pictures
from data.dataset import DatasetSpec, digest
from data.store import Store

if TYPE_CHECKING:
    from data.stream import Change, Stream

PART = 256  # pictures read at a time


class ImageDataset:
    """Pictures of one size, with or without classes; a `data.dataset.Dataset` with batches of "image".

    Args:
        name: of the data set.
        images: uint8 `[n, height, width, channels]`, in memory or on disk (`Store`, or a memory map).
        labels: int32 `[n]`, numbers of `class_names`; None where there are no classes.
        class_names: in the order of their numbers.
        captions: of each picture what is said of it, in one wording or several; None where nothing is.
        flip: half of the pictures are mirrored when streamed.
        balance: the classes are streamed in turn, each as often however many pictures it has.
        skipped: "relative path: reason" of the files that could not be read.
        resizer: how the pictures came to their size, in words: numbers that compare pictures depend on it.
        origin: a name (`digest`) of all that decides which pictures these are, such as their files' names, sizes
            and times. Without one, the fingerprint takes a pass over the pixels.

    Raises `GessoError` for arrays of other kinds or shapes, and if it is to be balanced and has no classes.
    """

    def __init__(
        self,
        name: str,
        images: np.ndarray | Store,
        labels: np.ndarray | None = None,
        class_names: Sequence[str] = (),
        *,
        captions: Sequence[Sequence[str]] | None = None,
        flip: bool = False,
        balance: bool = False,
        skipped: Sequence[str] = (),
        resizer: str = "none",
        origin: str | None = None,
    ):
        check_pictures(name, images, labels, len(class_names))
        if balance and labels is None:
            raise GessoError(
                f"dataset.balance=true, but the data set '{name}' has no classes that could come equally "
                "often. Give dataset.balance=false, or pictures in one subfolder a class."
            )
        self.spec = DatasetSpec(
            name, ("image",), tuple(images.shape[1:]), class_names=tuple(class_names),
            shares=() if labels is None else _shares(labels, len(class_names), balance),
            has_text=captions is not None,
        )  # fmt: skip
        self.images = images
        self.labels = labels
        self.captions = captions
        self.flip = flip
        self.balance = balance
        self.skipped = tuple(skipped)
        self.resizer = resizer
        self._origin = origin

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def of_pictures(self) -> str:
        """A string that changes when pictures do, whatever is said of them."""
        numbers = np.arange(len(self))
        parts = (self.images[numbers[i : i + PART]] for i in range(0, len(self), PART))
        return self._origin or _hashed(parts)

    @cached_property
    def fingerprint(self) -> str:
        """As `data.dataset.Dataset.fingerprint` says."""
        labels = None if self.labels is None else _hashed([self.labels])
        words = [] if self.captions is None else [digest([list(wordings) for wordings in self.captions])]
        return digest([self.of_pictures, self.spec.class_names, labels, *words])

    def stream(
        self,
        batch_size: int,
        seed: int,
        start_step: int = 0,
        worker: int = 0,
        workers: int = 1,
        change: "Change | None" = None,
    ) -> "Stream":
        """As `data.dataset.Dataset.stream` says: "image", and "label" and "text" where there are some.

        Each epoch is a permutation of all pictures, and batches run on across epochs, so all have `batch_size`
        pictures. With `balance`, the classes take turns, and each has epochs of its own: any stretch of the stream
        shows all classes equally often, give or take two. Where pictures are larger than `spec.image_shape`, a
        square of each is cut at random. `change(batch, seed, positions)` makes another dictionary of tensors of a
        batch; `positions`, int64 `[batch]`, number all that is ever streamed.
        """
        check_batch(self.spec.name, len(self), batch_size, worker, workers)
        return self.batches(batch_size, seed, start_step, worker, workers, change)

    def batches(
        self, batch_size: int, seed: int, start_step: int, worker: int, workers: int, change: "Change | None" = None
    ) -> "Stream":
        """As `stream`, but of batches of any size, larger than the data set, too."""
        from data import stream  # TensorFlow, with it: nowhere else

        return stream.batches(self, batch_size, seed, start_step, worker, workers, change)

    def examples(self, num: int, seed: int = 0, start: int = 0) -> dict[str, np.ndarray]:
        """As `data.dataset.Dataset.examples` says; the centres of pictures that are larger."""
        return {"image": to_float(self.images[self.drawn(num, seed, start)])}

    def drawn(self, num: int, seed: int = 0, start: int = 0) -> np.ndarray:
        """Numbers of the pictures that `examples` takes: int64 `[num]`."""
        return np.random.default_rng(seed).permutation(len(self))[start : start + num]

    def pictures(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """The pictures of these numbers, uint8 `[num, height, width, channels]`, and their labels, int32 `[num]`.

        The centres of pictures that are larger; None where there are no classes.
        """
        return self.images[numbers], None if self.labels is None else self.labels[numbers]

    def texts(self, numbers: np.ndarray) -> np.ndarray | None:
        """One wording of what is said of each of these pictures, str `[num]`; None where nothing is said."""
        if self.captions is None:
            return None
        return np.array([self.captions[i][i % len(self.captions[i])] for i in numbers], object)

    def groups(self) -> list[np.ndarray]:
        """Numbers of the pictures that are shuffled with each other: those of a class, or all.

        Classes without pictures have no group: they could not take their turn.
        """
        if not self.balance:
            return [np.arange(len(self))]
        return [np.flatnonzero(self.labels == label) for label in np.unique(self.labels)]


def _shares(labels: np.ndarray, classes: int, balance: bool) -> tuple[float, ...]:
    counts = np.bincount(labels, minlength=classes)
    counts = np.minimum(counts, 1) if balance else counts
    return tuple((counts / max(1, counts.sum())).tolist())


def _hashed(arrays: Iterable[np.ndarray]) -> str:
    """SHA-256 of their bytes and shapes."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.dtype} {array.shape}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()
