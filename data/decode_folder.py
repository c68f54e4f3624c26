"""Many pictures decoded on all cores, into a folder of the cache."""

import errno
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from core.errors import GessoError
from data import store
from data.budget import cores
from data.decode import decode
from data.source import Opened

# Errors of a disk, a network or a process, not of a file. A file that is not there was there when it was listed.
PASSING = {
    errno.EIO, errno.ENOENT, errno.ENODEV, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH,
    errno.ECONNRESET, errno.ECONNABORTED, errno.EMFILE, errno.ENFILE, errno.ENOMEM,
    getattr(errno, "ESTALE", None), getattr(errno, "EHOSTDOWN", None),
} - {None}  # fmt: skip
WAITING = 2**28  # bytes of what is decoded and not yet written

Job = Callable[[], np.ndarray]  # makes a picture, uint8 [height, width, channels]


def decode_opened(file: Opened, size: int, channels: int, crop: str) -> np.ndarray:
    """Does `data.decode.decode` of what a source gives to be opened."""
    with file as opened:
        return decode(opened, size, channels, crop)


def decode_all(names: Sequence[str], jobs: Iterator[Job], most: int, folder: Path, bar: tqdm) -> None:
    """Does the `jobs`, one for each name, on all cores, and writes what comes of them to `folder` (`data.store`).

    Those that raise are noted there as "name: reason"; for errors of a disk, which pass, there is a `GessoError`.
    Memory does not grow with the number of files, nor much with that of cores: `most` is the bytes that one takes
    until it is written. Raises `OSError` if the disk will have no room, as soon as that is clear.
    """
    skipped: list[str] = []
    pictures = _in_threads(names, jobs, most, skipped, bar)
    store.write(folder, _as_far_as_there_is_room(pictures, len(names), folder), skipped)


def check_room(num_bytes: int, folder: Path) -> None:
    """Raises `OSError` if the disk of `folder` has less free than this."""
    free = shutil.disk_usage(folder).free
    if num_bytes > free:
        raise OSError(errno.ENOSPC, f"{num_bytes / 1e9:.1f} GB needed, {free / 1e9:.1f} GB free")


def _as_far_as_there_is_room(
    pictures: Iterator[tuple[int, np.ndarray]], total: int, folder: Path
) -> Iterator[tuple[int, np.ndarray]]:
    """Passes them on; after 4, 16, 64, ... estimates from their sizes what the others will take."""
    num_bytes, next_look = 0, 4
    for count, (number, picture) in enumerate(pictures, 1):
        num_bytes += picture.nbytes
        yield number, picture
        if count == next_look:
            next_look *= 4
            check_room(num_bytes // count * (total - count), folder)


def _in_threads(
    names: Sequence[str], jobs: Iterator[Job], most: int, skipped: list[str], bar: tqdm
) -> Iterator[tuple[int, np.ndarray]]:
    """Yields (number in `names`, picture) in order. Threads, not processes: decoders work outside Python's
    lock, and threads start in no time. What is done and waits for its turn takes `WAITING` bytes at most."""
    threads = cores()
    chunk = max(1, min(32, 2**21 // most))
    ahead = max(1, min(2 * threads, WAITING // (chunk * most)))

    def work(some: list[tuple[int, Job]]) -> list[tuple[int, np.ndarray | str]]:
        return [(i, _attempt(names[i], job)) for i, job in some]

    numbered = enumerate(jobs)
    chunks = iter(lambda: list(islice(numbered, chunk)), [])
    with ThreadPoolExecutor(threads) as pool:
        pending = deque(pool.submit(work, some) for some in islice(chunks, ahead))
        while pending:
            results = pending.popleft().result()
            pending.extend(pool.submit(work, some) for some in islice(chunks, 1))
            for i, result in results:
                if isinstance(result, str):
                    skipped.append(f"{names[i]}: {result}")
                else:
                    yield i, result
            bar.update(len(results))


def _attempt(name: str, job: Job) -> np.ndarray | str:
    try:
        return job()
    except MemoryError as error:
        raise GessoError(f"{name}: no memory is left to decode it.") from error
    except Exception as error:  # whatever is wrong with one file must not stop the others
        if getattr(error, "errno", None) in PASSING:  # what is kept would say so for ever
            raise GessoError(
                f"{name} cannot be read now: {error.strerror}. Nothing of it was kept: start again once it can be, "
                "and without dataset.trust_cache=true if it was removed."
            ) from error
        return getattr(error, "strerror", None) or str(error) or type(error).__name__
