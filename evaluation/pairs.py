"""Pictures beside what they should have been: of a translator on a data set of pairs, or in two folders."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from omegaconf import DictConfig, OmegaConf
from PIL import Image, ImageFilter
from scipy.ndimage import distance_transform_edt, gaussian_filter
from tqdm import tqdm

from data import picture
from models import saved
from models.color import with_luminance
from training.errors import GessoError
from training.instantiate import build
from training.pictures import to_uint8

log = logging.getLogger(__name__)

Pair = tuple[np.ndarray, np.ndarray]  # uint8 [height, width, channels]: the picture, the truth
Metrics = Mapping[str, Mapping[str, Any]]  # as conf/metrics/ has them, each `function` built
BLUR = 3.0  # px
SMOOTHINGS = 50  # by 2 px each: as far as 14 px together
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


def of_translator(
    network, task: str | None, sources: np.ndarray, targets: np.ndarray, batch_size: int
) -> Iterator[Pair]:
    """What `stylize.py` makes of `sources`, beside `targets`: both float32 in [-1, 1], `[n, ...]`."""
    run = tf.function(lambda x: network(x, training=False), reduce_retracing=True, autograph=False)
    for i in tqdm(range(0, len(sources), batch_size), desc="translating", unit="batch", disable=None):
        images = run(tf.constant(sources[i : i + batch_size])).numpy()
        if task == "colorize":  # light and dark are known
            images = with_luminance(images, np.repeat(sources[i : i + batch_size], 3, axis=-1))
        yield from zip(to_uint8(images), to_uint8(targets[i : i + batch_size]), strict=True)


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
        grey = np.repeat(sources, 3, axis=-1)
        tint = np.broadcast_to(targets.mean(axis=(0, 1, 2)), grey.shape)
        simple["sources, left grey"] = zip(to_uint8(grey), truths, strict=True)
        simple["sources, in the mean tint"] = zip(to_uint8(with_luminance(tint, grey)), truths, strict=True)
    if task == "inpaint":
        simple["holes, smoothly filled"] = zip(
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
    """Smooth where `holes` are 1: there the colour of the nearest pixel seen, blurred with what is around."""
    seen = (holes < 0.5)[..., None]
    if not seen.any():
        return np.full_like(image, 128)
    _, (down, right) = distance_transform_edt(~seen[..., 0], return_indices=True)
    smooth = image[down, right].astype(np.float32)
    for _ in range(SMOOTHINGS):
        smooth = np.where(seen, image, gaussian_filter(smooth, (2, 2, 0)))
    return np.rint(smooth).astype(np.uint8)


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
    task = getattr(dataset, "task", None)
    rows = {str(path): of_translator(network, task, sources, targets, config.batch_size)}
    if config.baselines:
        rows |= baselines(task, sources, targets)
    values = {name: measured(found, metrics)[0] for name, found in rows.items()}
    held_out = _held_out(config)
    if not held_out:
        log.warning("It learned from these pictures. dataset.root= (or dataset.split=) names others.")
    return values, {
        "reference": dataset.name, "held_out": held_out, "num": len(sources), "seed": config.seed,
        "size": config.image_size,
    }  # fmt: skip


def _held_out(config: DictConfig) -> bool:
    """Whether the data set is another one than `config.run` was trained on."""
    trained = OmegaConf.load(Path(config.run) / ".hydra" / "config.yaml").dataset
    return any(config.dataset.get(key) != trained.get(key) for key in ("root", "source", "target", "split"))


def folders(config: DictConfig, metrics: Metrics) -> tuple[dict, dict]:
    """Two folders, picture by picture, at their own sizes."""
    files = of_folders(Path(config.images), Path(config.truth))[: config.num]
    values, n = measured(read(files), metrics)
    return {str(config.images): values}, {"truth": str(config.truth), "num": n, "resizer": "none"}
