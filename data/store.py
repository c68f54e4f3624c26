"""Decoded pictures on disk: one flat file of bytes, of which a batch at a time is read.

Nothing of it is kept in the process, so that is as small with a million pictures as with a thousand; what is
in use stays in the system's page cache.
"""

import json
from array import array
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from core.errors import GessoError
from core.files import write_array


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
    write_array(folder / "index.npy", np.array(index, np.int64).reshape(-1, 4))
    (folder / "skipped.json").write_text(json.dumps(list(skipped), indent=0))
    return len(index) // 4


class Store:
    """What `write` wrote; to read from it is like reading from an array uint8 [n, size, size, channels].

    `sources` int64 [n] are the source numbers, `skipped` the notes; `offsets`, `heights`, `widths` int64 [n]
    say where in the file `path` each picture starts and its size, which is `size` or more.
    Raises `GessoError` if the folder is damaged.
    """

    def __init__(self, folder: Path, size: int, channels: int):
        try:
            index = np.load(folder / "index.npy", allow_pickle=False)
            self.sources, self.offsets, self.heights, self.widths = np.ascontiguousarray(index.T)
            self.skipped: tuple[str, ...] = tuple(json.loads((folder / "skipped.json").read_text()))
            self.path = (folder / "images.bytes").resolve()
            whole = self.path.stat().st_size == int((self.heights * self.widths).sum()) * channels
        except (OSError, ValueError) as error:
            raise GessoError(f"The picture cache {folder} is damaged: {error}. Delete that folder.") from error
        if not whole:
            raise GessoError(f"The picture cache {folder} is damaged (images.bytes). Delete that folder.")
        self.shape = (len(index), size, size, channels)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """uint8 [len(indices), size, size, channels], the square centres of these pictures."""
        _, size, _, channels = self.shape
        batch = np.empty((len(indices), *self.shape[1:]), np.uint8)
        file = np.memmap(self.path, np.uint8, mode="r") if len(indices) else None
        for square, i in zip(batch, indices, strict=True):
            start, height, width = int(self.offsets[i]), int(self.heights[i]), int(self.widths[i])
            picture = file[start : start + height * width * channels].reshape(height, width, channels)
            top, left = (height - size) // 2, (width - size) // 2
            square[:] = picture[top : top + size, left : left + size]
        return batch


def layout(images: np.ndarray | Store) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number of the first pixel, height and width of each picture: int64 `[n]` each."""
    if isinstance(images, Store):
        return images.offsets // images.shape[3], images.heights, images.widths
    n, height, width = images.shape[:3]
    return np.arange(n) * (height * width), np.full(n, height), np.full(n, width)


def file_of(images: np.ndarray | Store) -> tuple[Path, int] | None:
    """The file that holds the pixels, and where in it they start; None if they are in memory."""
    if isinstance(images, Store):
        return images.path, 0
    if isinstance(images, np.memmap) and images.flags.c_contiguous:
        path, start = Path(images.filename), images.offset
        if path.stat().st_size == start + images.nbytes:  # all of the file, not a part
            return path, start
    return None
