"""Which of two kinds of pictures others look like: Monets or photos, say, and what CycleGAN made of the photos.

    python benchmarks/two_folders.py --a <Monets> --b <photos> --test-a <other Monets> --test-b <other photos>
        --judge <translations> [<more>] [--weights <VGG16 file>] [--image-size 128]

Logistic regression on VGG16's last convolution, averaged over the picture (`metrics.features.vgg16`), trained on
the two folders --a and --b, which weigh the same however many pictures they have. Prints the share that it takes
for --a: of pictures it has not seen, --test-a and --test-b, and of each folder to judge. All are cut to a square in
the middle, of --image-size.
"""

import argparse
import json
import logging
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from core.errors import GessoError
from core.files import atomic

BATCH = 16
PENALTY = 1e-2  # of the squared coefficients, of standardised features


def fit(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Coefficients `[dimensions + 1]`, the last one constant, that tell features `a` `[n, dimensions]` from `b`."""
    x = np.concatenate([a, b])
    x = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    sign = np.repeat([1.0, -1.0], [len(a), len(b)])
    share = np.repeat([0.5 / len(a), 0.5 / len(b)], [len(a), len(b)])

    def loss(coefficients: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (x @ coefficients)
        free = np.append(coefficients[:-1], 0)
        value = share @ np.logaddexp(0, -margin) + PENALTY / 2 * free @ free
        return value, -(share * sign * expit(-margin)) @ x + PENALTY * free

    return minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B").x


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, text in (("a", "one kind"), ("b", "the other"), ("test-a", "unseen ones"), ("test-b", "unseen ones")):
        parser.add_argument(f"--{name}", required=True, help=f"folder of pictures: {text}")
    parser.add_argument("--judge", nargs="+", default=[], help="folders of pictures")
    parser.add_argument("--weights", help="file of VGG16's weights; without it, Keras's download")
    parser.add_argument("--image-size", type=int, default=128, help="px (default: 128)")
    parser.add_argument("--output", type=Path, help="JSON file to write")
    parser.add_argument("--cache-dir", default=os.environ.get("GESSO_CACHE", "~/.cache/gesso"))
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        from core import hardware
        from data import image_folder

        names = (options.a, options.b, options.test_a, options.test_b, *options.judge)
        datasets = [image_folder.load(name, options.image_size, options.cache_dir) for name in names]
        hardware.load_tensorflow()
        from evaluation import sets
        from metrics.features import vgg16

        space = vgg16(options.weights)

        def features(dataset) -> np.ndarray:
            chosen = np.arange(len(dataset))
            found = sets.extract_features(dataset, chosen, space, options.cache_dir, BATCH)
            return np.asarray(found, np.float64)

        a, b, *others = (features(dataset) for dataset in datasets)
        mean, deviation = np.mean([a.mean(0), b.mean(0)], axis=0), np.sqrt((a.var(0) + b.var(0)) / 2) + 1e-6
        coefficients = fit((a - mean) / deviation, (b - mean) / deviation)
        shares = {}
        for name, found in zip(names[2:], others, strict=True):
            taken = (found - mean) / deviation @ coefficients[:-1] + coefficients[-1] > 0
            shares[name] = float(taken.mean())
            print(f"{name}: {taken.sum():,} of {len(taken):,} ({taken.mean():.1%}) look like {options.a}")
        if options.output:
            with atomic(options.output) as path:
                path.write_text(json.dumps({"a": options.a, "b": options.b, "shares": shares}, indent=1) + "\n")
    except GessoError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
