"""Evaluation of pictures beside what they should have been: of a translator on pairs, or in two folders."""

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
from omegaconf import DictConfig
from tqdm import tqdm

from core.color import with_luminance
from core.errors import GessoError
from core.files import expanded
from core.images import to_uint8
from core.instantiate import build
from core.network_metadata import Metadata
from core.run import Run
from data import picture
from data.dataset import Dataset
from data.folder import PictureFile, several
from data.pair_files import match
from evaluation.baselines import Make, baselines
from evaluation.modes import Metrics, Rows, Settings
from models import trained

log = logging.getLogger(__name__)

Pair = tuple[np.ndarray, np.ndarray]  # uint8 [height, width, channels]: the picture, the truth
Batches = Callable[[str], Iterator[dict[str, np.ndarray]]]  # of sources and targets; takes a progress bar's name


class Means:
    """Means of the numbers of `metrics` over pairs, `n` of them so far.

    One pair is held at a time, so that sizes may differ between pairs.
    """

    def __init__(self, metrics: Metrics):
        self.metrics, self.n = metrics, 0
        self.found = {metric["names"][0]: [] for metric in metrics.values()}

    def add(self, pairs: Iterable[Pair]) -> "Means":
        """Takes in more. Raises `GessoError` for a metric that does not take a pair: pictures too small for it."""
        for image, truth in pairs:
            for name, metric in self.metrics.items():
                try:
                    self.found[metric["names"][0]].append(float(metric["function"](image[None], truth[None])[0]))
                except ValueError as error:
                    raise GessoError(f"metrics={name}: {error}") from error
            self.n += 1
        return self

    @property
    def values(self) -> dict[str, float]:
        """The means by the names of the numbers; a PSNR of equal pictures, which is infinite, counts if all are."""
        kept = {name: [one for one in found if not math.isinf(one)] for name, found in self.found.items()}
        return {name: float(np.mean(kept[name] or found)) for name, found in self.found.items()}


