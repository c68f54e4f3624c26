"""Pictures decoded into the cache in shards, each of which stands for itself.

What stops the work loses one of them; and a file that is new, gone or another has only its own decoded again, as
where one ends and the next begins depends on the names that are there and hardly on how many there are before.
"""

import logging
import os
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from tqdm import tqdm

from data import mapping
from data.cache import cached, place
from data.dataset import digest
from data.decode_folder import Job, check_room, decode_all

log = logging.getLogger(__name__)

LEAST, MEAN = 4_000, 6_000  # pictures of a shard; of more alike sizes, a change would move more of them


def decoded(
    kind: str,
    key: Mapping[str, object],
    names: Sequence[str],
    files: Sequence[tuple],
    jobs: Callable[[Sequence[int]], Iterator[Job]],
    least: int,
    most: int,
    cache_dir: str | Path,
) -> tuple[list[Path], list[int]]:
    """What `jobs`, of numbers of `names`, make, decoded once (`decode_all`) and then found in the cache.

    Returns the shards' folders, and the number of the first of each. `files` says of each what must not change for
    it to be the same, `key` all else that the pixels depend on. Each takes `least` bytes or more on the disk, and
    may take `most` until it is written.
    Raises `GessoError` as `cached` does.
    """
    parts = split(names)
    keys = [dict(key) | {"files": digest(files[part.start : part.stop])} for part in parts]
    folders = [place(kind, key, cache_dir) for key in keys]
    parted = list(zip(parts, folders, strict=True))

    def missing() -> int:
        return sum(len(part) for part, folder in parted if not folder.is_dir())

    def build(part: range, folder: Path) -> None:
        check_room(missing() * least, folder)
        decode_all(names[part.start : part.stop], jobs(part), most, folder, bar)

    # One time for all, those first that are there: what is of the same set and was used before is of no use, also
    # where this is interrupted.
    started, count, now = time.perf_counter(), missing(), time.time_ns()
    if count:
        where = key.get("root") or key.get("folders")
        log.info("Decoding %d of %d pictures from %s, once; then they are cached", count, len(names), where)
    with tqdm(total=count, unit="img", disable=None if count else True) as bar:
        there = sorted(zip(parts, keys, folders, strict=True), key=lambda shard: not shard[-1].is_dir())
        for part, key, _ in there:
            cached(kind, key, partial(build, part), cache_dir, now)
    if count:
        log.info("Decoded in %.1f s", time.perf_counter() - started)
    return folders, [part.start for part in parts]


def split(names: Sequence[str]) -> list[range]:
    """The shards of these names, as ranges of their numbers."""
    if mapping.ONE_FILE:
        return [range(len(names))]
    begins = [0]
    for i, name in enumerate(names):
        if i - begins[-1] >= LEAST and not zlib.crc32(os.fsencode(name)) % (MEAN - LEAST):
            begins.append(i)
    return [range(begin, end) for begin, end in zip(begins, [*begins[1:], len(names)], strict=True)]
