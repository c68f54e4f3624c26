"""Any folder of pictures. Subfolders, if there are any, are the classes.

python train.py dataset=image_folder dataset.root=<folder>
"""

import hashlib
import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.errors import GessoError
from data.cache import cached
from data.checks import check_options
from data.dataset import digest
from data.decode import RESIZER
from data.decode_folder import decode_folder
from data.image_dataset import ImageDataset
from data.store import Store

log = logging.getLogger(__name__)

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
VERSION = 3  # of what `decode_folder` makes; a new one makes all caches anew
PICTURES = "pictures (" + " ".join(SUFFIXES) + ")"
LAYOUT = f"Expected: {PICTURES}, directly or in one subfolder a class."


class PictureFile(NamedTuple):
    """A file: path relative to the root, with slashes; size in bytes; time of change in nanoseconds."""

    path: str
    size: int
    changed: int


def load(
    root: str | None,
    image_size: int,
    cache_dir: str,
    crop: str = "center",
    flip: bool = True,
    limit: int | None = None,
    balance: bool = False,
    text: bool = False,
) -> ImageDataset:
    """All pictures under `root`, as squares of `image_size`; labels are the first-level subfolders.

    No labels where pictures lie directly in `root`. `crop` is one of `CROPS` (see `data.decode`);
    `limit` takes that many pictures, evenly spread; `flip` and `balance` as in `ImageDataset`. With `text` the
    batches have the words beside the pictures (`data.captions`), and pictures without words are left out.
    Raises `GessoError` if there is nothing to read.
    """
    folder, pictures = listed(root)
    name, said = folder.resolve().name, None
    if text:
        from data import captions  # which asks here what a picture is

        said = captions.beside(folder, pictures)
        kept = captions.with_words(pictures, said, name)
        pictures, said = [pictures[i] for i in kept], [said[i] for i in kept]
    return from_files(
        name, folder, pictures, subfolders(pictures), image_size, cache_dir, crop, flip, limit, balance, said
    )


def subfolders(pictures: Sequence[PictureFile]) -> list[str] | None:
    """The first-level subfolder of each picture; None if some lie in no subfolder."""
    classes = [picture.path.split("/")[0] if "/" in picture.path else None for picture in pictures]
    return None if None in classes else classes


def listed(root: str | None, key: str = "dataset.root", expected: str = LAYOUT) -> tuple[Path, list[PictureFile]]:
    """The folder that the configuration's `key` names and all pictures under it (`find_pictures`).

    Raises `GessoError`, saying what is `expected`, if there is no such folder or no picture in it.
    """
    if root is None:
        raise GessoError(f"This data set needs to know a folder: {key}=<folder>. {expected}")
    folder = Path(str(root)).expanduser()  # 2024 comes as a number
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise GessoError(f"{folder.absolute()} {what}. Give the pictures' folder: {key}=<folder>. {expected}")
    pictures = find_pictures(folder)
    if not pictures:
        raise GessoError(f"No pictures in {folder.absolute()} or below ({key}). {expected}")
    return folder, pictures


def find_pictures(root: Path) -> list[PictureFile]:
    """All picture files under `root`, by suffix, in an order that is the same on every file system.

    Hidden files and folders are left out, and what macOS packs beside (`__MACOSX`). Links are followed.
    """
    found, seen, folders = [], set(), [""]
    while folders:
        prefix = folders.pop()
        try:
            status = os.stat(root / prefix)
            entries = list(os.scandir(root / prefix))
        except OSError as error:
            raise GessoError(f"Cannot read the folder {(root / prefix).absolute()}: {error.strerror}.") from error
        if (status.st_dev, status.st_ino) in seen and status.st_ino:  # a link back up
            continue
        seen.add((status.st_dev, status.st_ino))
        for entry in entries:
            if entry.name.startswith(".") or entry.name == "__MACOSX":
                continue
            path = prefix + entry.name
            if entry.name.lower().endswith(SUFFIXES) and entry.is_file():
                info = entry.stat()
                found.append(PictureFile(path, info.st_size, info.st_mtime_ns))
            elif entry.is_dir():
                folders.append(path + "/")
    return sorted(found, key=lambda picture: picture.path.split("/"))


