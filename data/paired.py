"""Pairs of pictures, such as photos and their label maps: side by side in one file, or in two folders.

python train.py model=pix2pix dataset=paired dataset.root=<facades> dataset.split=train dataset.direction=backward
"""

import logging
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import GessoError
from core.files import expanded
from data import shards
from data.checks import check_options
from data.dataset import DatasetSpec, digest
from data.decode import most_bytes
from data.decode_folder import Job
from data.folder import PICTURES, PictureFile, listed, several
from data.image_dataset import ImageDataset
from data.image_folder import origin, report
from data.pair_files import load_pair, match, side_by_side
from data.source import from_folder, spread
from data.store import Store

if TYPE_CHECKING:
    from data.stream import Batch, Stream

log = logging.getLogger(__name__)

VERSION = 4  # of what `data.pair_files` makes; a new one makes all caches anew
DIRECTIONS = ("forward", "backward")
SPLITS = {"train", "test", "val"}
EXPECTED = (
    f"Expected: {PICTURES}, either of two pictures each, left and right (dataset.root), or in two folders, with "
    "the same names (dataset.source, dataset.target)."
)


class Paired:
    """Sources and targets of one size: a `data.dataset.Dataset`.

    `pairs` has six channels: those of one picture and those of the other. `backward`: the other is the source.
    `skipped`: files that could not be read, and those without a partner.
    """

    def __init__(self, pairs: ImageDataset, backward: bool = False, skipped: Sequence[str] = ()):
        shape = (*pairs.spec.image_shape[:2], 3)
        self.spec = DatasetSpec(pairs.spec.name, ("source", "target"), shape, source_shape=shape)
        self.pairs = pairs
        self.backward = backward
        self.skipped = tuple(skipped)

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def fingerprint(self) -> str:
        """As `data.dataset.Dataset.fingerprint` says."""
        return digest([self.pairs.fingerprint, self.backward])

    def stream(
        self, batch_size: int, seed: int, start_step: int = 0, worker: int = 0, workers: int = 1
    ) -> "Stream":
        """As `data.dataset.Dataset.stream` says: "source" and "target", which are cut and mirrored alike."""

        def split(batch: "Batch", seed: int, positions: Any) -> "Batch":
            return self._split(batch["image"])

        return self.pairs.stream(batch_size, seed, start_step, worker, workers, change=split)

    def examples(self, num: int, seed: int = 0, start: int = 0) -> dict[str, np.ndarray]:
        """As `data.dataset.Dataset.examples` says: "source" and "target", the centres of both."""
        return self._split(self.pairs.examples(num, seed, start)["image"])

    def _split(self, images: Any) -> dict[str, Any]:
        one, other = images[..., :3], images[..., 3:]
        return {"source": other, "target": one} if self.backward else {"source": one, "target": other}


def load(
    root: str | None,
    image_size: int,
    cache_dir: str,
    source: str | None = None,
    target: str | None = None,
    direction: str = "forward",
    split: str | None = None,
    crop: str = "random",
    flip: bool = True,
    limit: int | None = None,
) -> Paired:
    """Pairs from files that hold both, left and right (`root`), or from two folders (`source` and `target`).

    In folders, partners have the same path but for the suffix. `split`: the subfolder (of each folder) to read.
    `direction`: "forward" is from left to right, and from source to target; "backward" the other way round.
    `crop`, `flip` and `limit` as in `image_folder.load`.

    Raises `GessoError` if a folder is missing, nothing there makes a pair, or both ways are asked for at once.
    """
    check_options(image_size, limit, crop)
    if direction not in DIRECTIONS:
        raise GessoError(f"dataset.direction={direction}: must be one of {', '.join(DIRECTIONS)}.")
    if (source is None) != (target is None) or (root is None) == (source is None):
        raise GessoError(
            "Pairs are either in one folder, two pictures side by side in each file: dataset.root=<folder>; or in "
            "two folders, with the same names: dataset.source=<folder> and dataset.target=<folder>."
        )
    if root is not None:
        folder, pictures = _listed(root, "dataset.root", split)
        decode, folders, files, alone = side_by_side, (folder,), [(picture,) for picture in pictures], ()
    else:
        decode, (folders, files, alone) = load_pair, _matched(source, target, split)
    files = [files[i] for i in spread(len(files), limit)]
    names = [" and ".join(str(picture.path) for picture in pair) for pair in files]

    def decoded(i: int) -> np.ndarray:
        paths = (folder / picture.path for folder, picture in zip(folders, files[i], strict=True))
        return decode(*paths, image_size, crop)

    def jobs(numbers: Sequence[int]) -> Iterator[Job]:
        return (partial(decoded, i) for i in numbers)

    where = [str(folder.resolve()) for folder in folders]
    key = {"version": VERSION, "size": image_size, "crop": crop, "folders": where, "limit": limit}
    most = most_bytes(image_size, crop, 6)
    least = 6 * image_size**2
    shard_folders, begins = shards.decoded("pairs", key, names, files, jobs, least, most, cache_dir)
    images = Store(shard_folders, image_size, 6, begins)
    if images.skipped:
        report(images.skipped, len(files), images)
    if len(images) == 0:
        raise GessoError(
            f"None of the {len(files)} pairs in {folders[0].absolute()} can be read; the first: {images.skipped[0]}"
        )
    name = " and ".join("/".join(folder.resolve().parts[-2 if split else -1 :]) for folder in folders)
    sources = map(from_folder, folders, zip(*files, strict=True))
    pairs = ImageDataset(name, images, flip=flip, origin=digest([origin(source) for source in sources]))
    return Paired(pairs, direction == "backward", (*alone, *images.skipped))


def _listed(root: str, key: str, split: str | None) -> tuple[Path, list[PictureFile]]:
    """The folder `root`, or its subfolder `split`, and the pictures in it."""
    whole = expanded(str(root))
    if split is None or not whole.is_dir():
        folder, pictures = listed(root, key, EXPECTED)
        splits = sorted(SPLITS & {picture.path.split("/")[0] for picture in pictures})
        if len(splits) > 1:
            log.warning("Reading all of %s; dataset.split=%s would read one part.", folder, " or ".join(splits))
        return folder, pictures
    if not (whole / split).is_dir():
        there = ", ".join(sorted(path.name for path in whole.iterdir() if path.is_dir())) or "none"
        raise GessoError(f"dataset.split={split}: {whole.absolute()} has no such subfolder. There are: {there}.")
    return listed(str(whole / split), f"{key}, dataset.split", EXPECTED)


def _matched(
    source: str, target: str, split: str | None
) -> tuple[tuple[Path, Path], list[tuple[PictureFile, PictureFile]], tuple[str, ...]]:
    """The two folders, the pairs in them, and "relative path: reason" for each file without a partner."""
    first, sources = _listed(source, "dataset.source", split)
    second, targets = _listed(target, "dataset.target", split)
    pairs, *lonely = match(sources, targets)
    if not pairs:
        raise GessoError(
            f"No picture in {first.absolute()} has the name of one in {second.absolute()} (but for the suffix): "
            f"there are {sources[0].path}, ... and {targets[0].path}, ... (dataset.source, dataset.target)."
        )
    whose = zip(lonely, (second, first), strict=True)
    alone = tuple(f"{picture.path}: has no partner in {other}" for part, other in whose for picture in part)
    if alone:
        log.warning("Left out %d files without a partner of the same name:%s", len(alone), several(alone))
    return (first, second), pairs, alone
