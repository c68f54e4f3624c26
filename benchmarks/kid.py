"""KID and spacing of generators beside what real pictures, blurred ones and plain colours score.

    python benchmarks/kid.py --generator <file.keras> ... --dataset wikiart --root <folder> --weights <VGG16 file>
        [--image-size 64] [--num 2000] [--limit N] [--repeated] [--output kid.json]

Reals are split in two halves of `--num` (or half of the data set): all is compared with the first. The second half
is the floor, what a perfect generator would score; the rows below it show what the numbers mean:

- the second half through a Gaussian blur with a sigma of 3 px, and each picture as its mean colour
- with --repeated: 100 pictures of the second half over and over. KID hardly sees it, spacing does

Features are VGG16's on a scale fitted to the first half (`metrics.features.scaled_to`). KID is x 1000, with its
standard error. Generators that want a class are asked for classes as often as the first half has them. Features of
reals are kept in the cache of the data sets.
"""

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from PIL import Image, ImageFilter

from data.cache import cached
from training.errors import GessoError
from training.files import atomic
from training.pictures import to_float

VERSION = 1  # of the features in the cache
BLUR = 3.0  # px
FEW = 100


def blurred(images: np.ndarray) -> np.ndarray:
    """uint8 `[n, height, width, 3]` through a Gaussian blur."""
    return np.stack([Image.fromarray(image).filter(ImageFilter.GaussianBlur(BLUR)) for image in images])


def mean_colours(images: np.ndarray) -> np.ndarray:
    """uint8 `[n, height, width, 3]`, each picture all of its mean colour."""
    means = np.rint(images.mean(axis=(1, 2), keepdims=True)).astype(np.uint8)
    return np.broadcast_to(means, images.shape)


def load_reals(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Two halves uint8 `[num, height, width, 3]`, and the labels of the first if there are any."""
    from data import image_folder, wikiart

    load = {"wikiart": wikiart.load, "image_folder": image_folder.load}[options.dataset]
    dataset = load(options.root, options.image_size, options.cache_dir, limit=options.limit)
    num = min(options.num, len(dataset) // 2)
    if num < 2 * FEW:
        raise GessoError(f"{options.root} has {len(dataset)} pictures; two halves need {4 * FEW} or more.")
    chosen = np.random.default_rng(options.seed).permutation(len(dataset))[: 2 * num]
    first, second = chosen[:num], chosen[num:]
    return dataset.images[first], dataset.images[second], None if dataset.labels is None else dataset.labels[first]


def real_features(model, images: np.ndarray, options: argparse.Namespace, name: str) -> np.ndarray:
    """Features of uint8 images, from the cache if the same pictures have been there with the same weights."""
    from metrics import features

    weights = None if options.weights is None else options.weights.stat()
    key = {
        "version": VERSION, "weights": weights and [weights.st_size, weights.st_mtime_ns],
        "shape": images.shape, "pixels": hashlib.sha256(np.ascontiguousarray(images).data).hexdigest(),
    }  # fmt: skip

    def build(folder: Path) -> None:
        np.save(folder / "features.npy", features.features(model, to_float(images), name=name), allow_pickle=False)

    return np.load(cached("features", key, build, options.cache_dir) / "features.npy", allow_pickle=False)


def generated(path: Path, labels: np.ndarray | None, options: argparse.Namespace, num: int) -> np.ndarray:
    """`num` pictures of the generator in `path`, float32 in [-1, 1]."""
    from models import latent, saved

    generator = saved.load(path)
    size = options.image_size
    if generator.output_shape[1:3] != (size, size):  # features of other sizes would not compare
        raise GessoError(f"{path} makes pictures {generator.output_shape[1:]}; --image-size is {size}.")
    latents = latent.sample(options.seed, num, saved.latent_dim(generator))
    if not saved.is_conditional(generator):
        return saved.draw(generator, latents)
    if labels is None:
        raise GessoError(f"{path} makes pictures of classes, and {options.root} has none to ask it for.")
    return saved.draw(generator, latents, labels)


def measure(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """KID, its error and spacing, by the name of the row."""
    from metrics import features, kid, spacing
    from training import hardware

    first, second, labels = load_reals(options)
    num = len(first)
    hardware.import_quietly()
    model = features.vgg16(options.weights)
    reals, others = (real_features(model, x, options, "reals") for x in (first, second))
    sets = {
        "reals, other half": others,
        f"reals, blurred by {BLUR:g} px": real_features(model, blurred(second), options, "blurred"),
        "reals, mean colours": real_features(model, mean_colours(second), options, "mean colours"),
    }
    if options.repeated:
        sets[f"{FEW} reals, repeated"] = others[np.arange(num) % FEW]
    for path in options.generator:
        images = generated(path, labels, options, num)
        sets[str(path)] = features.features(model, images, name=path.name)
    scale = features.scaled_to(reals)
    reals = scale(reals)
    results = {}
    for name, found in sets.items():
        found = scale(found)
        value, error = kid.kid_with_error(found, reals, options.subset_size)
        results[name] = {"kid": value, "kid_error": error, "spacing": spacing.spacing(found, reals), "num": num}
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generator", nargs="*", type=Path, default=[], help=".keras files")
    parser.add_argument("--dataset", choices=("wikiart", "image_folder"), default="image_folder")
    parser.add_argument("--root", required=True, help="folder of the pictures")
    parser.add_argument("--image-size", type=int, default=64, help="default: 64")
    parser.add_argument("--num", type=int, default=2000, help="pictures of each set (default: 2000)")
    parser.add_argument("--limit", type=int, help="at most this many pictures of the data set, evenly spread")
    parser.add_argument("--seed", type=int, default=0, help="of the halves and the latents (default: 0)")
    parser.add_argument("--subset-size", type=int, default=1000, help="for the error of KID (default: 1000)")
    parser.add_argument("--weights", type=Path, help="VGG16 without top; without it Keras downloads them")
    parser.add_argument("--repeated", action="store_true", help=f"a row of {FEW} reals, over and over")
    parser.add_argument("--output", type=Path, help="JSON file to write")
    parser.add_argument("--cache-dir", default=os.environ.get("GESSO_CACHE", "~/.cache/gesso"))
    options = parser.parse_args()
    for path in [*options.generator, *filter(None, [options.weights])]:
        if not path.is_file():
            sys.exit(f"There is no {path}.")
    try:
        results = measure(options)
    except GessoError as error:
        sys.exit(str(error))
    num = next(iter(results.values()))["num"]
    width = max(map(len, results))
    print(f"{options.root}, {options.image_size} px: {num} pictures against {num} reals")
    print(f"  {'':{width}} {'KID x 1000':>12} {'error':>8} {'spacing':>8}")
    for name, row in results.items():
        print(f"  {name:{width}} {1000 * row['kid']:12.1f} {1000 * row['kid_error']:8.1f} {row['spacing']:8.2f}")
    if options.output:
        with atomic(options.output) as path:
            path.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
