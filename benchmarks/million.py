"""A million pictures from disk to training batches: seconds and memory of all that comes before and beside it.

    python benchmarks/million.py                       # makes 4 GB of small files, and as much of a cache
    python benchmarks/million.py --pictures 100000

- list: names, sizes and times of all files, small JPEGs of 40x36 px in 100 folders, the classes
- decode: from the folder to the finished cache, at --size px
- start: from a process that has TensorFlow to the first batch, out of that cache; so with dataset.trust_cache=true
- cached: training batches, shuffled, from the second epoch on; beside those of --few pictures, in turns
- add: with 1,000 files more in one of the folders, what the next start takes
- encoded: from the folder to the cache of files (dataset.store=encoded), and batches from one of --few pictures

Each runs in a process of its own. Memory is the most that it took beyond what it had before, and so beyond
TensorFlow's where that is loaded; with batches, what it grew by, without the pages of the mapped cache, which are
the system's. Files are in the system's cache as far as they fit: what is read for the first time takes longer.
"""

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS, ADDED = 100, 1000


def make(folder: Path, count: int, prefix: str = "") -> None:
    """Writes `count` files to `FOLDERS` folders, or all to the first where they have a `prefix`."""
    import numpy as np
    from PIL import Image

    rng, contents = np.random.default_rng(0), []
    for _ in range(64):
        content = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (9, 10, 3), np.uint8)).resize((40, 36)).save(
            content, "JPEG", quality=85
        )
        contents.append(content.getvalue())
    places = [folder / f"class {i:02}" for i in range(1 if prefix else FOLDERS)]
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
        for i in range(count // len(places)):
            (place / f"{prefix}{i:06}.jpg").write_bytes(contents[i % 64])


def memory(name: str) -> float:
    """Megabytes of this process, as the system's status has it: VmHWM, VmRSS, RssAnon."""
    return int(Path("/proc/self/status").read_text().split(f"{name}:")[1].split()[0]) / 2**10


def measured(work: Callable[[], int]) -> dict[str, float]:
    """What `work` takes, in seconds and in megabytes at its peak; it says how many pictures it did."""
    before, wall, used = memory("VmRSS"), time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    count = work()
    wall, after = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    return {"seconds": wall, "cpu": cpu, "memory": memory("VmHWM") - before, "count": count}


def load(options: argparse.Namespace, folder: Path, **more):
    from data import image_folder

    return image_folder.load(str(folder), options.size, str(options.cache), **more)


def list_files(options: argparse.Namespace) -> dict[str, float]:
    from data.folder import find_files

    return measured(lambda: len(find_files(options.folder)))


def decode(options: argparse.Namespace, **more) -> dict[str, float]:
    import data.image_folder  # noqa: F401, before the clock starts

    return measured(lambda: len(load(options, options.folder, **more)))


def start(options: argparse.Namespace, **more) -> dict[str, float]:
    from core import hardware

    hardware.load_tensorflow()
    import data.stream  # noqa: F401

    def first() -> int:
        dataset = load(options, options.folder, **more)
        next(iter(dataset.stream(options.batch, seed=1)))
        return len(dataset)

    return measured(first)


def cached(options: argparse.Namespace, folder: Path | None = None, **more) -> dict[str, float]:
    from core import hardware

    hardware.load_tensorflow()
    dataset = load(options, folder or options.folder, **more)
    batches = iter(dataset.stream(options.batch, seed=1))
    for _ in range(max(50, len(dataset) // options.batch)):  # in the first epoch, the system maps page after page
        next(batches)
    steps, before, wall, cpu = 0, memory("RssAnon"), time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < options.seconds:
        for _ in range(20):
            next(batches)
        steps += 20
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"seconds": wall, "cpu": cpu, "memory": memory("RssAnon") - before, "count": steps * options.batch}


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, float]]] = {
    "list": list_files,
    "decode": decode,
    "start": start,
    "start, trusted": lambda options: start(options, trust_cache=True),
    "start, trusted again": lambda options: start(options, trust_cache=True),
    "cached": cached,
    "cached, few": lambda options: cached(options, options.few),
    "add": decode,
    "decode, encoded": lambda options: decode(options, store="encoded"),
    "encoded": lambda options: cached(options, options.few, store="encoded"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, number in (("pictures", 10**6), ("size", 32), ("batch", 64), ("few", 10**4), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=number, help=f"default: {number}")
    parser.add_argument("--seconds", type=float, default=10, help="of measuring batches (default: 10)")
    parser.add_argument("--place", type=Path, help="folder for files and cache (default: a temporary one)")
    parser.add_argument("--part", choices=PARTS, help="one alone, in this process, in --place as it is")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = options.place or Path(temporary)
        options.folder, options.cache = place / "files", place / "cache"
        if options.part:
            sys.path.insert(0, str(ROOT))
            options.few = place / "few"
            return print(json.dumps(PARTS[options.part](options)))
        run(options, place)


def run(options: argparse.Namespace, place: Path) -> None:
    make(options.folder, options.pictures)
    make(place / "few", options.few)

    def part(name: str) -> dict[str, float]:
        arguments = [sys.executable, __file__, "--place", str(place), "--part", name]
        for key in ("size", "batch", "seconds"):
            arguments += [f"--{key}", str(getattr(options, key))]
        done = subprocess.run(arguments, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{name}: failed: {done.stderr.strip().splitlines()[-1]}")
        found = json.loads(done.stdout.splitlines()[-1])
        rate = found["count"] / found["seconds"]
        print(
            f"  {name:22} {found['seconds']:8.1f} s {found['cpu']:8.1f} CPU s {found['memory']:7.0f} MB "
            f"{found['count']:10,} pictures {rate:9,.0f} a second", flush=True,
        )  # fmt: skip
        return found | {"rate": rate}

    print(f"{options.pictures:,} pictures to {options.size} px, batches of {options.batch}")
    for name in ("list", "decode", "start", "start, trusted", "start, trusted again"):
        part(name)
    rounds = [(part("cached, few"), part("cached")) for _ in range(options.rounds)]
    few, many = (max(found["rate"] for found in of_one) for of_one in zip(*rounds, strict=True))
    least = [min(found["cpu"] / found["count"] for found in of_one) for of_one in zip(*rounds, strict=True)]
    print(
        f"  beside {options.few:,}: {many / few:.2f} times as many a second, {least[0] / least[1]:.2f} a CPU second"
    )
    make(options.folder, ADDED, "new ")
    part("add")
    part("decode, encoded")
    part("encoded")


if __name__ == "__main__":
    main()
