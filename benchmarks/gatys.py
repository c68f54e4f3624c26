"""Style transfer by optimisation beside PyTorch: how low the objective of Gatys et al. 2016 is after how long.

    pip install -e '.[benchmarks]'      # PyTorch; its CPU build is enough
    python benchmarks/gatys.py <content> <style> --weights <VGG16 file> [--size 256 512] [--seconds 60]
        [--rivals adam lbfgs] [--coarse 50] [--output gatys.json]

All start from the content picture and minimise the same thing, `models.perceptual.Perceptual`'s defaults. Gesso is
`stylization.optimization.optimize` with its defaults, but at the picture's own size only; with --coarse a second
Gesso begins with so many evaluations at half of it. PyTorch is its neural style tutorial: pixels in [0, 1], clamped
before each evaluation, L-BFGS as it comes, or Adam at both learning rates that serve it; --rivals has both in
bfloat16, too.

Each runs in a process of its own, one after the other, and its clock starts before the process does: what it takes
to import, to read weights and to compile counts. At a mark it has the best of the pictures that it had evaluated by
then. These are clipped to what a picture may hold and judged by one judge, in float32. Each contestant's own first
value must be the judge's of the untouched content: if not, they do not minimise the same, and that is an error.
"""

import argparse
import functools
import json
import math
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from PIL import Image

from core.files import atomic

MARKS = (5, 10, 20, 30, 40, 60, 90, 120, 180, 240, 300)  # s
TICK = 0.5  # s between the moments at which pictures are kept
CONTENT = "block4_conv2"
STYLE = tuple(f"block{i}_conv1" for i in range(1, 6))
STYLE_WEIGHT = 30.0
MEAN_BGR = (103.939, 116.779, 123.68)
RIVALS = {
    "adam": ("torch adam 0.02", "torch adam 0.05"),
    "lbfgs": ("torch lbfgs",),
    "adam-bfloat16": ("torch adam 0.02 bfloat16", "torch adam 0.05 bfloat16"),
    "lbfgs-bfloat16": ("torch lbfgs bfloat16",),
}


class TimeUpError(Exception):
    """The contestant's seconds are over."""


class Recorder:
    """Called after each evaluation with its result; keeps the best picture at every tick of the clock.

    Pictures are float32 `[height, width, 3]` in [-1, 1]; `started` is in seconds since the epoch.
    """

    def __init__(self, started: float, seconds: float, picture: np.ndarray):
        self.started = started
        self.ticks = ticks(seconds)
        self.loss, self.picture = math.inf, picture
        self.first = math.nan
        self.evaluations = 0
        self.kept: list[np.ndarray] = []

    def tick(self) -> None:
        """What is evaluated only now was not there at the ticks before. Raises `TimeUpError` after the last."""
        now = time.time() - self.started
        due = sum(tick < now for tick in self.ticks)
        self.kept += [self.picture] * (due - len(self.kept))
        if due == len(self.ticks):
            raise TimeUpError

    def __call__(self, loss: float, picture: np.ndarray) -> None:
        self.tick()
        self.first = loss if self.evaluations == 0 else self.first
        self.evaluations += 1
        if loss < self.loss:
            self.loss, self.picture = loss, np.array(picture)

    def save(self, path: Path, precision: str) -> None:
        """Each picture once, and which of them each tick has; who stopped early keeps what it has."""
        kept = self.kept + [self.picture] * (len(self.ticks) - len(self.kept))
        distinct = {id(picture): picture for picture in kept}
        which = [list(distinct).index(id(picture)) for picture in kept]
        np.savez(
            path, pictures=np.stack(list(distinct.values())), which=which, first=self.first,
            evaluations=self.evaluations, precision=precision,
        )  # fmt: skip


def ticks(seconds: float) -> list[float]:
    return [TICK * i for i in range(1, int(seconds / TICK) + 1)]


def marks(seconds: float) -> list[float]:
    """The last tick, and the marks before it."""
    last = ticks(seconds)[-1]
    return [*(mark for mark in MARKS if mark < last), last]


