"""Decoded pictures on disk: flat files of bytes, of which a batch at a time is read.

Nothing of it is kept in the process, so that is as small with a million pictures as with a thousand; what is
in use stays in the system's page cache.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from core.files import write_array
from data import mapping
from data.cache import reading


@dataclass(frozen=True)
class File:
    """A picture kept as a file: what is in it; the height and width of what it is to become, and more."""

    content: bytes
    facts: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return len(self.content)


def write(folder: Path, pictures: Iterable[tuple[int, np.ndarray | File]], skipped: Iterable[str] = ()) -> int:
    """Writes `pictures`, pairs of (number of the source, uint8 [height, width, channels]), one at a time.

    Makes `images.bytes`, `index.npy` (int64 [n, 4]: source, offset, height, width; of files more), `skipped.json`
    (read after the last picture) in `folder`, and returns how many pictures came.
    """
    index, offset = [], 0
    with open(folder / "images.bytes", "wb") as file:
        for source, picture in pictures:
            kept = isinstance(picture, File)
            index.append((source, offset, *(picture.facts if kept else picture.shape[:2])))
            file.write(picture.content if kept else np.ascontiguousarray(picture).data)
            offset += picture.nbytes
    write_array(folder / "index.npy", np.array(index or np.empty((0, 4)), np.int64))
    (folder / "skipped.json").write_text(json.dumps(list(skipped), indent=0))
    return len(index)


class Store:
    """What `write` wrote to some folders; to read it is like reading an array uint8 [n, size, size, channels].

    `sources` int64 [n] are the source numbers, those of the second folder counted from `begins[1]`, and so on;
    `skipped` are the notes, which the folders `noted` have. `offsets`, `heights`, `widths` int64 [n] say where in
    `pixels` each picture starts and its size, which is `size` or more. Raises `GessoError` if a folder is damaged.
    """

    def __init__(self, folders: Sequence[Path], size: int, channels: int, begins: Sequence[int] = (0,)):
        self.shape = (0, size, size, channels)
        self._paths = [(folder / "images.bytes").resolve() for folder in folders]
        indices, skipped, self._sizes = [], [], []
        self.noted: list[Path] = []
        for folder, path, begin in zip(folders, self._paths, begins, strict=True):
            with reading(folder):
                index = np.load(folder / "index.npy", allow_pickle=False)
                index[:, 0] += begin
                if notes := json.loads((folder / "skipped.json").read_text()):
                    skipped += notes
                    self.noted.append(folder)
                if path.stat().st_size != self._bytes(index):
                    raise ValueError("images.bytes is too short, or too long")
            indices.append(index)
            self._sizes.append(path.stat().st_size)
        self.unit = channels
        self._places = mapping.starts(self._sizes, channels)
        for index, place in zip(indices, self._places, strict=True):
            index[:, 1] += place
        self.index = np.concatenate([index for index in indices if len(index)] or indices[:1])
        self.sources, self.offsets, self.heights, self.widths = np.ascontiguousarray(self.index[:, :4].T)
        self.skipped: tuple[str, ...] = tuple(skipped)
        self.shape = (len(self.sources), size, size, channels)

    def __len__(self) -> int:
        return self.shape[0]

    @cached_property
    def pixels(self) -> np.ndarray:
        """uint8 [bytes], all pictures, mapped: it takes no memory but the system's page cache."""
        return mapping.mapped(self._paths, self._sizes, self._places)

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """uint8 [len(indices), size, size, channels], the square centres of these pictures."""
        batch = np.empty((len(indices), *self.shape[1:]), np.uint8)
        for square, i in zip(batch, indices, strict=True):
            picture, size = self.picture(i), len(square)
            top, left = (picture.shape[0] - size) // 2, (picture.shape[1] - size) // 2
            square[:] = picture[top : top + size, left : left + size]
        return batch

    def picture(self, number: int) -> np.ndarray:
        """uint8 [height, width, channels], the whole of a picture."""
        start, height, width = int(self.offsets[number]), int(self.heights[number]), int(self.widths[number])
        return self.pixels[start : start + height * width * self.shape[3]].reshape(height, width, -1)

    def _bytes(self, index: np.ndarray) -> int:
        """What all pictures of a folder take."""
        return int((index[:, 2] * index[:, 3]).sum()) * self.shape[3]


def layout(images: np.ndarray | Store) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number of the first pixel (of files, byte), height and width of each picture: int64 `[n]` each."""
    if isinstance(images, Store):
        return images.offsets // images.unit, images.heights, images.widths
    n, height, width = images.shape[:3]
    return np.arange(n) * (height * width), np.full(n, height), np.full(n, width)


def mapped_pixels(images: np.ndarray | Store) -> np.ndarray | None:
    """uint8 [bytes], all pictures one after the other where a file holds them; None if they are in memory."""
    if isinstance(images, Store):
        return images.pixels
    if isinstance(images, np.memmap) and images.flags.c_contiguous:
        path, start = Path(images.filename), images.offset
        if path.stat().st_size == start + images.nbytes:  # all of the file, not a part
            # Copy on write, as DLPack, which hands the map to TensorFlow as it is, wants arrays to be writable.
            return np.memmap(path, np.uint8, mode="c", offset=start)
    return None
