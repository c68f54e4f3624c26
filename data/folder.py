"""Folders of picture files, searched with all their subfolders."""

import gc
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from core.errors import GessoError
from core.files import expanded

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
FIRST, SHEETS = "0000.png", ("grid.png", "strip.png")  # of what generate.py makes: a picture, and sheets of all
# Folders of systems and of network disks, in small letters: copies for them alone, and what was thrown away.
BESIDE = {
    "__macosx", "@eadir", "@recycle", "#recycle", "#snapshot", "$recycle.bin", "lost+found",
    "system volume information",
}  # fmt: skip
PICTURES = "pictures (" + " ".join(SUFFIXES) + ")"
LAYOUT = f"Expected: {PICTURES}, directly or in one subfolder a class."


class PictureFile(NamedTuple):
    """A file: path relative to the root, with slashes; size in bytes; time of change in nanoseconds.

    In an archive, the last may be any number that is another one if the file is.
    """

    path: str
    size: int
    changed: int


def subfolders(pictures: Sequence[PictureFile]) -> list[str] | None:
    """The first-level subfolder of each picture; None if some lie in no subfolder."""
    classes = [picture.path.partition("/")[0] if "/" in picture.path else None for picture in pictures]
    return None if None in classes else classes


def listed(root: str | None, key: str = "dataset.root", expected: str = LAYOUT) -> tuple[Path, list[PictureFile]]:
    """The folder that the configuration's `key` names and all pictures under it (`find_files`).

    Raises `GessoError`, saying what is `expected`, if there is no such folder or no picture in it.
    """
    folder = named(root, key, expected)
    if not folder.is_dir():
        raise GessoError(
            f"{folder.absolute()} is a file, not a folder. Give the pictures' folder: {key}=<folder>. {expected}"
        )
    pictures = find_files(folder)
    if not pictures:
        raise GessoError(f"No pictures in {folder.absolute()} or below ({key}). {expected}")
    return folder, pictures


def named(root: str | None, key: str, expected: str) -> Path:
    """The folder or file that the configuration's `key` names. Raises `GessoError` if there is none."""
    if root in (None, ""):
        raise GessoError(f"This data set needs to know a folder: {key}=<folder>. {expected}")
    path = expanded(str(root))  # 2024 comes as a number
    if not path.exists():
        raise GessoError(f"{path.absolute()} does not exist. Give the pictures' folder: {key}=<folder>. {expected}")
    return path


def is_picture(name: str) -> bool:
    """Says whether a file of this name should be a picture."""
    return name.lower().endswith(SUFFIXES)


def find_files(root: Path, wanted: Callable[[str], object] = is_picture) -> list[PictureFile]:
    """All files under `root` whose names are `wanted`, in an order that is the same on every file system.

    Hidden files and folders are left out, those that systems put beside (`BESIDE`), and sheets of the pictures that
    they lie among, as `generate.py` makes them. Links are followed.
    """
    found, seen = [], set()

    def walk(prefix: str) -> None:
        try:
            status = os.stat(root / prefix)
            entries = sorted(os.scandir(root / prefix), key=lambda entry: entry.name)
        except OSError as error:
            raise GessoError(f"Cannot read the folder {(root / prefix).absolute()}: {error.strerror}.") from error
        if (status.st_dev, status.st_ino) in seen and status.st_ino:  # a link back up
            return
        seen.add((status.st_dev, status.st_ino))
        made = any(entry.name == FIRST for entry in entries)
        for entry in entries:
            beside = entry.name.startswith(".") or entry.name.lower() in BESIDE
            if beside or (made and entry.name in SHEETS):
                continue
            if wanted(entry.name) and entry.is_file():
                info = entry.stat()
                found.append(PictureFile(prefix + entry.name, info.st_size, info.st_mtime_ns))
            elif entry.is_dir():
                walk(f"{prefix}{entry.name}/")

    collecting = gc.isenabled()
    gc.disable()  # it would look through a million files time and again, and find nothing: a sixth of the time
    try:
        walk("")
    finally:
        if collecting:
            gc.enable()
    return found


def several(lines: Sequence[str]) -> str:
    """The first ten, each on a line of its own, and how many more there are."""
    rest = f"\n  and {len(lines) - 10} more" if len(lines) > 10 else ""
    return "".join(f"\n  {line}" for line in lines[:10]) + rest
