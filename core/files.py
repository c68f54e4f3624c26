"""Files that appear whole or not at all: written under a temporary name, then renamed."""

import errno
import io
import itertools
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from core.errors import GessoError

_MARK = ".unfinished-"  # in temporary names
_LONGEST = 255  # bytes that the name of a file may have
_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)  # neither is there on Windows


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Gives a temporary path beside `path` to write to; renames it to `path` when the block succeeds.

    The temporary name keeps the suffix, since Keras and Pillow read the format from it. On any error it is
    removed and `path` stays as it was. Raises `GessoError` where the disk is full or the folder not writable.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{shortened(path.stem, 40)}{_MARK}"  # the whole name, and more, may be longer than names may be
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp's 0600 would hide pictures from other users
        yield temporary
        with open(temporary, "rb") as file:  # the data before the name: a power cut leaves the old file
            os.fsync(file.fileno())
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise GessoError(f"Could not write {path}: {error.strerror or error}.") from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()


def write_array(path: Path, array: np.ndarray) -> None:
    """Writes an array as `np.save` does, which says of a full disk neither that it is full nor for which file."""
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    path.write_bytes(content.getbuffer())


def write_text(path: Path, text: str) -> None:
    """Writes a text as UTF-8, whole or not at all. Raises `GessoError` as `atomic` does."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any, **options: Any) -> None:
    """Writes a value as JSON, whole or not at all, with `options` of `json.dumps`; raises as `atomic` does."""
    write_text(path, json.dumps(value, indent=2, **options) + "\n")


def open_regular(path: Path, mode: str = "rb", **options: Any) -> IO:
    """Opens a file of a stranger's folder as `open` does, but no named pipe, which it would wait for, nor a device.

    Raises `OSError` as `open` does, and for what is neither a regular file nor a link to one.
    """

    def opener(name: str, flags: int) -> int:
        if os.path.exists(name):
            _check_regular(name, os.stat(name).st_mode)  # to open a device may do something already
        handle = os.open(name, flags | _AT_ONCE, 0o666)
        try:
            _check_regular(name, os.fstat(handle).st_mode)  # it may be another one by now
        except OSError:
            os.close(handle)
            raise
        return handle

    return open(path, mode, opener=opener, **options)


def _check_regular(name: str, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "It is no regular file", name)


def read_small(path: Path, most: int) -> bytes:
    """Reads a file of a stranger's folder, which is to have at most so many bytes.

    Raises `OSError` as `open` does, and for what is larger, or no regular file: pipes, devices.
    """
    with open_regular(path) as file:
        content = file.read(most + 1)  # whatever size it says to have
    if len(content) > most:
        raise OSError(errno.EFBIG, f"It is larger than {most} bytes", os.fspath(path))
    return content


def read_json(path: Path, most: int) -> Any:
    """Reads what a JSON file of a stranger's folder holds, which is to have at most so many bytes.

    Raises `OSError` as `read_small` does, and `ValueError` or `RecursionError` for what is no JSON.
    """
    return json.loads(read_small(path, most).decode("utf-8"))


def try_out(folder: Path) -> None:
    """Makes a folder, if it is not there, and raises `GessoError` where no file can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise GessoError(f"Cannot write to {folder}: {error.strerror}.") from error


def remove_left(folder: Path) -> None:
    """Removes what killed processes left below a folder: files of `atomic`. Nobody may be writing there."""
    for path in folder.rglob(f".*{_MARK}*"):
        with suppress(OSError):
            path.unlink()


def unfinished(path: Path) -> Path:
    """Finds a name that no file has for what is done of `path`: <name>.partial<suffix>, .partial1, ..."""
    stem = shortened(path.stem, _LONGEST - len(os.fsencode(f".partial000{path.suffix}")))
    names = (path.with_stem(f"{stem}.partial{number or ''}") for number in itertools.count())
    return next(name for name in names if not name.exists())


def remove_empty(folder: Path) -> None:
    """Removes a folder that nothing was written to, and what is empty without it below the working directory."""
    try:
        here = Path.cwd()
    except OSError:  # it has gone
        return
    above = (path for path in folder.parents if here in path.parents)
    for path in (folder, *above) if folder != here else ():
        try:
            path.rmdir()
        except OSError:  # it is not empty
            return


def shortened(name: str, most: int) -> str:
    """Returns as many characters of a file's name, from the first, as have at most so many bytes."""
    while len(os.fsencode(name)) > most:
        name = name[:-1]
    return name


def in_utf8(name: str) -> str:
    r"""Returns a file's name as text; bytes that are none, of other encodings, as they are written: `Z\xfcrich`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def printable(text: object) -> str:
    r"""Returns what a stranger's file says as a line that does nothing to a terminal: `\x1b`, `\n`, `\ud800`."""
    return "".join(c if c.isprintable() else _escaped(c) for c in str(text))


def printable_lines(text: str) -> str:
    """Returns a text of several lines as `printable` does each, without colours, which Keras puts in its errors."""
    return "\n".join(map(printable, re.sub(r"\x1b\[[\d;]*m", "", text).split("\n")))


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte of a file's name
        return in_utf8(character)
    return character.encode("unicode_escape").decode("ascii")


def expanded(path: str | Path) -> Path:
    """Returns a path with the home folder for `~`; what names no user, a file called `~a.jpg`, stays as it is."""
    return Path(os.path.expanduser(path))  # Path.expanduser raises RuntimeError there


def relative(path: Path) -> Path:
    """Returns a path as it is written from here, if it lies here: for messages to be copied."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
