"""Evaluation of pictures beside what they should have been: of a translator on pairs, or in two folders."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from omegaconf import DictConfig
from PIL import Image, ImageFilter
from scipy.ndimage import distance_transform_edt, gaussian_filter
from tqdm import tqdm

from core.color import with_luminance
from core.errors import GessoError
from core.images import to_uint8
from core.instantiate import build
from core.run import Run
from data import picture
from data.image_folder import PictureFile, several
from data.pair_files import match
from models import trained

log = logging.getLogger(__name__)

Make = Callable[[np.ndarray, np.ndarray], np.ndarray]  # sources, targets, float32 in [-1, 1] -> pictures, uint8
Pair = tuple[np.ndarray, np.ndarray]  # uint8 [height, width, channels]: the picture, the truth
Metrics = Mapping[str, Mapping[str, Any]]  # as conf/metrics/ has them, each `function` built
BLUR = 3.0  # px
SMOOTHINGS = 50  # by 2 px each: as far as 14 px together
BLURRED, MEAN_COLOR = f"reals, blurred by {BLUR:g} px", "reals, mean colour"


class Means:
    """Means over pairs of the numbers of `metrics`; `n` of them so far.

    One pair is held at a time, so that sizes may differ between pairs.
    """

    def __init__(self, metrics: Metrics):
        self.metrics, self.n = metrics, 0
        self.sums = dict.fromkeys((metric["names"][0] for metric in metrics.values()), 0.0)

    def add(self, pairs: Iterable[Pair]) -> "Means":
        """Takes in more. Raises `GessoError` for a metric that does not take a pair: pictures too small for it."""
        for image, truth in pairs:
            for name, metric in self.metrics.items():
                try:
                    self.sums[metric["names"][0]] += float(metric["function"](image[None], truth[None])[0])
                except ValueError as error:
                    raise GessoError(f"metrics={name}: {error}") from error
            self.n += 1
        return self

    @property
    def values(self) -> dict[str, float]:
        return {name: total / self.n for name, total in self.sums.items()}


def translated(network, task: str | None) -> Make:
    """Translates sources as `stylize.py` does."""
    run = tf.function(lambda x: network(x, training=False), reduce_retracing=True, autograph=False)

    def make(sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
        images = run(tf.constant(sources)).numpy()
        if task == "colorize":  # light and dark are known
            images = with_luminance(images, np.repeat(sources, 3, axis=-1))
        return to_uint8(images)

    return make


def baselines(task: str | None, same_size: bool, tint: np.ndarray | None = None) -> dict[str, Make]:
    """Lists by name what needs no training, and what a translator is to beat.

    `same_size`: sources have the shape of targets; `tint`: the mean colour of all targets, float32 `[3]`.
    """
    if task == "super_resolution":
        return {
            "sources, bicubic": lambda sources, targets: _each(resize_bicubic, to_uint8(sources), targets.shape[1:])
        }
    simple = {
        BLURRED: lambda sources, targets: _each(blurred, to_uint8(targets)),
        MEAN_COLOR: lambda sources, targets: _each(mean_color, to_uint8(targets)),
    }
    if same_size:
        simple["sources, untouched"] = lambda sources, targets: to_uint8(sources)
    if task == "colorize":
        simple["sources, left grey"] = lambda sources, targets: to_uint8(np.repeat(sources, 3, axis=-1))
        simple["sources, in the mean tint"] = lambda sources, targets: to_uint8(
            with_luminance(np.broadcast_to(tint, targets.shape), np.repeat(sources, 3, axis=-1))
        )
    if task == "inpaint":
        simple["holes, smoothly filled"] = lambda sources, targets: np.stack(
            [filled(to_uint8(source[..., :3]), source[..., 3]) for source in sources]
        )
    return simple


def _each(change: Callable[..., np.ndarray], images: np.ndarray, *options) -> np.ndarray:
    return np.stack([change(image, *options) for image in images])


def of_folders(images: Path, truths: Path) -> list[tuple[Path, Path]]:
    """Finds files of one name but for the suffix in two folders. Raises `GessoError` if there are none."""
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


def blurred(image: np.ndarray) -> np.ndarray:
    """Blurs by a Gaussian of `BLUR` px."""
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(BLUR))).reshape(image.shape)


def mean_color(image: np.ndarray) -> np.ndarray:
    """Fills a picture with its mean colour."""
    return np.broadcast_to(np.rint(image.mean(axis=(0, 1), keepdims=True)).astype(np.uint8), image.shape)


def filled(image: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Fills places where `holes` are 1 with the colour of the nearest pixel seen, blurred with what is around."""
    seen = (holes < 0.5)[..., None]
    if not seen.any():
        return np.full_like(image, 128)
    _, (down, right) = distance_transform_edt(~seen[..., 0], return_indices=True)
    smooth = image[down, right].astype(np.float32)
    for _ in range(SMOOTHINGS):
        smooth = np.where(seen, image, gaussian_filter(smooth, (2, 2, 0)))
    return np.rint(smooth).astype(np.uint8)


