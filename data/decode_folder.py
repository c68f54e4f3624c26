"""Whole folders of pictures decoded on all cores, into a cache on disk."""

import errno
import logging
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data import store
from data.decode import decode, most_bytes

log = logging.getLogger(__name__)

WAITING = 2**28  # bytes of what is decoded and not yet written


def decode_folder(root: Path, names: Sequence[str], size: int, crop: str, folder: Path, channels: int = 3) -> None:
    """Decodes the files `root / name` on all cores, and writes those that can be read to `folder` (`store`).

    The others are noted there as "name: reason". Memory does not grow with the number of files, nor much with that
    of cores. Raises `OSError` if the disk has no room: before any work if that is clear, else after the first few.
    """
    log.info("Decoding %d pictures from %s to %d px, once; then they are cached", len(names), root, size)
    decode_all(
        names, lambda i: decode(os.path.join(root, names[i]), size, channels, crop), size, crop, channels, folder
    )


def decode_all(
    names: Sequence[str], one: Callable[[int], np.ndarray], size: int, crop: str, channels: int, folder: Path
) -> None:
    """Does what `decode_folder` does, for whatever `one` makes of a number in `names`.

    That is uint8 [height, width, channels], of sides as `decode` makes them of `size` and `crop`.
    """
    _check_room(len(names) * size * size * channels, folder)
    started = time.perf_counter()
    skipped: list[str] = []
    pictures = _in_threads(names, one, most_bytes(size, crop, channels), skipped)
    count = store.write(folder, _as_far_as_there_is_room(pictures, len(names), folder), skipped)
    log.info("Decoded %d pictures in %.1f s", count, time.perf_counter() - started)


def _check_room(num_bytes: int, folder: Path) -> None:
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
            _check_room(num_bytes // count * (total - count), folder)


def _in_threads(
    names: Sequence[str], one: Callable[[int], np.ndarray], most: int, skipped: list[str]
) -> Iterator[tuple[int, np.ndarray]]:
    """Yields (number in `names`, picture) in order. Threads, not processes: Pillow works outside Python's
    lock, and threads start in no time. What is done and waits for its turn takes `WAITING` bytes at most."""
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    chunk = max(1, min(32, 2**21 // most))
    ahead = max(1, min(2 * threads, WAITING // (chunk * most)))

    def work(first: int) -> list[tuple[int, np.ndarray | str]]:
        return [(i, _attempt(one, i)) for i in range(first, min(first + chunk, len(names)))]

    firsts = iter(range(0, len(names), chunk))
    with ThreadPoolExecutor(threads) as pool, tqdm(total=len(names), unit="img", disable=None) as bar:
        pending = deque(pool.submit(work, first) for first in islice(firsts, ahead))
        while pending:
            results = pending.popleft().result()
            pending.extend(pool.submit(work, first) for first in islice(firsts, 1))
            for i, result in results:
                if isinstance(result, str):
                    skipped.append(f"{names[i]}: {result}")
                else:
                    yield i, result
            bar.update(len(results))


def _attempt(one: Callable[[int], np.ndarray], number: int) -> np.ndarray | str:
    try:
        return one(number)
    except Exception as error:  # whatever is wrong with one file must not stop the others
        return getattr(error, "strerror", None) or str(error) or type(error).__name__
