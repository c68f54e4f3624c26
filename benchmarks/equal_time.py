"""Recipes side by side, each trained for the same processor time of one thread: a table, and a sheet of samples.

    python benchmarks/equal_time.py --seconds 600 --seeds 1,2 --output <new folder> --weights <VGG16> \
        --common "dataset.root=<folder of style folders>" "experiment=dcgan_wikiart" "experiment=cgan_wikiart"

A recipe is what follows `train.py`, in quotes; `--common` is added to each. The time is the processor time of
training, less that of its start-up (which a run of one step measures, and which also fills the caches), so that
another process beside it changes little. The networks are judged by `evaluate.py`: KID, neighbour ratio, sliced
Wasserstein distance, with rows for other real pictures, blurred ones and plain colours. A training that has ended
or been judged is not done again when the same command is called once more; one that was interrupted begins anew.
"""

import argparse
import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from PIL import Image, ImageDraw

from core.cli import ROOT
from core.run import Run

TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(pid: int) -> float:
    """Returns the processor time of a running process of Linux, all threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def call(script: str, overrides: list[str], log: Path, limit: float | None = None) -> tuple[float, int]:
    """Runs a script of ours, ended by Ctrl-C's signal at `limit` seconds of processor time.

    Returns these seconds and the exit code. Raises `SystemExit` with the log's end where it failed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, ROOT / script, *overrides], stdout=file, stderr=subprocess.STDOUT, cwd=ROOT
        )
        seconds, stopped = 0.0, False
        while process.poll() is None:
            time.sleep(0.2)
            try:
                seconds = processor_seconds(process.pid)
            except (FileNotFoundError, ProcessLookupError):
                break
            if limit is not None and seconds > limit and not stopped:
                process.send_signal(signal.SIGINT)
                stopped = True
    code = process.wait()
    if code not in ((0, 130) if stopped else (0,)):
        raise SystemExit(f"{script} {shlex.join(overrides)}: exit code {code}\n{log.read_text()[-2000:]}")
    return seconds, code


def train(recipe: list[str], seed: int, seconds: float, folder: Path) -> None:
    """Trains a recipe for `seconds` of processor time, its start-up aside."""
    done = folder / "seconds.json"
    if done.exists():
        return
    for begun in ("first", "run"):  # from a checkpoint it would go on for the full time once more
        shutil.rmtree(folder / begun, ignore_errors=True)
    overrides = [*recipe, f"seed={seed}", "trainer.threads=1"]
    once = [*overrides, "steps=1", f"hydra.run.dir={folder / 'first'}"]
    start_up, _ = call("train.py", once, folder / "first.txt")
    if not any(override.startswith("steps=") for override in recipe):
        overrides.append("steps=100000000")
    overrides += ["sample_every=500", "checkpoint_every=1000000", f"hydra.run.dir={folder / 'run'}"]
    spent, _ = call("train.py", overrides, folder / "train.txt", start_up + seconds)
    done.write_text(json.dumps({"start_up": start_up, "training": spent - start_up}))


def judge(folder: Path, options: argparse.Namespace, baselines: bool) -> dict:
    """Returns `evaluation.json` of the network in a folder, made once.

    That with baselines is another one: they want other real pictures, and of a small data set leave half for each.
    """
    told = json.dumps([options.num, options.weights, options.judged])
    of = hashlib.sha256(told.encode()).hexdigest()[:8]
    result = folder / f"{'baselines' if baselines else 'evaluation'}_{of}" / "evaluation.json"
    if not result.exists():
        call(
            "evaluate.py",
            [
                f"network={folder / 'run'}",
                "metrics=[kid,neighbor_distance_ratio,sliced_wasserstein]",
                f"num={options.num}",
                f"baselines={str(baselines).lower()}",
                f"hydra.run.dir={result.parent}",
                *([f"weights={options.weights}"] if options.weights else []),
                *shlex.split(options.judged),
            ],
            folder / f"{result.parent.name}.txt",
        )
    return json.loads(result.read_text())


def steps_of(folder: Path) -> int:
    """Returns the step that a run came to."""
    return json.loads(Run(folder / "run").metrics.read_text().strip().splitlines()[-1])["step"]


def line(title: str, row: dict[str, float], seed: str = "", steps: str = "") -> str:
    """Lays out a row of the table."""
    kid = f"{1000 * row['kid']:.0f} ± {1000 * row['kid_error']:.0f}"
    others = f"{row['neighbor_distance_ratio']:.2f} | {row['sliced_wasserstein']:.3g}"
    return f"| {title} | {seed} | {steps} | {kid} | {others} |"


def sheet(folders: list[tuple[str, Path]], path: Path, rows: int = 2) -> None:
    """Writes the top rows of the last samples of each run, one run below the other, with its recipe."""
    parts = []
    for title, folder in folders:
        run = Run(folder / "run")
        last = max(path for path in run.samples.iterdir() if path != run.reals)
        grid = Image.open(last).convert("RGB")
        side = (grid.width - 2) // 8
        grid = grid.crop((0, 0, grid.width, rows * side + 2))
        label = Image.new("RGB", (grid.width, 14), "white")
        ImageDraw.Draw(label).text((2, 1), title, fill="black")
        parts += [np.asarray(label), np.asarray(grid)]
    width = max(part.shape[1] for part in parts)
    parts = [np.pad(part, ((0, 0), (0, width - part.shape[1]), (0, 0)), constant_values=255) for part in parts]
    Image.fromarray(np.concatenate(parts)).save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="+", help="each what follows train.py, in quotes")
    parser.add_argument("--common", default="", help="overrides of all of them")
    parser.add_argument("--judged", default="", help="overrides of evaluate.py, as a data set never trained on")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seeds", default="1,2")
    parser.add_argument("--num", type=int, default=2000, help="pictures of each kind")
    parser.add_argument("--weights", help="file of VGG16's weights")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    seeds = [int(seed) for seed in options.seeds.split(",")]

    print(f"{options.seconds:.0f} s of one thread each, {options.num} pictures\n")
    print(
        "| recipe | seed | steps | KID x 1000 | neighbour ratio | sliced Wasserstein |\n|---|---|---|---|---|---|"
    )
    shown, first = [], True
    for recipe in options.recipes:
        for seed in seeds:
            name = "".join(c if c.isalnum() or c in "._-" else "_" for c in recipe)[-100:]
            told = json.dumps([recipe, options.common, options.seconds])
            folder = options.output / f"{name}_{hashlib.sha256(told.encode()).hexdigest()[:8]}_{seed}"
            folder = folder.resolve()
            train([*shlex.split(recipe), *shlex.split(options.common)], seed, options.seconds, folder)
            found = judge(folder, options, False)
            print(line(f"`{recipe}`", found, str(seed), f"{steps_of(folder):,}"), flush=True)
            if first:
                rows = judge(folder, options, True)["baselines"]
                print(*(line(name, row) for name, row in rows.items()), sep="\n", flush=True)
            first = False
            if seed == seeds[0]:
                shown.append((recipe, folder))
    sheet(shown, options.output / "samples.png")
    print(f"\nSamples: {options.output / 'samples.png'}")


if __name__ == "__main__":
    main()
