"""Pictures from disk to training batches: images/s and memory, beside PyTorch's DataLoader on the same folder.

    pip install -e '.[benchmarks]'      # PyTorch; its CPU build is enough; without it, only Gesso is measured
    python benchmarks/input_pipeline.py [folder] [--size 64] [--batch 64] [--seconds 4]

- first pass: from listing the folder to the finished cache, into an empty cache folder; torch: one pass of a
  DataLoader (a worker a core, as Gesso has a thread a core) that opens, converts, resizes (shorter side,
  antialiased), centre-crops and scales each file, timed from the first batch, so without the start of its workers
- cached: training batches from that cache, shuffled and half of them mirrored; torch has no such cache and decodes
  in every epoch, so its number is that of its pass
- memory: of the process that streams, and by how much that grows in an epoch (of at least --seconds) after a
  warm-up: with the folder's pictures and with four times as many (the folder linked four times). Without the pages
  of the mapped cache file, which are the system's page cache: it takes them back when it needs them

Each runs in its own process, in turns; the best round of each counts, so that a busy moment of the machine harms
all alike. CPU seconds per 1,000 images tell more than images/s where other programs compete for the cores.
"""

import argparse
import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VARIANTS = ("first pass", "cached", "torch")


def cpu_seconds() -> float:
    """Of this process, all of its threads, and its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def resident() -> float:
    """Megabytes of memory of this process that no file stands behind."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:  # no Linux: the peak is the next best
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return int(status.split("RssAnon:")[1].split()[0]) / 2**10


def load(folder: str, size: int, cache: str):
    sys.path.insert(0, str(ROOT))
    from core import hardware

    hardware.load_tensorflow()
    from data import image_folder

    return image_folder.load(folder, size, cache)


def first_pass(options: argparse.Namespace) -> dict[str, float]:
    sys.path.insert(0, str(ROOT))
    from data import image_folder

    wall, cpu = time.perf_counter(), cpu_seconds()
    dataset = image_folder.load(options.folder, options.size, options.cache)
    wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    return {"rate": len(dataset) / wall, "cpu": 1000 * cpu / len(dataset), "images": len(dataset)}


def cached(options: argparse.Namespace) -> dict[str, float]:
    dataset = load(options.folder, options.size, options.cache)
    batches = iter(dataset.stream(options.batch, seed=1))
    for _ in range(50):
        next(batches)
    before, peak, images = resident(), 0.0, 0
    wall, cpu = time.perf_counter(), cpu_seconds()
    while time.perf_counter() - wall < options.seconds or images < len(dataset):
        for _ in range(20):
            next(batches)
        images += 20 * options.batch
        peak = max(peak, resident())
    wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    return {
        "rate": images / wall, "cpu": 1000 * cpu / images, "growth": peak - before, "memory": peak,
        "images": len(dataset),
    }  # fmt: skip


