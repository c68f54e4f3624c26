"""Evaluation of stylized films: how much they change where the film stands still, and on what moves in it."""

import itertools
import logging
from collections.abc import Iterator

import numpy as np
from omegaconf import DictConfig

from core.errors import GessoError
from data import film, motion
from data.decode import same_shape
from evaluation.baselines import resize_bicubic
from metrics.flicker import STILL, flicker
from metrics.warping_error import warping_error

log = logging.getLogger(__name__)


def evaluate(config: DictConfig) -> tuple[dict, dict]:
    """Measures flicker and warping error of a stylized film, and of the film itself, at the painted one's size.

    Returns rows of numbers by name, and what they depend on. Raises `GessoError` for two that are not one film.
    """
    content, painted = film.open(config.content), film.open(config.images)
    height, width = painted.height, painted.width
    if not same_shape((content.height, content.width), (height, width), rounding=2):  # px: painted sides are even
        sizes = f"{width}x{height} px, {config.content} {content.width}x{content.height}"
        raise GessoError(f"{config.images} is {sizes}: not the same film.")
    frames = (resize_bicubic(frame, (height, width)) for frame in content)
    try:
        found = flicker(frames, painted)
    except ValueError as error:
        raise GessoError(f"images={config.images}, content={config.content}: {error}") from error
    rows = {str(config.images): {"flicker": found.output, "still": found.share}}
    rows["content, untouched"] = {"flicker": found.input, "still": found.share}
    settings = {
        "content": str(config.content),
        "size": [width, height],
        "threshold": STILL,
        "unit": "levels of 255",
    }
    if not motion.fits(height, width):
        log.info("warping_error is left out: a film of %dx%d px is too small for optical flow.", width, height)
    elif motion.available():
        for row, film_itself in zip(rows.values(), (painted, content), strict=True):
            row["warping_error"] = warping_error(_moved(content, film_itself, (height, width)))
        settings["flow"] = "DIS, OpenCV"
    else:
        log.info("warping_error is left out: optical flow needs OpenCV, pip install opencv-python-headless.")
    return rows, settings


def _moved(
    content: film.Film, other: film.Film, size: tuple[int, int]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yields, from the second on, the frames of `other`, what the one before becomes by the content's motion, and
    where that is to be seen."""
    frames = ((resize_bicubic(a, size), resize_bicubic(b, size)) for a, b in zip(content, other, strict=True))
    for (before, painted_before), (after, painted) in itertools.pairwise(frames):
        found = motion.between(before, after)
        yield painted, found.carry(painted_before), found.visible
