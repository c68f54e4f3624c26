"""What lies in the cache, and what of it nobody needs any more.

    python -m data.leftovers             # what there is
    python -m data.leftovers --clean     # and removes what is of no use
    python -m data.leftovers --clean --unused 90    # and all that was not used for so many days

Of no use is a part of a set of pictures that was not needed when the set was used last: its files have changed. So
is what a killed process left.
"""

import json
import os
import re
import shutil
import time
from argparse import ArgumentParser, RawTextHelpFormatter
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from core.files import expanded
from data.cache import KEY

PLACE = os.environ.get("GESSO_CACHE", "~/.cache/gesso")  # as in conf/train.yaml


OURS = re.compile(r"[a-z]+-[0-9a-f]{16}(\.tmp)?")  # names of the cache's folders; whatever else is there stays


@dataclass
class Entry:
    """A folder of the cache: its kind, what it is of, bytes, when it was used last, and why it is of no use."""

    folder: Path
    kind: str
    of: str
    size: int
    used: float
    useless: str | None = None


def entries(cache_dir: str | Path) -> list[Entry]:
    """All folders of a cache, largest first."""
    found, sets = [], defaultdict(list)
    for folder in expanded(cache_dir).glob("*-*"):
        if not folder.is_dir() or not OURS.fullmatch(folder.name):
            continue
        try:
            used = folder.stat().st_mtime
        except OSError:  # renamed or removed just now
            continue
        key, size = _key(folder), _size(folder)
        of = next((str(key[name]) for name in ("root", "file", "folders") if name in key), "")
        of += "".join(f", {name}={key[name]}" for name in ("size", "crop") if name in key and "root" in key)
        entry = Entry(folder, folder.name.rpartition("-")[0], of, size, used)
        if folder.suffix == ".tmp":
            entry.useless = None if _locked(_lock(folder)) else "not finished"
        elif not key and entry.kind in ("pictures", "pairs"):
            entry.useless = "of an older version"
        elif "files" in key:
            same = {name: value for name, value in key.items() if name != "files"}
            sets[entry.kind, json.dumps(same, sort_keys=True)].append(entry)
        found.append(entry)
    for parts in sets.values():
        last = max(part.used for part in parts)
        for part in parts:
            if part.used < last:
                part.useless = "files have changed"
    return sorted(found, key=lambda entry: -entry.size)


def remove(entry: Entry) -> bool:
    """Removes a folder, and the lock beside it, and says so; not where a process is building it just now."""
    lock = _lock(entry.folder)
    try:
        with FileLock(lock, timeout=0):
            with suppress(FileNotFoundError):  # it has been built meanwhile, or removed
                shutil.rmtree(entry.folder)
            lock.unlink(missing_ok=True)
        return True
    except Timeout:
        return False


def _size(folder: Path) -> int:
    """The bytes in a folder; of one that is built just now, those of what is there still."""
    size = 0
    with suppress(OSError):
        for file in folder.rglob("*"):
            with suppress(OSError):
                size += file.stat().st_size if file.is_file() else 0
    return size


def _lock(folder: Path) -> Path:
    return folder.with_name(folder.name.removesuffix(".tmp") + ".lock")


def _key(folder: Path) -> dict:
    try:
        key = json.loads((folder / KEY).read_text(encoding="utf-8"))
        return key if isinstance(key, dict) else {}
    except (OSError, ValueError):
        return {}


def _locked(lock: Path) -> bool:
    """Whether a process is building there."""
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True


def main() -> None:
    parser = ArgumentParser("data.leftovers", description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("--clean", action="store_true", help="remove what is of no use")
    parser.add_argument("--unused", type=float, metavar="DAYS", help="what was not used for so long is of no use")
    parser.add_argument("--cache", default=PLACE, help=f"the cache's folder (default: {PLACE})")
    options = parser.parse_args()
    if not expanded(options.cache).is_dir():
        parser.error(f"there is no folder {options.cache}")
    found = entries(options.cache)
    for entry in found:
        days = (time.time() - entry.used) / 86400
        if options.unused is not None and days >= options.unused:
            entry.useless = entry.useless or f"not used for {days:.0f} days"
        line = f"{entry.size / 1e6:10,.1f} MB  {days:5.0f} days ago  {entry.kind:10} {entry.of}"
        print(line + (f"  [{entry.useless}]" if entry.useless else ""))
    useless = [entry for entry in found if entry.useless]
    size = sum(entry.size for entry in useless) / 1e6
    print(
        f"{sum(entry.size for entry in found) / 1e6:10,.1f} MB in {options.cache}, {size:,.1f} MB of it of no use"
    )
    if options.clean:
        removed = [entry for entry in useless if remove(entry)]
        print(f"Removed {len(removed)} folders, {sum(entry.size for entry in removed) / 1e6:,.1f} MB.")
    elif useless:
        print("  python -m data.leftovers --clean    removes these")


if __name__ == "__main__":
    main()
