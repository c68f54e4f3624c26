"""Folders that are built once and found again: decoded, resized or painted pictures.

A cache folder's name is a hash of all that its content depends on, so it never goes stale: what is changed
gets another name. Any of them may be deleted at any time; it is then built again. `data.leftovers` says what there
is.
"""

import errno
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from core.errors import GessoError
from core.files import expanded
from data.dataset import digest

KEY = "key.json"  # in each folder: what it was built from

log = logging.getLogger(__name__)

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOLCK, errno.ENOSYS}


def cached(
    kind: str,
    key: Mapping[str, object],
    build: Callable[[Path], None],
    cache_dir: str | Path,
    now: int | None = None,
) -> Path:
    """The folder `<cache_dir>/<kind>-<hash of key>`; `build(folder)` fills it if it is not there.

    `key` is anything JSON can hold, and must name all that the content depends on (a version number too).
    Of several processes that want the same folder one builds and the others wait. A folder either is complete
    or does not exist: `build` works in a temporary folder beside it, that is renamed at the end and removed
    on any failure; one that a killed process left behind is removed by the next to build.

    Its time of change says when it was used last: `now`, in nanoseconds, which folders used together share.

    Raises `GessoError` where the cache folder cannot be written or the disk is full.
    """
    folder = place(kind, key, cache_dir)
    now = now or time.time_ns()
    if folder.is_dir():
        with suppress(OSError):  # somebody else's cache
            latest = max(now, folder.stat().st_mtime_ns)  # another process may have used it since
            os.utime(folder, ns=(latest, latest))
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{folder}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.info("Another process is building %s; waiting for it", folder)
            lock.acquire()
        try:
            if not folder.is_dir():  # another may have built it while we waited
                _build(folder, key, build)
            os.utime(folder, ns=(now, now))
        finally:
            lock.release()
    except (OSError, NotImplementedError) as error:
        raise _explain(error, folder.parent) from error
    return folder


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Turns what reading a folder of the cache raises into `GessoError`: it is damaged."""
    try:
        yield
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise GessoError(f"The cache {folder} is damaged: {error}. Delete that folder.") from error


def new_array(file: Path, shape: tuple[int, ...]) -> np.memmap:
    """Makes a .npy file of uint8 that can be written to as an array. Raises `OSError` where there is no room."""
    array = np.lib.format.open_memmap(file, "w+", np.uint8, shape)
    if hasattr(os, "posix_fallocate"):  # else a full disk would kill us at some store to the memory map
        with open(file, "r+b") as opened:
            os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
    return array


def place(kind: str, key: Mapping[str, object], cache_dir: str | Path) -> Path:
    """The folder that `cached` finds or makes."""
    return expanded(cache_dir) / f"{kind}-{digest(key)}"


def _build(folder: Path, key: Mapping[str, object], build: Callable[[Path], None]) -> None:
    temporary = folder.with_name(folder.name + ".tmp")  # ours alone: we hold the lock
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        build(temporary)
        (temporary / KEY).write_text(json.dumps(key), encoding="utf-8")
        for file in temporary.rglob("*"):
            _sync(file)
        _sync(temporary)
        temporary.rename(folder)
    except BaseException:  # Ctrl-C too
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _sync(folder.parent)


def _sync(path: Path) -> None:
    """To the disk, so that a power cut after the rename cannot leave a complete-looking folder."""
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _explain(error: Exception, folder: Path) -> Exception:
    if getattr(error, "filename", None) is not None:
        file = Path(os.fsdecode(error.filename))
        if folder not in (file, *file.parents) and file not in folder.parents:  # it is what was to be cached
            return GessoError(f"{file} cannot be read: {error.strerror}.")
    remedy = "Name another place with cache_dir=<folder> or the environment variable GESSO_CACHE."
    number = getattr(error, "errno", None)
    if number in FULL:
        return GessoError(f"No room left on the disk for the picture cache {folder} ({error}). {remedy}")
    if number in REFUSED or isinstance(error, NotImplementedError):
        return GessoError(f"Cannot write the picture cache {folder} ({error}). {remedy}")
    return error