def translate_by(network, task: str | None) -> Make:
    """Returns what makes of sources the pictures that `stylize.py` makes of them."""
    run = tf.function(lambda x: network(x, training=False), reduce_retracing=True, autograph=False)

    def make(sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
        images = run(tf.constant(sources)).numpy()
        if task == "colorize":  # light and dark are known
            images = with_luminance(images, np.repeat(sources, 3, axis=-1))
        return to_uint8(images)

    return make


def match_folders(images: Path, truths: Path) -> list[tuple[Path, Path]]:
    """Pairs files of the same name, but for the suffix, in two folders. Raises `GessoError` if there are none."""
    named = ([PictureFile(path.name, 0, 0) for path in picture.find(folder)] for folder in (images, truths))
    pairs, alone, _ = match(*named)
    if not pairs:
        raise GessoError(f"No picture in {images} has the name of one in {truths}.")
    if alone:
        log.warning(
            "Left out %d pictures of %s without a partner in %s:%s",
            len(alone), images, truths, several([lonely.path for lonely in alone]),
        )  # fmt: skip
    return [(images / one.path, truths / other.path) for one, other in pairs]


def read_pairs(files: Iterable[tuple[Path, Path]]) -> Iterator[Pair]:
    """Reads the pictures of pairs of files, at their own size. Raises `GessoError` if the two differ in size."""
    for one, other in files:
        image, truth = picture.read(one).pixels, picture.read(other).pixels
        if image.shape != truth.shape:
            sizes = " and ".join(f"{x.shape[1]}x{x.shape[0]}" for x in (image, truth))
            raise GessoError(f"{one} and {other} differ in size: {sizes} px.")
        yield image, truth


def evaluate_translator(config: DictConfig, metrics: Metrics, path: Path) -> tuple[Rows, Settings]:
    """Measures what the translator in `path` makes of a data set of pairs, beside the truth.

    Returns rows of numbers by name, of it and of answers that need no training, and what they depend on. Raises
    `GessoError` for data sets without a truth, or of another kind of pairs.
    """
    network, metadata = trained.load(path, "translator")
    size = config.dataset.image_size or metadata.image_size
    if size is None:
        raise GessoError("image_size= says at which size the pictures are compared: that which it was trained at.")
    dataset = build(config.dataset, image_size=size)
    _check_pairs(dataset, network, metadata, path)
    num = min(config.num, len(dataset))

    def batches(name: str) -> Iterator[dict[str, np.ndarray]]:
        for i in tqdm(range(0, num, config.batch_size), desc=name, unit="batch", disable=None):
            yield dataset.examples(min(config.batch_size, num - i), config.seed, start=i)

    makes = {str(path): translate_by(network, dataset.spec.task)}
    if config.baselines:
        makes |= _baselines(dataset, batches)
    held_out = _held_out(config, path)
    if held_out is False:
        log.warning("It learned from these pictures. dataset.root= (or dataset.split=) names others.")
    settings = {
        "reference": dataset.spec.name, "data": dataset.fingerprint, "held_out": held_out,
        "num": num, "seed": config.seed, "size": size, "crop": config.dataset.get("crop"),
    }  # fmt: skip
    return _compare(makes, batches, metrics), settings


def _check_pairs(dataset: Dataset, network, metadata: Metadata, path: Path) -> None:
    spec = dataset.spec
    if spec.source_shape is None:
        raise GessoError(
            f"{spec.name} has no pairs, so nothing says what {path} should have made. Stylize a folder, and "
            "compare it with pictures of its aim: images=<folder> dataset=image_folder dataset.root=<folder>."
        )
    if spec.source_shape[-1] != network.input_shape[-1]:
        raise GessoError(
            f"{path} takes pictures of {network.input_shape[-1]} channels, and {spec.name} gives "
            f"{spec.source_shape[-1]}: it was trained on another kind of pairs."
        )
    stride = metadata.geometry.stride
    if any(side % stride for side in spec.source_shape[:2]):
        raise GessoError(
            f"image_size={spec.image_shape[0]}: {path} takes pictures whose sides are multiples of {stride} px."
        )


def _baselines(dataset: Dataset, batches: Batches) -> dict[str, Make]:
    spec, tint = dataset.spec, None
    if spec.task == "colorize":
        means = [(len(batch["target"]), batch["target"].mean(axis=(0, 1, 2))) for batch in batches("mean colour")]
        tint = np.average([mean for _, mean in means], axis=0, weights=[n for n, _ in means]).astype(np.float32)
    return baselines(spec.task, spec.source_shape == spec.image_shape, tint)


def _compare(makes: dict[str, Make], batches: Batches, metrics: Metrics) -> Rows:
    """Measures by name what each of `makes` gives, beside the targets."""
    means = {name: Means(metrics) for name in makes}
    for batch in batches("comparing"):
        truth = to_uint8(batch["target"])
        for name, make in makes.items():
            means[name].add(zip(make(batch["source"], batch["target"]), truth, strict=True))
    return {name: found.values for name, found in means.items()}


def _held_out(config: DictConfig, path: Path) -> bool | None:
    """Says whether the data set is another one than that of the network in `path`; None if nobody knows.

    A folder within the other's is none.
    """
    run = Run.of(path)
    if run is None:
        return None
    learned = run.load_config().dataset
    folders = [
        tuple(found and expanded(str(found)).resolve() for found in map(options.get, ("root", "source", "target")))
        for options in (config.dataset, learned)
    ]
    splits = config.dataset.get("split"), learned.get("split")
    if splits[0] != splits[1] and None not in splits:
        return True
    pairs = zip(*folders, strict=True)
    return not all(a == b or (a and b and (a.is_relative_to(b) or b.is_relative_to(a))) for a, b in pairs)


def evaluate_folders(config: DictConfig, metrics: Metrics) -> tuple[Rows, Settings]:
    """Measures the pictures of a folder beside those of another, one by one, at their own sizes."""
    files = match_folders(Path(config.images), Path(config.truth))[: config.num]
    found = Means(metrics).add(read_pairs(files))
    return {str(config.images): found.values}, {"truth": str(config.truth), "num": found.n, "resizer": "none"}
