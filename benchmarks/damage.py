"""What the metrics say of damaged pictures: are they in the order of the damage, and do copies show?

    python benchmarks/damage.py <folder of pictures> --weights <VGG16 file> [--image-size 64] [--num 2000]

Half of the pictures are the reference; the other half is compared with it as it is, blurred, noisy, and compressed,
each in three strengths, and as one picture over and over (with a little noise, as a collapsed generator makes it).
Prints a table.
"""

import argparse
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from PIL import Image, ImageFilter

from core.config import metrics_named
from core.errors import GessoError
from core.images import to_float, to_uint8
from core.instantiate import build

METRICS = ("fid", "kid", "precision_recall", "density_coverage", "neighbor_distance_ratio")
Damage = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def blurred(sigma: float) -> Damage:
    """A Gaussian blur, in px."""
    return lambda image, rng: np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(sigma)))


def noisy(levels: float) -> Damage:
    """Gaussian noise, in levels of 255."""

    def damage(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.clip(np.rint(image + rng.normal(0, levels, image.shape)), 0, 255).astype(np.uint8)

    return damage


def compressed(quality: int) -> Damage:
    """JPEG, in Pillow's qualities."""

    def damage(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        return np.asarray(Image.open(file))

    return damage


DAMAGES: dict[str, Damage] = {
    **{f"blurred by {sigma:g} px": blurred(sigma) for sigma in (0.5, 1, 2)},
    **{f"noise of {levels} levels": noisy(levels) for levels in (5, 15, 45)},
    **{f"JPEG, quality {quality}": compressed(quality) for quality in (60, 25, 8)},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", help="folder of the pictures")
    parser.add_argument("--image-size", type=int, default=64, help="px (default: 64)")
    parser.add_argument("--num", type=int, default=2000, help="pictures of each set (default: 2000)")
    parser.add_argument("--weights", help="VGG16 without top; without it Keras downloads them")
    parser.add_argument("--cache-dir", default=os.environ.get("GESSO_CACHE", "~/.cache/gesso"))
    options = parser.parse_args()
    try:
        print(measure(options))
    except GessoError as error:
        sys.exit(str(error))


def measure(options: argparse.Namespace) -> str:
    """The table."""
    from core import hardware
    from data import image_folder

    hardware.load_tensorflow()
    from evaluation import report, sets
    from metrics import features

    metrics = build(metrics_named(METRICS))
    kinds = {metric["of"] for metric in metrics.values()}
    dataset = image_folder.load(options.root, options.image_size, options.cache_dir)
    num = min(options.num, len(dataset) // 2)
    order = np.random.default_rng(0).permutation(len(dataset))
    space = features.vgg16(options.weights)
    raw = sets.extract_features(dataset, order[:num], space, options.cache_dir, 64)
    scale = sets.choose_scale(space, raw)
    reference = sets.summarize_features(raw, None, kinds, scale)
    others = order[num : 2 * num]

    def batches(damage: Damage, name: str):
        rng = np.random.default_rng(1)
        for images, _ in sets.dataset_batches(dataset, others, 64, name):
            yield to_float(np.stack([damage(image, rng) for image in to_uint8(images)])), None

    first = dataset.images[others[:1]][0]
    damages = {"as they are": lambda image, rng: image, **DAMAGES}
    damages["one picture, repeated"] = lambda image, rng: noisy(1)(first, rng)
    rows = {}
    for name, damage in damages.items():
        rows[name] = sets.measure(
            sets.gather_statistics(batches(damage, name), kinds, space, scale), reference, metrics
        )
    return f"{num} pictures against {num} of {options.root}, {options.image_size} px\n{report.table(rows)}"


if __name__ == "__main__":
    main()
