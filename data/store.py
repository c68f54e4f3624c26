"""Decoded pictures on disk: one flat file of bytes, read a batch at a time.

Neither loaded nor memory-mapped: each batch is read with `preadv`, so the process stays as small with a
million pictures as with a thousand, and the system's page cache keeps what is in use in memory.
"""

import json
import os
import weakref
from array import array
from collections.abc import Iterable
from pathlib import Path

import numpy as np


def write(folder: Path, pictures: Iterable[tuple[int, np.ndarray]], skipped: Iterable[str] = ()) -> int:
    """Writes `pictures`, pairs of (number of the source, uint8 [height, width, channels]), one at a time.

    Makes `images.bytes`, `index.npy` (int64 [n, 4]: source, offset, height, width) and `skipped.json` (read
    after the last picture) in `folder`, and returns how many pictures came.
    """
    index, offset = array("q"), 0
    with open(folder / "images.bytes", "wb") as file:
        for source, picture in pictures:
            index.extend((source, offset, *picture.shape[:2]))
            file.write(np.ascontiguousarray(picture).data)
            offset += picture.nbytes
    np.save(folder / "index.npy", np.frombuffer(index, np.int64).reshape(-1, 4), allow_pickle=False)
    (folder / "skipped.json").write_text(json.dumps(list(skipped), indent=0))
    return len(index) // 4


class Store:
    """What `write` wrote, as if it were an array uint8 [n, size, size, channels].

    `store[indices]` reads the square centres of these pictures (of pictures that are `size` x `size`, all of
    it); `crop` reads squares elsewhere. `sources` int64 [n] are the source numbers, `skipped` the notes.
    """

    def __init__(self, folder: Path, size: int, channels: int):
        index = np.load(folder / "index.npy", allow_pickle=False)
        self.sources, self._offsets, self._heights, self._widths = np.ascontiguousarray(index.T)
        self.skipped: tuple[str, ...] = tuple(json.loads((folder / "skipped.json").read_text()))
        self.shape = (len(index), size, size, channels)
        self.same_size = bool((self._heights == size).all() and (self._widths == size).all())
        self._path = folder / "images.bytes"
        self._file = os.open(self._path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """uint8 [len(indices), size, size, channels], the centres."""
        middle = np.full(len(indices), 0.5)
        return self.crop(indices, middle, middle)

    def crop(self, indices: np.ndarray, down: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Squares at `down`, `right`: float [len(indices)] in [0, 1), from the upper left to the lower right.

        Returns uint8 [len(indices), size, size, channels].
        """
        _, size, _, channels = self.shape
        batch = np.empty((len(indices), *self.shape[1:]), np.uint8)
        for square, i, v, u in zip(batch, indices, down, right, strict=True):
            width = int(self._widths[i])
            top = int(v * (int(self._heights[i]) - size + 1))
            left = int(u * (width - size + 1))
            rows = square if width == size else np.empty((size, width, channels), np.uint8)
            start = int(self._offsets[i]) + top * width * channels
            if os.preadv(self._file, [rows], start) != rows.nbytes:
                raise OSError(f"{self._path} is shorter than its index says: delete {self._path.parent}")
            if rows is not square:
                square[:] = rows[:, left : left + size]
        return batch
