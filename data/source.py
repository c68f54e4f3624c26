"""Where the files of pictures lie, a folder or archives: each has a name, a label perhaps, and can be opened."""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from core.errors import GessoError
from core.files import in_utf8
from data.archives import list_tar, list_zip, open_part, open_zipped
from data.folder import LAYOUT, PictureFile, find_files, named, subfolders
from data.listing import Listing, kept, list_folder
from data.tfrecord import list_records, open_record

Opened = AbstractContextManager[str | bytes]  # a file by its path, or what is in it

# How to list what a file holds, and how to open one of them.
READERS: dict[str, tuple[Callable[[Path], Listing], Callable[..., AbstractContextManager[bytes]]]] = {
    ".zip": (list_zip, open_zipped), ".tar": (list_tar, open_part), ".tfrecord": (list_records, open_record),
}  # fmt: skip
KIND = re.compile(r"(\.zip|\.tar)$|(\.tfrecord)s?(?:-\d+-of-\d+)?$", re.IGNORECASE)
PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".7z", ".rar", ".gz", ".zst")
EXPECTED = f"{LAYOUT} Or archives ({' '.join(READERS)}), which stay as they are."


@dataclass(frozen=True)
class Source:
    """Files of pictures that lie somewhere.

    Args:
        name: of the data set.
        where: the place, by its absolute path.
        pictures: what there is, in the order in which it is read best.
        files: of some of their numbers, in their order, gives each to be opened; from any thread, and once.
        classes: of each picture, its class's name; None where there are none.
        said: of each picture, what is said of it, in some wordings; None where nobody asked.
        folder: that all files lie in, if they do.
        witnesses: of some of their numbers, tells in a few hashes whether what is in them is the same as it was.
        notes: "name: reason" of what is known not to be readable.
        held: bytes, about, of each that are in memory until it is decoded.
    """

    name: str
    where: str
    pictures: Sequence[PictureFile]
    files: Callable[[Iterable[int]], Iterator[Opened]]
    classes: Sequence[str] | None
    witnesses: Callable[[Sequence[int]], list[str]]
    notes: Sequence[str] = ()
    held: int = 0
    said: Sequence[Sequence[str]] | None = None
    folder: Path | None = None

    def only(self, numbers: Sequence[int]) -> "Source":
        """Some of its pictures, in this order."""
        return replace(
            self,
            pictures=[self.pictures[i] for i in numbers],
            files=lambda some: self.files(numbers[i] for i in some),
            classes=self.classes and [self.classes[i] for i in numbers],
            said=self.said and [self.said[i] for i in numbers],
            witnesses=lambda some: self.witnesses([numbers[i] for i in some]),
        )


def find(root: str | None, key: str, cache_dir: str, expected: str = EXPECTED, trust_cache: bool = False) -> Source:
    """The folder of pictures or of archives, or the archive, that the configuration's `key` names.

    With `trust_cache`, a folder is listed once and then taken to be as it was (`data.listing.list_folder`).
    Raises `GessoError`, saying what is `expected`, if there is nothing of these.
    """
    path = named(root, key, expected)
    if not path.is_dir():
        if path.name.lower().endswith(PACKED):
            raise GessoError(f"{path} is compressed: pictures are so already. Unpack it, to a folder or a .tar.")
        if not is_archive(path.name):
            raise GessoError(f"{path.absolute()} is a file, not a folder or an archive ({key}). {expected}")
        return from_archives(path, [path.name], cache_dir)
    pictures = list_folder(path, find_files, cache_dir, trust_cache)
    if pictures:
        return from_folder(path, pictures)
    archives = [file.path for file in find_files(path, is_archive)]
    if not archives:
        other = "It has parquet files: dataset=parquet reads them. " if find_files(path, is_parquet) else ""
        raise GessoError(f"No pictures in {path.absolute()} or below ({key}). {other}{expected}")
    return from_archives(path, archives, cache_dir)