def torch_pass(options: argparse.Namespace) -> dict[str, float]:
    import numpy as np
    import torch
    from PIL import Image

    paths = [path for path in sorted(Path(options.folder).rglob("*")) if path.suffix.lower() in (".jpg", ".png")]
    size = options.size

    class Pictures(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(paths)

        def __getitem__(self, i: int) -> torch.Tensor:
            image = Image.open(paths[i]).convert("RGB")
            scale = size / min(image.size)
            width, height = (round(side * scale) for side in image.size)
            image = image.resize((width, height), Image.Resampling.BICUBIC)
            left, top = (width - size) // 2, (height - size) // 2
            image = image.crop((left, top, left + size, top + size))
            return torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div_(127.5).sub_(1.0)

    started = cpu_seconds()
    workers = len(os.sched_getaffinity(0))
    loader = torch.utils.data.DataLoader(Pictures(), options.batch, num_workers=workers, drop_last=True)
    batches = iter(loader)
    first = len(next(batches))  # the workers run
    wall = time.perf_counter()
    images = sum(len(batch) for batch in batches)
    wall = time.perf_counter() - wall
    del batches, loader  # ends the workers: only then does the system tell what they used
    cpu = 1000 * (cpu_seconds() - started) / (images + first)
    return {"rate": images / wall, "cpu": cpu, "images": len(paths)}


def measure(variant: str, options: argparse.Namespace, folder: Path, cache: Path) -> dict[str, float] | None:
    """What `variant` measures, in a process of its own; None if it failed."""
    arguments = [
        sys.executable, __file__, str(folder), "--size", str(options.size), "--batch", str(options.batch),
        "--seconds", str(options.seconds), "--variant", variant, "--cache", str(cache),
    ]  # fmt: skip
    done = subprocess.run(arguments, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        print(f"{variant}: failed: {lines[-1]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def better(one: dict[str, float] | None, other: dict[str, float] | None) -> dict[str, float] | None:
    """The best of each number: the highest rate, the least of all else."""
    if one is None or other is None:
        return one or other
    return {key: (max if key == "rate" else min)(one[key], other[key]) for key in one}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = ROOT.parent / "shared" / "data" / "wikiart_128"
    parser.add_argument("folder", nargs="?", type=Path, default=default, help=f"of pictures (default: {default})")
    for name, number in (("size", 64), ("batch", 64), ("rounds", 2)):
        parser.add_argument(f"--{name}", type=int, default=number, help=f"default: {number}")
    parser.add_argument("--seconds", type=float, default=4, help="of measuring the cached stream (default: 4)")
    parser.add_argument("--variant", choices=VARIANTS, help="one alone, in this process")
    parser.add_argument("--cache", type=Path, help="cache folder, only with --variant")
    options = parser.parse_args()
    if not options.folder.is_dir():
        sys.exit(f"No such folder: {options.folder}. Give a folder of pictures: {sys.argv[0]} <folder>")
    if options.variant:
        work = {"first pass": first_pass, "cached": cached, "torch": torch_pass}[options.variant]
        return print(json.dumps(work(options)))

    has_torch = importlib.util.find_spec("torch") is not None
    first = stream = many = torch = None
    with tempfile.TemporaryDirectory() as temporary:
        four = Path(temporary, "four times")
        four.mkdir()
        for i in range(4):
            copy_tree(options.folder.resolve(), four / str(i))
        for i in range(options.rounds):
            cache = Path(temporary, f"cache {i}")
            first = better(first, measure("first pass", options, options.folder, cache))
            if has_torch:
                torch = better(torch, measure("torch", options, options.folder, cache))
            stream = better(stream, measure("cached", options, options.folder, cache))
            many = better(many, measure("cached", options, four, Path(temporary, "cache")))
    report(options, first, stream, many, torch, has_torch)


def copy_tree(source: Path, target: Path) -> None:
    """Folders of links: `find_files` visits a folder only once, however many links lead to it."""
    for folder, _, files in os.walk(source):
        place = target / Path(folder).relative_to(source)
        place.mkdir(parents=True)
        for file in files:
            os.symlink(Path(folder, file), place / file)


def report(options, first, stream, many, torch, has_torch: bool) -> None:
    print(f"{options.folder.resolve()} to {options.size} px, batches of {options.batch}; best of {options.rounds}")
    print(f"  {'':24} {'images/s':>9} {'CPU s / 1,000':>14} {'images':>9}")
    for name, result in (
        ("gesso, first pass", first), ("gesso, cached", stream), ("gesso, cached, 4 times", many), ("torch", torch)
    ):  # fmt: skip
        if result:
            print(f"  {name:24} {result['rate']:9,.0f} {result['cpu']:14.3f} {result['images']:9,}")
    if not has_torch:
        print("  torch: not installed (pip install -e '.[benchmarks]'), so no comparison")
    for name, result in (("first pass", first), ("cached", stream)):
        if result and torch:
            rate, cpu = result["rate"] / torch["rate"], torch["cpu"] / result["cpu"]
            print(
                f"  gesso {name} / torch: {rate:.2f} times the images/s, {cpu:.2f} times the images per CPU second"
            )
    if stream and many:
        print(
            f"  memory of the stream: {stream['memory']:.0f} MB, grown by {stream['growth']:.1f} MB with "
            f"{stream['images']:,} images; {many['memory']:.0f} MB, by {many['growth']:.1f} MB, "
            f"with {many['images']:,}"
        )


if __name__ == "__main__":
    main()
