"""The fuzzer: `python tests/fuzz/run.py pictures --seconds 60`; `--first 123 --cases 1` does case 123 again.

A case is a function of its kind and number. Each is read, or refused by a `GessoError` with a message: no other
error, no crash, less than a minute, less than 2 GB, no temporary files left. Prints what it found as JSON, the last
line.
"""

import argparse
import faulthandler
import gc
import json
import logging
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

LONGEST = 60  # seconds of the processor; of the clock three times as many, for other programs may be at work
MEMORY = 2 * 2**30  # bytes
OUTPUT = ("out", "cache")  # how what a reader writes is called


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", help=", ".join(kinds()))
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--cases", type=int, default=10**9, help="how many at most")
    parser.add_argument("--seconds", type=float, default=1e9, help="how long at most")
    parser.add_argument("--show", action="store_true", help="print what each case ends in")
    options = parser.parse_args()
    if resource is not None:  # what asks for far too much is to fail here, not to bring the machine down
        resource.setrlimit(resource.RLIMIT_DATA, (4 * MEMORY, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    with tempfile.TemporaryDirectory(prefix="gesso-fuzz-") as folder:
        os.environ["GESSO_CACHE"], os.environ["HOME"] = f"{folder}/cache", f"{folder}/home"
        quiet(Path(folder, "log"))
        print(json.dumps(fuzzed(options, Path(folder))))


def kinds() -> dict[str, Callable[[Path, random.Random], None]]:
    import readers
    import scripts

    found = (
        readers.pictures, readers.films, readers.arrays, readers.archives, readers.networks, readers.checkpoints,
        scripts.command_lines, scripts.run_directories,
    )  # fmt: skip
    return {kind.__name__: kind for kind in found}


def quiet(path: Path) -> None:
    """Warnings of damage are expected, tens of thousands of them."""
    warnings.simplefilter("ignore")
    logging.basicConfig(handlers=[logging.FileHandler(path)], level=logging.WARNING)
    logging.getLogger().setLevel(logging.ERROR)


def fuzzed(options: argparse.Namespace, folder: Path) -> dict:
    """Does the cases; returns how many, how long, how many were refused, and what fell over: the first of each."""
    read, refused, fell, peak = kinds()[options.kind], 0, {}, 0
    with tempfile.TemporaryDirectory(dir=folder) as here, suppress(Exception):
        read(Path(here), random.Random(0))  # imports and samples are no part of what is measured
    begun = time.monotonic()
    number = options.first
    while number < options.first + options.cases and time.monotonic() - begun < options.seconds:
        print(f"{options.kind} {number}", file=sys.stderr)  # the last line of a process that crashes
        with tempfile.TemporaryDirectory(dir=folder) as here:
            outcome, memory = attempt(read, Path(here), random.Random(f"{options.kind} {number}"))
        peak = max(peak, memory)
        refused += outcome is not None and outcome[0] == "GessoError"
        if options.show:
            print(number, outcome)
        if outcome is not None and outcome[0] != "GessoError":
            fell.setdefault(outcome[0], {"case": number, "what": outcome[1], "times": 0})["times"] += 1
        number += 1
    shutil.rmtree(folder / "cache", ignore_errors=True)
    return {
        "kind": options.kind, "cases": number - options.first, "seconds": round(time.monotonic() - begun, 1),
        "refused": refused, "peak_mb": peak // 2**20, "fell": list(fell.values()),
    }  # fmt: skip


def attempt(read: Callable, folder: Path, rng: random.Random) -> tuple[tuple[str, str] | None, int]:
    """Returns what a case ends in, None or (name of it, all about it), and the bytes of memory that it took."""
    from core.errors import GessoError

    before, begun, clock = resident(reset=True), time.process_time(), time.monotonic()
    faulthandler.dump_traceback_later(4 * LONGEST, exit=True)  # also of what never comes back to Python
    outcome = None
    try:
        read(folder, rng)
    except GessoError as error:
        outcome = "GessoError", str(error)
        if not outcome[1].strip() or "Traceback" in outcome[1]:
            outcome = "a message", repr(outcome[1])
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        place = [frame for frame in frames if frame.filename.startswith(str(ROOT))][-1]
        name = f"{type(error).__name__} {place.filename}:{place.lineno}"
        outcome = name, traceback.format_exc(limit=-6)
    finally:
        faulthandler.cancel_dump_traceback_later()
    took, clock, memory = time.process_time() - begun, time.monotonic() - clock, resident() - before
    if took > LONGEST or clock > 3 * LONGEST:
        outcome = "time", f"{took:.0f} s of the processor, {clock:.0f} s ({outcome})"
    if memory > MEMORY:
        outcome = "memory", f"{memory / 2**30:.1f} GB ({outcome})"
        gc.collect()
    left = [str(path) for path in folder.rglob("*") if temporary(path.relative_to(folder))]
    if left and (outcome is None or outcome[0] == "GessoError"):
        outcome = "leftovers", f"{left} ({outcome})"
    return outcome, memory


def temporary(path: Path) -> bool:
    """Whether that is a file which `core.files.atomic` or a cache did not finish."""
    return (path.name.startswith(".") and path.name != ".hydra") or path.suffix == ".tmp"


def resident(reset: bool = False) -> int:
    """Returns the most bytes of memory since the last reset; where that cannot be known, 0."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration):
        return 0


if __name__ == "__main__":
    main()
