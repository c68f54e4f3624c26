"""Time and peak memory of an evaluation on VGG16's features, beside holding everything in one array.

    python benchmarks/evaluation.py <folder of pictures> --weights <VGG16 file> [--image-size 64] [--num 5000]

Two sets of `--num` pictures of the folder (from both ends of a random order, which may overlap) are measured by
FID, KID, precision and recall. "streamed" is what `evaluate.py` does; "one array" is the plain way: all pictures of
a set in one float32 array, through the network in one call of `predict`, distances as one matrix. Each runs in a
process of its own, one after the other; memory is the most that it ever held, beyond what it held at the start.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from core.config import metrics_named
from core.instantiate import build

METRICS = ("fid", "kid", "precision_recall")


def streamed(dataset, one: np.ndarray, other: np.ndarray, weights: str | None) -> dict[str, float]:
    """A batch at a time."""
    from evaluation import sets
    from metrics import features

    metrics = build(metrics_named(METRICS))
    kinds = {metric["of"] for metric in metrics.values()}
    space = features.vgg16(weights)
    seen = [sets.gather_statistics(sets.dataset_batches(dataset, part, 64), kinds, space) for part in (one, other)]
    return sets.measure(*seen, metrics)


def one_array(dataset, one: np.ndarray, other: np.ndarray, weights: str | None) -> dict[str, float]:
    """All at once, as one would write it first."""
    import keras

    from metrics.fid import frechet
    from models.networks import vgg

    encoder = vgg.encoder(["block5_conv3"], weights)
    pooled = keras.layers.GlobalAveragePooling2D()(encoder.output["block5_conv3"])
    network = keras.Model(encoder.input, pooled)
    a, b = (
        network.predict(dataset.images[part].astype(np.float32) / 127.5 - 1, batch_size=64, verbose=0)
        for part in (one, other)
    )
    a, b = a.astype(np.float64), b.astype(np.float64)
    values = {"fid": frechet(a.mean(axis=0), np.cov(a.T), b.mean(axis=0), np.cov(b.T))}
    n, d = a.shape
    kernels = [(x @ y.T / d + 1) ** 3 for x, y in ((a, a), (b, b), (a, b))]
    within = sum((k.sum() - np.trace(k)) / (n * (n - 1)) for k in kernels[:2])
    values["kid"] = within - 2 * kernels[2].mean()
    distances = {}
    for name, x, y in (("aa", a, a), ("bb", b, b), ("ab", a, b)):
        squares = (x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1) - 2 * x @ y.T
        distances[name] = np.sqrt(np.maximum(squares, 0))
    radii = {name: np.sort(distances[name], axis=1)[:, 3] for name in ("aa", "bb")}  # 0 is itself
    values["precision"] = float((distances["ab"] <= radii["bb"]).any(axis=1).mean())
    values["recall"] = float((distances["ab"] <= radii["aa"][:, None]).any(axis=0).mean())
    return values


WAYS = {"streamed": streamed, "one array": one_array}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", help="folder of the pictures")
    parser.add_argument("--image-size", type=int, default=64, help="px (default: 64)")
    parser.add_argument("--num", type=int, default=5000, help="pictures of each set (default: 5000)")
    parser.add_argument("--weights", help="VGG16 without top; without it Keras downloads them")
    parser.add_argument("--cache-dir", default=os.environ.get("GESSO_CACHE", "~/.cache/gesso"))
    parser.add_argument("--way", choices=WAYS, help="one alone, in this process")
    options = parser.parse_args()
    if options.way:
        print(json.dumps(run(options)))
        return
    for way in WAYS:
        done = subprocess.run([sys.executable, *sys.argv, "--way", way], capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        found = json.loads(done.stdout.splitlines()[-1])
        values = ", ".join(f"{name} {value:.5g}" for name, value in found["values"].items())
        print(f"{way:10} {found['seconds']:7.1f} s {found['megabytes']:8.0f} MB   {values}")


def run(options: argparse.Namespace) -> dict:
    """Seconds, megabytes and numbers of one way."""
    from core import hardware
    from data import image_folder

    hardware.load_tensorflow()
    dataset = image_folder.load(options.root, options.image_size, options.cache_dir)
    order = np.random.default_rng(0).permutation(len(dataset))
    num = min(options.num, len(dataset))
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    values = WAYS[options.way](dataset, order[:num], order[-num:], options.weights)
    seconds = time.perf_counter() - start
    megabytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    wanted = ("fid", "kid", "precision", "recall")
    return {"seconds": seconds, "megabytes": megabytes, "values": {name: values[name] for name in wanted}}


if __name__ == "__main__":
    main()