def resize_bicubic(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Resizes bicubically to the height and width of `shape`."""
    return np.asarray(Image.fromarray(image).resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def translations(config: DictConfig, path: Path, metrics: Metrics) -> tuple[dict, dict]:
    """Measures a translator beside the truth, on a data set of pairs. Raises `GessoError` for data sets without."""
    network, _ = trained.load(path, "translator")
    dataset = build(config.dataset)
    spec = dataset.spec
    if spec.source_shape is None:
        raise GessoError(
            f"{spec.name} has no pairs, so nothing says what {path} should have made. Stylize a folder, and "
            "compare it with pictures of its aim: images=<folder> dataset=image_folder dataset.root=<folder>."
        )
    task, num = spec.task, min(config.num, len(dataset))
    if spec.source_shape[-1] != network.input_shape[-1]:
        raise GessoError(
            f"{path} takes pictures of {network.input_shape[-1]} channels, and {spec.name} gives "
            f"{spec.source_shape[-1]}: it was trained on another kind of pairs."
        )

    def batches(name: str) -> Iterator[dict[str, np.ndarray]]:
        for i in tqdm(range(0, num, config.batch_size), desc=name, unit="batch", disable=None):
            yield dataset.examples(min(config.batch_size, num - i), config.seed, start=i)

    makes = {str(path): translated(network, task)}
    if config.baselines:
        tint = None
        if task == "colorize":
            tint = sum(batch["target"].sum(axis=(0, 1, 2)) for batch in batches("mean colour"))
            tint = (tint / (num * np.prod(spec.image_shape[:2]))).astype(np.float32)
        makes |= baselines(task, spec.source_shape == spec.image_shape, tint)

    means = {name: Means(metrics) for name in makes}
    for batch in batches("comparing"):
        truth = to_uint8(batch["target"])
        for name, make in makes.items():
            means[name].add(zip(make(batch["source"], batch["target"]), truth, strict=True))
    held_out = _held_out(config, path)
    if held_out is False:
        log.warning("It learned from these pictures. dataset.root= (or dataset.split=) names others.")
    return {name: found.values for name, found in means.items()}, {
        "reference": spec.name, "held_out": held_out, "num": num, "seed": config.seed,
        "size": config.image_size,
    }  # fmt: skip


def _held_out(config: DictConfig, path: Path) -> bool | None:
    """Says whether the data set is another one than that of the network in `path`; None if nobody knows."""
    run = Run.of(path)
    if run is None:
        return None
    trained = run.load_config().dataset
    folders = [
        tuple(
            found and Path(found).expanduser().resolve() for found in map(options.get, ("root", "source", "target"))
        )
        for options in (config.dataset, trained)
    ]
    splits = config.dataset.get("split"), trained.get("split")
    return folders[0] != folders[1] or (splits[0] != splits[1] and None not in splits)


def folders(config: DictConfig, metrics: Metrics) -> tuple[dict, dict]:
    """Measures two folders, picture by picture, at their own sizes."""
    files = of_folders(Path(config.images), Path(config.truth))[: config.num]
    found = Means(metrics).add(read_pairs(files))
    return {str(config.images): found.values}, {"truth": str(config.truth), "num": found.n, "resizer": "none"}