def run_gesso(options: argparse.Namespace, content: np.ndarray, style: np.ndarray, record: Recorder) -> str:
    """Optimises until `TimeUpError` or until there is nothing more to gain; returns the precision."""
    from core import hardware

    hardware.load_tensorflow()
    import keras

    from models.perceptual import Perceptual
    from stylization.objective import Style
    from stylization.optimization import optimize, schedule
    from stylization.resizing import resize_lanczos

    precision = hardware.best_precision()
    keras.config.set_dtype_policy(precision)
    objective, styles, init = Perceptual(weights=options.weights), [Style(style)], "content"
    side = max(content.shape[:2])
    try:
        if options.contestant != "gesso":
            # As optimize itself would go from level to level, but that here the last has no end.
            half, _ = schedule(content.shape[:2], side // 2, options.coarse)[0]
            init = optimize(
                resize_lanczos(content, half), styles, objective, coarsest=max(half), steps=options.coarse,
                report=lambda terms, picture: record.tick(),
            )  # fmt: skip
        optimize(
            content, styles, objective, coarsest=side, steps=10**6, init=init,
            report=lambda terms, picture: record(sum(terms.values()), picture),
        )  # fmt: skip
    except TimeUpError:
        pass
    return precision


def run_torch(options: argparse.Namespace, content: np.ndarray, style: np.ndarray, record: Recorder) -> str:
    """Optimises until `TimeUpError`; returns the precision."""
    import torch

    method, *rest = options.contestant.split()[1:]
    bfloat16 = "bfloat16" in rest
    encode = torch_encoder(options.weights)

    def features(picture: torch.Tensor) -> dict[str, torch.Tensor]:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            found = encode(picture * 255, (CONTENT, *STYLE))
        return {name: x.float() for name, x in found.items()}

    start, painting = (torch.from_numpy((x + 1) / 2).permute(2, 0, 1)[None].contiguous() for x in (content, style))
    with torch.no_grad():
        target, painted = features(start)[CONTENT], features(painting)
        grams = {name: torch_gram(painted[name]) for name in STYLE}
    picture = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([picture]) if method == "lbfgs" else torch.optim.Adam([picture], float(rest[0]))

    def closure() -> torch.Tensor:
        with torch.no_grad():
            picture.clamp_(0, 1)
        optimizer.zero_grad()
        found = features(picture)
        loss = (found[CONTENT] - target).square().mean() + STYLE_WEIGHT * torch_style_loss(found, grams)
        loss.backward()
        record(loss.item(), picture.detach()[0].permute(1, 2, 0).numpy() * 2 - 1)
        return loss

    try:
        while True:
            optimizer.step(closure)
    except TimeUpError:
        pass
    return "bfloat16" if bfloat16 else "float32"


def torch_encoder(weights: Path, channels_last: bool = False):
    """Keras's VGG16 in PyTorch: a function of RGB images `[batch, 3, height, width]` in 0..255 and names of layers
    to the activations of these, after the ReLU; it goes no deeper than it must, and at most to block5_conv1."""
    import h5py
    import torch
    from torch import nn

    known: dict[str, list[np.ndarray]] = {}

    def look(path: str, node: h5py.Group | h5py.Dataset) -> None:
        # Keras 3 writes the layer's name as an attribute, Keras 2 as the group's own name.
        name = str(node.attrs.get("name", path.rsplit("/", 1)[-1]))
        if isinstance(node, h5py.Group) and re.fullmatch(r"block\d_conv\d", name):
            arrays = [np.array(child) for child in node.values() if isinstance(child, h5py.Dataset)]
            if arrays:
                known[name] = sorted(arrays, key=np.ndim, reverse=True)

    with h5py.File(weights) as file:
        file.visititems(look)
    network = nn.Sequential()
    for block, count in enumerate((2, 2, 3, 3, 1), 1):
        if block > 1:
            network.add_module(f"block{block}_pool", nn.MaxPool2d(2))
        for i in range(1, count + 1):
            kernel, bias = known[f"block{block}_conv{i}"]
            conv = nn.Conv2d(*kernel.shape[2:], 3, padding=1)
            conv.weight.data.copy_(torch.from_numpy(kernel).permute(3, 2, 0, 1))
            conv.bias.data.copy_(torch.from_numpy(bias))
            network.add_module(f"block{block}_linear{i}", conv)
            network.add_module(f"block{block}_conv{i}", nn.ReLU(inplace=True))
    network.requires_grad_(False)
    if channels_last:
        network.to(memory_format=torch.channels_last)
    mean = torch.tensor(MEAN_BGR)[:, None, None]

    def encode(images: torch.Tensor, names: tuple[str, ...]) -> dict[str, torch.Tensor]:
        x, found = images.flip(1) - mean, {}
        for name, layer in network.named_children():
            x = layer(x)
            if name in names:
                found[name] = x
                if len(found) == len(names):
                    break
        return found

    return encode


def torch_gram(features):
    """Float32 `[batch, channels, channels]`, a mean over places."""
    flat = features.float().flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def torch_style_loss(features, grams):
    """Sum over the layers of the mean of `(G - A)^2 / channels^2`."""
    return sum(((torch_gram(features[n]) - grams[n]) / grams[n].shape[-1]).square().mean() for n in STYLE)


def judge(options: argparse.Namespace, content: np.ndarray, style: np.ndarray) -> dict:
    """The objective of the pictures that all contestants in the folder had at the marks."""
    from core import hardware

    hardware.load_tensorflow()
    import keras
    import tensorflow as tf

    from models.perceptual import Perceptual

    keras.config.set_dtype_policy("float32")
    objective = Perceptual(weights=options.weights)
    targets = objective.content(objective.encoder(content[None]))
    grams = objective.style(objective.encoder(style[None]))

    @tf.function
    def evaluate(picture: tf.Tensor) -> tf.Tensor:
        features = objective.encoder(picture[None])
        return objective.content_loss(features, targets) + objective.style_loss(objective.style(features), grams)

    def value(picture: np.ndarray) -> float:
        return float(evaluate(tf.constant(np.clip(picture, -1, 1))))

    at, found, trails = marks(options.seconds), {}, {}
    for path in sorted(options.folder.glob("*.npz"), key=lambda path: path.stem):
        with np.load(path) as file:
            record = {name: file[name] for name in file.files}

        @functools.cache
        def known(i: int, pictures: np.ndarray = record["pictures"]) -> float:
            return value(pictures[i])

        trail = dict(zip(ticks(options.seconds), record["which"].tolist(), strict=True))
        trails[path.stem] = (trail, known)
        found[path.stem] = {
            "precision": str(record["precision"]),
            "evaluations": int(record["evaluations"]),
            "first": float(record["first"]) if record["evaluations"] else None,
            "objective": {f"{mark:g}": known(trail[mark]) for mark in at},
        }
    last = f"{at[-1]:g}"
    rivals = {name: row["objective"][last] for name, row in found.items() if name.startswith("torch")}
    result = {"untouched": value(content), "contestants": found}
    if rivals:
        result["best_rival"] = best = min(rivals, key=rivals.get)
        for name, (trail, known) in trails.items():
            if name.startswith("gesso"):
                # The first tick at which Gesso is as far as the rival at its end; None if it never is.
                reached = (tick for tick, i in trail.items() if known(i) <= rivals[best])
                found[name]["reached"] = next(reached, None)
    return result


def work(options: argparse.Namespace) -> None:
    content, style = (np.load(options.folder / f"{name}.npy") for name in ("content", "style"))
    if options.contestant == "judge":
        (options.folder / "judged.json").write_text(json.dumps(judge(options, content, style)))
        return
    record = Recorder(options.started, options.seconds, content)
    run = run_gesso if options.contestant.startswith("gesso") else run_torch
    precision = run(options, content, style, record)
    record.save(options.folder / f"{options.contestant}.npz", precision)


def read(path: Path, size: int) -> np.ndarray:
    """Float32 `[height, width, 3]` in [-1, 1] with its longer side of `size` px."""
    with Image.open(path) as image:
        image = image.convert("RGB")
    width, height = (max(1, round(side * size / max(image.size))) for side in image.size)
    image = image.resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(image, np.float32) / np.float32(127.5) - np.float32(1)


def compete(options: argparse.Namespace, size: int) -> dict:
    """One contestant after the other at one size, and then the judge."""
    contestants = ["gesso", *(["gesso coarse"] if options.coarse else [])]
    contestants += [name for rival in options.rivals for name in RIVALS[rival]]
    with tempfile.TemporaryDirectory() as folder:
        for name, path in (("content", options.content), ("style", options.style)):
            np.save(Path(folder) / f"{name}.npy", read(path, size))
        for name in [*contestants, "judge"]:
            command = [sys.executable, __file__, *sys.argv[1:], "--contestant", name, "--folder", folder]
            done = subprocess.run([*command, "--started", repr(time.time())], stderr=subprocess.PIPE, text=True)
            if done.returncode:
                message = f"{name}: failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}"
                if not name.startswith("torch"):
                    sys.exit(message)
                print(message, file=sys.stderr)
        return json.loads((Path(folder) / "judged.json").read_text())


def show(options: argparse.Namespace, size: int, result: dict) -> None:
    rows, untouched = result["contestants"], result["untouched"]
    columns = list(next(iter(rows.values()))["objective"])
    print(f"{options.content.name} in the manner of {options.style.name}, {size} px: objective in thousands")
    print(f"  untouched, by the judge: {untouched / 1000:,.2f}")
    heads = "".join(f"{mark + ' s':>9}" for mark in columns)
    print(f"  {'':26} {'precision':>15} {'evaluations':>12} {'its first':>10} {heads}")
    for name, row in rows.items():
        values = "".join(f"{value / 1000:9,.0f}" for value in row["objective"].values())
        first = f"{row['first'] / 1000:,.2f}" if row["evaluations"] else "-"
        print(f"  {name:26} {row['precision']:>15} {row['evaluations']:12} {first:>10} {values}")
    for name, row in rows.items():
        if "reached" in row:
            seconds, rival = row["reached"], f"what {result['best_rival']} has at {columns[-1]} s"
            if seconds is None:
                print(f"  {name} does not reach {rival}")
            else:
                print(f"  {name} has by {seconds:g} s {rival}: {float(columns[-1]) / seconds:.2f} times as fast")
    print(flush=True)


def unequal(result: dict) -> list[str]:
    """Contestants that gave the untouched content another value than the judge."""
    names = []
    for name, row in result["contestants"].items():
        # Half precision gives two digits here; who came from a coarser level, or never began, has no such value.
        tolerance = 1e-4 if row["precision"] == "float32" else 3e-2
        compares = name != "gesso coarse" and row["evaluations"]
        if compares and not math.isclose(row["first"], result["untouched"], rel_tol=tolerance):
            names.append(name)
    return names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("content", type=Path)
    parser.add_argument("style", type=Path)
    parser.add_argument("--weights", type=Path, required=True, help="of Keras's VGG16 without top")
    parser.add_argument("--size", type=int, nargs="+", default=[256], help="longer side in px (default: 256)")
    parser.add_argument("--seconds", type=float, default=60, help="for each contestant (default: 60)")
    parser.add_argument(
        "--rivals", nargs="*", choices=RIVALS, default=["adam", "lbfgs"], help="default: adam lbfgs"
    )
    parser.add_argument(
        "--coarse", type=int, metavar="N", help="Gesso also with N evaluations at half the size first"
    )
    parser.add_argument("--output", type=Path, help="JSON file to write")
    parser.add_argument("--contestant", help="one alone, in this process; or judge")
    parser.add_argument("--folder", type=Path, help="of a contestant's pictures")
    parser.add_argument("--started", type=float, help="when, in seconds since the epoch")
    options = parser.parse_args()
    for path in (options.content, options.style, options.weights):
        if not path.is_file():
            sys.exit(f"There is no {path}.")
    if options.seconds < TICK:
        sys.exit(f"--seconds must be at least {TICK}.")
    if options.contestant:
        return work(options)

    results, wrong = {}, []
    for size in options.size:
        results[size] = compete(options, size)
        show(options, size, results[size])
        wrong += [f"{name} at {size} px" for name in unequal(results[size])]
        if options.output:
            with atomic(options.output) as path:
                path.write_text(json.dumps(results, indent=1) + "\n")
    if wrong:
        sys.exit(f"Not the same objective as the judge's: {', '.join(wrong)}.")


if __name__ == "__main__":
    main()