def from_files(
    name: str,
    root: Path,
    pictures: Sequence[PictureFile],
    classes: Sequence[str] | None,
    image_size: int,
    cache_dir: str,
    crop: str,
    flip: bool,
    limit: int | None,
    balance: bool,
    said: Sequence[Sequence[str]] | None = None,
) -> ImageDataset:
    """The data set of these `pictures`, decoded once into the cache; `classes` names the class of each.

    `said` has the wordings of what is said of each.

    Class numbers follow the alphabet and have no gaps: a class of which nothing could be read is left out.
    """
    check_options(image_size, limit, crop)
    chosen = subsample(len(pictures), limit)
    pictures = [pictures[i] for i in chosen]
    where = str(root.resolve())  # two folders may hold files of the same names, sizes and times
    key = {"version": VERSION, "size": image_size, "crop": crop, "root": where, "pictures": pictures}
    names = [picture.path for picture in pictures]
    folder = cached("pictures", key, lambda folder: decode_folder(root, names, image_size, crop, folder), cache_dir)
    images = Store(folder, image_size, channels=3)
    if images.skipped:
        report(images.skipped, len(pictures), folder)
    if len(images) == 0:
        raise GessoError(
            f"None of the {len(pictures)} picture files in {root.absolute()} can be read; "
            f"the first: {images.skipped[0]}"
        )
    labels, class_names = None, ()
    if classes is not None:
        kept = [classes[chosen[i]] for i in images.sources]
        classes = sorted(set(kept))
        class_names = tuple(_printable(name) for name in classes)
        numbers = {name: number for number, name in enumerate(classes)}
        labels = np.array([numbers[class_name] for class_name in kept], np.int32)
    return ImageDataset(
        name, images, labels, class_names,
        captions=None if said is None else [said[chosen[i]] for i in images.sources],
        flip=flip, balance=balance, skipped=images.skipped, origin=origin(root, pictures),
        resizer=f"{RESIZER}, crop={crop}, to {image_size} px",
    )  # fmt: skip


def origin(root: Path, pictures: Sequence[PictureFile]) -> str:
    """Names these files, wherever `root` lies: by path, size and time, and a few by how they begin.

    Bitmaps out of an archive may be alike in path, size and time.
    """
    beginnings = []
    for i in subsample(len(pictures), 16):
        with suppress(OSError), open(root / pictures[i].path, "rb") as file:
            beginnings.append(hashlib.sha256(file.read(65536)).hexdigest())
    return digest([pictures, beginnings])


def _printable(name: str) -> str:
    """A folder's name, which on disk may be no UTF-8, as a file can hold it."""
    return os.fsencode(name).decode("utf-8", errors="replace")


def subsample(count: int, limit: int | None) -> np.ndarray:
    """int64 [min(count, limit)]: numbers from 0 to count - 1, evenly spread (all where `limit` is None)."""
    kept = count if limit is None else min(count, limit)
    return np.arange(kept) * count // max(kept, 1)


def several(lines: Sequence[str]) -> str:
    """The first ten, each on a line of its own, and how many more there are."""
    rest = f"\n  and {len(lines) - 10} more" if len(lines) > 10 else ""
    return "".join(f"\n  {line}" for line in lines[:10]) + rest


def report(skipped: Sequence[str], of: int, folder: Path) -> None:
    """Warns of what the cache `folder` says could not be read of so many files."""
    log.warning(
        "Skipped %d of %d files that cannot be read (all in %s; delete that folder to try again):%s",
        len(skipped), of, folder / "skipped.json", several(skipped),
    )  # fmt: skip
