"""`method=translate`: a network that turns one kind of picture into another, or mends it."""

import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from omegaconf import DictConfig

from core import color
from core.errors import GessoError
from core.network_metadata import Geometry, Metadata
from data.picture import pad_to_min
from models import trained
from stylization import options
from stylization.method import Method, Paint

if TYPE_CHECKING:
    import keras

log = logging.getLogger(__name__)

TOUCHED = 0.03  # of white, in a mask: more than the noise of a JPEG


def check(config: DictConfig, metadata: Metadata) -> None:
    """Raises `GessoError` for a mask that is missing, or of no use."""
    if metadata.task == "inpaint" and config.mask is None:
        raise GessoError("This network fills holes: mask=<picture, white where the holes are>.")
    if metadata.task != "inpaint" and config.mask is not None:
        raise GessoError("mask= is for networks that fill holes; this one does not.")
    options.check_drawn(config, "mask")


def build(config: DictConfig, network: Path) -> Paint:
    """Loads the network and the mask, and makes what paints with them."""
    loaded, metadata = trained.load(network, "translator")
    hole = None if config.mask is None else options.read_masks([config.mask], "mask")[0]
    if hole is not None and hole.max() <= TOUCHED:
        log.warning("Nothing in mask= is white, so nothing is filled: white is where the holes are.")
    return painter(loaded, metadata.geometry, metadata.task, metadata.image_size, hole, config.tile)


def painter(
    network: "keras.Model",
    geometry: Geometry,
    task: str | None,
    size: int | None,
    hole: np.ndarray | None,
    tile: int | None,
) -> Paint:
    """Paints with a translator.

    `task` is what its sources were made by: None where pictures are sources as they are, else colorize, inpaint,
    edges or super_resolution (`data.tasks`). Inpainting fills `hole`, float32 `[height, width]` in 0..1, wherever a
    pixel has some of it, and leaves the rest as it is; a hole of another shape than the picture raises
    `GessoError`. Super-resolution makes
    the picture larger. Colours are guessed at `size`, px of the shorter side, the pictures' that the network
    learned from, and laid over the picture's own light and dark.
    """
    import tensorflow as tf

    from data import transforms
    from stylization.feedforward import Feedforward
    from stylization.resizing import resize_lanczos, resize_map

    run = Feedforward(network, geometry, tile)

    def paint(image: np.ndarray, before: np.ndarray | None) -> np.ndarray:
        source = tf.constant(image[None])
        if task == "inpaint":
            options.check_shape("mask", hole.shape, image.shape[:2])
            mask = resize_map(hole, image.shape[:2])[..., None] > TOUCHED
            painted = run(transforms.inpaint(source, tf.constant(mask[None], tf.float32)).numpy()[0])
            return np.where(mask, painted, image)
        if task == "colorize":
            scale = min(1.0, (size or math.inf) / min(image.shape[:2]))
            small = resize_lanczos(image, tuple(round(scale * side) for side in image.shape[:2]))
            painted = run(transforms.colorize(tf.constant(small[None])).numpy()[0])
            return color.with_luminance(resize_lanczos(painted, image.shape[:2]), image)
        if task == "edges":
            padded = pad_to_min(image, 3)  # it looks at neighbours, mirrored at the edges
            source = transforms.edges(tf.constant(padded[None]))[:, : image.shape[0], : image.shape[1]]
        painted = run(source.numpy()[0])
        return np.clip(painted, -1, 1, out=painted if painted.flags.writeable else None)

    return paint


METHOD = Method(("mask",), check, build, trained_by="pix2pix")