def from_folder(folder: Path, pictures: Sequence[PictureFile]) -> Source:
    """These files in a folder; first-level subfolders are the classes."""

    def files(numbers: Iterable[int]) -> Iterator[Opened]:
        return (nullcontext(os.path.join(folder, pictures[i].path)) for i in numbers)

    def witnesses(numbers: Sequence[int]) -> list[str]:
        found = []
        for file in files(numbers[i] for i in spread(len(numbers), 16)):
            with suppress(OSError), file as path, open(path, "rb") as content:
                found.append(hashlib.sha256(content.read(65536)).hexdigest())
        return found

    where = folder.resolve()  # two folders may hold files of the same names, sizes and times
    return Source(in_utf8(where.name), str(where), pictures, files, subfolders(pictures), witnesses, folder=folder)


def from_archives(root: Path, archives: Sequence[str], cache_dir: str) -> Source:
    """The pictures in these archives in a folder, or in the one that `root` is, in the order in which they lie.

    Classes are the first-level subfolders in them, below the folders that all is in; of records, their labels.
    Raises `GessoError` for archives that cannot be read, or have no pictures.
    """
    paths = [root / name if root.is_dir() else root for name in archives]
    listings = [_list(path, cache_dir) for path in paths]
    names = [name for listing in listings for name in listing.names]
    if not names:
        raise GessoError(f"There are no pictures in {', '.join(map(str, paths[:3]))}. {EXPECTED}")
    owners = np.repeat(np.arange(len(paths)), [len(listing.names) for listing in listings])
    starts = np.cumsum([0] + [len(listing.names) for listing in listings])
    sizes, changes = np.concatenate([listing.numbers[:, :2] for listing in listings]).T.tolist()
    inside = _below(names)
    pictures = list(map(PictureFile, inside, sizes, changes))
    labels = [label for listing in listings for label in listing.labels or ()]
    classes = labels if len(labels) == len(names) else subfolders(pictures)

    def files(numbers: Iterable[int]) -> Iterator[Opened]:
        for i in numbers:
            owner = int(owners[i])
            _, reader = READERS[_suffix(paths[owner].name)]
            yield reader(paths[owner], *listings[owner].numbers[i - starts[owner]].tolist())

    where = root.resolve()
    notes = [note for listing in listings for note in listing.notes]
    name = where.name if where.is_dir() else where.name.split(".")[0]
    return Source(in_utf8(name), str(where), pictures, files, classes, partial(tails, paths), notes)


def tails(paths: Sequence[Path], numbers: Sequence[int] = ()) -> list[str]:
    """How some of these files end, in hashes; there .zip and parquet files have their tables."""
    found = []
    for i in spread(len(paths), 16):
        with open(paths[i], "rb") as file:
            file.seek(max(0, paths[i].stat().st_size - 65536))
            found.append(hashlib.sha256(file.read()).hexdigest())
    return found


def is_archive(name: str) -> bool:
    """Says whether a file of this name should be an archive of pictures."""
    return _suffix(name) is not None


def is_parquet(name: str) -> bool:
    """Says whether a file of this name should be a table of pictures (`data.parquet`)."""
    return name.lower().endswith(".parquet")


def spread(count: int, limit: int | None) -> np.ndarray:
    """int64 [min(count, limit)]: numbers from 0 to count - 1, evenly spread (all where `limit` is None)."""
    kept = count if limit is None else min(count, limit)
    return np.arange(kept) * count // max(kept, 1)


def _list(path: Path, cache_dir: str) -> Listing:
    lister, _ = READERS[_suffix(path.name)]
    status = path.stat()
    key = {"file": str(path.resolve()), "size": status.st_size, "changed": status.st_mtime_ns}
    return kept("archive", key, partial(lister, path), cache_dir)


def _suffix(name: str) -> str | None:
    """The key in `READERS` for a file of this name; None if it is no archive."""
    found = KIND.search(name)
    return found and (found[1] or found[2]).lower()


def _below(names: Sequence[str]) -> list[str]:
    """The names without the folders that all of them are in, as long as others are below."""
    names = [name.replace("\\", "/") for name in names]
    parts, depth = [[part for part in name.split("/") if part.strip(".")] for name in names], 0
    while all(len(path) - depth > 2 for path in parts) and len({path[depth] for path in parts}) == 1:
        depth += 1
    return ["/".join(path[depth:]) for path in parts]
