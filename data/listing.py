"""What lies in an archive or a folder, looked up once and kept in the cache."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from core.files import write_array
from data.cache import cached, place, reading
from data.folder import PictureFile

VERSION = 2


@dataclass(frozen=True, eq=False)
class Listing:
    """Pictures by name, with what it takes to find each.

    `numbers`, int64 `[n, ...]`: size, what tells it from another of this name and size (a time, a checksum), and
    what else its reader needs. `labels`: the class of each, where something beside its name says that. `notes`:
    "name: reason" of what was left out.
    """

    names: list[str]
    numbers: np.ndarray
    labels: list[str] | None = None
    notes: Sequence[str] = ()


def kept(kind: str, key: Mapping[str, object], look: Callable[[], Listing], cache_dir: str | Path) -> Listing:
    """What `look` finds, or what it found before under this `key` (see `data.cache.cached`)."""
    folder = cached(kind, {"version": VERSION, **key}, lambda folder: _write(folder, look()), cache_dir)
    with reading(folder):
        names = _strings(folder / "names")
        numbers = np.load(folder / "numbers.npy", allow_pickle=False)
        labels = None
        if (folder / "labels.npy").exists():
            classes = _strings(folder / "classes")
            labels = [classes[i] for i in np.load(folder / "labels.npy", allow_pickle=False)]
        notes = json.loads((folder / "notes.json").read_text())
        if len(names) != len(numbers):
            raise ValueError(f"{len(names)} names for {len(numbers)} pictures")
    return Listing(names, numbers, labels, notes)


def list_folder(
    root: Path, look: Callable[[Path], list[PictureFile]], cache_dir: str, trust: bool
) -> list[PictureFile]:
    """The pictures that `look` finds under `root`; with `trust`, those that it found when it was first trusted.

    Without, it looks now, and what was kept is forgotten.
    """
    key = {"folder": str(root.resolve())}
    here = place("listing", {"version": VERSION, **key}, cache_dir)
    if not trust:
        shutil.rmtree(here, ignore_errors=True)
        return look(root)

    def listing() -> Listing:
        pictures = look(root)
        numbers = np.array([picture[1:] for picture in pictures], np.int64).reshape(-1, 2)
        return Listing([picture.path for picture in pictures], numbers)

    found = kept("listing", key, listing, cache_dir)
    if not found.names:  # nothing to rely on
        shutil.rmtree(here, ignore_errors=True)
    return list(map(PictureFile, found.names, *found.numbers.T.tolist()))


def _write(folder: Path, found: Listing) -> None:
    write = partial(_write_strings, folder)
    write("names", found.names)
    write_array(folder / "numbers.npy", found.numbers)
    if found.labels is not None:
        classes = sorted(set(found.labels))
        number = {name: i for i, name in enumerate(classes)}
        write("classes", classes)
        write_array(folder / "labels.npy", np.array([number[name] for name in found.labels], np.int32))
    (folder / "notes.json").write_text(json.dumps(list(found.notes)))


def _write_strings(folder: Path, name: str, strings: Sequence[str]) -> None:
    """With a zero after each, which no file's name has; names on disk may be no UTF-8."""
    (folder / name).write_bytes("".join(f"{text}\0" for text in strings).encode("utf-8", "surrogateescape"))


def _strings(path: Path) -> list[str]:
    return path.read_bytes().decode("utf-8", "surrogateescape").split("\0")[:-1]
