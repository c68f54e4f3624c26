"""Pairs made from any pictures: grey ones to colour, holes to fill, small ones to enlarge, drawings to paint.

python train.py model=pix2pix dataset=colorize dataset.root=<folder>
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import GessoError
from data import image_folder
from data.checks import check_options, check_whole
from data.dataset import DatasetSpec, digest
from data.image_dataset import ImageDataset

if TYPE_CHECKING:
    from data.stream import Batch, Stream


class Task:
    """Pairs of a picture, the target, and the source made from it: a `data.dataset.Dataset`.

    `task` is a name that `data.transforms.sources` knows, with the `options` that it takes; it makes sources of
    `source_shape`, another one each time where there is chance in it.
    """

    def __init__(self, pictures: ImageDataset, task: str, source_shape: tuple[int, int, int], **options: Any):
        of = pictures.spec
        self.spec = DatasetSpec(of.name, ("source", "target"), of.image_shape, source_shape, task=task)
        self.pictures = pictures
        self.skipped = pictures.skipped
        self._options = options

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def fingerprint(self) -> str:
        """As `data.dataset.Dataset.fingerprint` says."""
        return digest([self.pictures.fingerprint, self.spec.task, self._options])

    def stream(
        self, batch_size: int, seed: int, start_step: int = 0, worker: int = 0, workers: int = 1
    ) -> "Stream":
        """As `data.dataset.Dataset.stream` says: "source" `[batch, *source_shape]` and "target"."""

        def pair(batch: "Batch", seed: int, positions: Any) -> "Batch":
            return {"source": self._sources(batch["image"], seed, positions), "target": batch["image"]}

        return self.pictures.stream(batch_size, seed, start_step, worker, workers, change=pair)

    def examples(self, num: int, seed: int = 0, start: int = 0) -> dict[str, np.ndarray]:
        """As `data.dataset.Dataset.examples` says: "source" and "target"."""
        images = self.pictures.examples(num, seed, start)["image"]
        if not len(images):  # of which TensorFlow makes nothing
            return {"source": np.empty((0, *self.spec.source_shape), np.float32), "target": images}
        positions = np.arange(start, start + len(images))
        return {"source": self._sources(images, seed, positions).numpy(), "target": images}

    def _sources(self, images: Any, seed: int, positions: Any) -> Any:
        from data import transforms  # TensorFlow, with it: nowhere else

        return transforms.sources(self.spec.task, images, seed, positions, **self._options)


def load_colorize(**folder: Any) -> Task:
    """Grey pictures to colour; `folder` are the arguments of `image_folder.load`, which raises `GessoError`."""
    return _load("colorize", 1, folder)


def load_inpaint(**folder: Any) -> Task:
    """Pictures with holes (`data.transforms.masks`) to fill; `folder` as in `load_colorize`."""
    return _load("inpaint", 4, folder)


def load_edges(**folder: Any) -> Task:
    """Drawings to paint; `folder` as in `load_colorize`."""
    return _load("edges", 1, folder)


def load_super_resolution(image_size: int, factor: int, **folder: Any) -> Task:
    """Pictures to enlarge to `image_size`, `factor` times; `folder` as in `load_colorize`.

    Raises `GessoError` if `image_size` is no multiple of `factor`.
    """
    check_whole("dataset.factor", factor, "a whole number", least=2)
    check_options(image_size, None)
    if image_size % factor:
        raise GessoError(f"image_size={image_size} is no multiple of dataset.factor={factor}.")
    pictures = image_folder.load(image_size=image_size, **folder)
    side = image_size // factor
    return Task(pictures, "super_resolution", (side, side, 3), factor=factor)


def _load(task: str, channels: int, folder: dict[str, Any]) -> Task:
    pictures = image_folder.load(**folder)
    height, width, _ = pictures.spec.image_shape
    return Task(pictures, task, (height, width, channels))
