"""Evaluation of stylized films: how much they flicker where the film that they were made from stands still."""

from omegaconf import DictConfig

from core.errors import GessoError
from data import film
from data.decode import same_shape
from evaluation.baselines import resize_bicubic
from metrics.flicker import STILL, flicker


def evaluate(config: DictConfig) -> tuple[dict, dict]:
    """Measures the flicker of a stylized film, and of the film itself, both at the size of the painted one.

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
    return rows, {"threshold": STILL, "unit": "levels of 255"}
