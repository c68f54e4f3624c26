"""Pictures beside what they should have been: of a translator on a data set of pairs, or in two folders."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from omegaconf import DictConfig
from PIL import Image, ImageFilter
from tqdm import tqdm

from data import picture
from models import saved
from training.errors import GessoError
from training.instantiate import build
from training.pictures import to_uint8

Pair = tuple[np.ndarray, np.ndarray]  # uint8 [height, width, channels]: the picture, the truth
Metrics = Mapping[str, Mapping[str, Any]]  # as conf/metrics/ has them, each `function` built
BLUR = 3.0  # px
BLURRED, MEAN_COLOUR = f"reals, blurred by {BLUR:g} px", "reals, mean colour"


def measured(pairs: Iterable[Pair], metrics: Metrics) -> tuple[dict[str, float], int]:
    """Means over pairs of the numbers of `metrics`, and how many pairs there were.

    One pair is held at a time, so that sizes may differ between pairs. Raises `GessoError` for a metric that does
    not take a pair, such as pictures that are too small for it.
    """
    sums, n = dict.fromkeys((metric["names"][0] for metric in metrics.values()), 0.0), 0
    for image, truth in pairs:
        for name, metric in metrics.items():
            try:
                sums[metric["names"][0]] += float(metric["function"](image[None], truth[None])[0])
            except ValueError as error:
                raise GessoError(f"metrics={name}: {error}") from error
        n += 1
    return {name: total / n for name, total in sums.items()}, n


def of_translator(network, sources: np.ndarray, targets: np.ndarray, batch_size: int) -> Iterator[Pair]:
    """What a translator makes of `sources`, beside `targets`: both float32 in [-1, 1], `[n, ...]`."""
    run = tf.function(lambda x: network(x, training=False), reduce_retracing=True, autograph=False)
    for i in tqdm(range(0, len(sources), batch_size), desc="translating", unit="batch", disable=None):
        images = to_uint8(run(tf.constant(sources[i : i + batch_size])).numpy())
        yield from zip(images, to_uint8(targets[i : i + batch_size]), strict=True)


def baselines(task: str | None, sources: np.ndarray, targets: np.ndarray) -> dict[str, Iterator[Pair]]:
    """What needs no training, by name: what a translator is to beat."""
    truths = to_uint8(targets)
    simple = {
        BLURRED: zip(map(blurred, truths), truths, strict=True),
        MEAN_COLOUR: zip(map(mean_colour, truths), truths, strict=True),
    }
    if sources.shape[1:] == targets.shape[1:]:
        simple["sources, untouched"] = zip(to_uint8(sources), truths, strict=True)
    if task == "colorize":
        grey = np.repeat(to_uint8(sources), 3, axis=-1)
        simple["sources, left grey"] = zip(grey, truths, strict=True)
    if task == "inpaint":
        simple["holes, mean colour"] = zip(
            map(filled, to_uint8(sources[..., :3]), sources[..., 3]), truths, strict=True
        )
    if task == "super_resolution":
        enlarged = (resized(small, truth.shape) for small, truth in zip(to_uint8(sources), truths, strict=True))
        simple = {"sources, bicubic": zip(enlarged, truths, strict=True)}
    return simple


def of_folders(images: Path, truths: Path) -> list[tuple[Path, Path]]:
    """Files of the same name but for the suffix, in two folders. Raises `GessoError` if there are none."""
    partners = {path.stem: path for path in picture.find(truths)}
    pairs = [(path, partners[path.stem]) for path in picture.find(images) if path.stem in partners]
    if not pairs:
        raise GessoError(f"No picture in {images} has the name of one in {truths}.")
    return pairs


def read(files: Iterable[tuple[Path, Path]]) -> Iterator[Pair]:
    """The pictures of pairs of files, at their own size. Raises `GessoError` if the two differ in size."""
    for one, other in files:
        image, truth = picture.read(one).pixels, picture.read(other).pixels
        if image.shape != truth.shape:
            sizes = " and ".join(f"{x.shape[1]}x{x.shape[0]}" for x in (image, truth))
            raise GessoError(f"{one} and {other} differ in size: {sizes} px.")
        yield image, truth


def blurred(image: np.ndarray) -> np.ndarray:
    """Through a Gaussian of `BLUR` px."""
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(BLUR))).reshape(image.shape)


def mean_colour(image: np.ndarray) -> np.ndarray:
    """All of its mean colour."""
    return np.broadcast_to(np.rint(image.mean(axis=(0, 1), keepdims=True)).astype(np.uint8), image.shape)


def filled(image: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """With the mean colour of what is seen where `holes` are 1."""
    image, seen = image.copy(), holes < 0.5
    image[~seen] = np.rint(image[seen].mean(axis=0)) if seen.any() else 128
    return image


def resized(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Bicubic, to the height and width of `shape`."""
    return np.asarray(Image.fromarray(image).resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def translations(config: DictConfig, path: Path, metrics: Metrics) -> tuple[dict, dict]:
    """A translator beside the truth, on a data set of pairs. Raises `GessoError` for data sets without."""
    network = saved.load_translator(path)
    dataset = build(config.dataset)
    if not hasattr(dataset, "source_shape"):
        raise GessoError(
            f"{dataset.name} has no pairs, so nothing says what {path} should have made. Stylize a folder, and "
            "compare it with pictures of its aim: images=<folder> dataset=image_folder dataset.root=<folder>."
        )
    examples = dataset.examples(min(config.num, len(dataset)), config.seed)
    sources, targets = examples["source"], examples["target"]
    rows = {str(path): of_translator(network, sources, targets, config.batch_size)}
    if config.baselines:
        rows |= baselines(getattr(dataset, "task", None), sources, targets)
    values = {name: measured(found, metrics)[0] for name, found in rows.items()}
    return values, {"reference": dataset.name, "num": len(sources), "seed": config.seed, "size": config.image_size}


def folders(config: DictConfig, metrics: Metrics) -> tuple[dict, dict]:
    """Two folders, picture by picture, at their own sizes."""
    files = of_folders(Path(config.images), Path(config.truth))[: config.num]
    values, n = measured(read(files), metrics)
    return {str(config.images): values}, {"truth": str(config.truth), "num": n, "resizer": "none"}
