"""`method=fast`: a network that has learned a style, or several (Johnson et al. 2016). A second a picture."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from omegaconf import DictConfig

from core import color
from core.network_metadata import Geometry, Metadata
from models import trained
from stylization import options
from stylization.method import Method, Paint

if TYPE_CHECKING:
    import keras

log = logging.getLogger(__name__)


def check(config: DictConfig, metadata: Metadata) -> None:
    """Raises `GessoError` for what this network cannot paint."""
    options.check_blend(config, "fast")
    options.blend(config, metadata.styles)


def build(config: DictConfig, network: Path) -> Paint:
    """Loads the network and makes what paints with it."""
    loaded, metadata = trained.load(network, "stylizer")
    weights = options.blend(config, metadata.styles)
    if weights is not None and config.style is None and config.style_weights is None:
        log.info("This network paints in the first of its styles; style=%s", " or ".join(metadata.styles))
    return painter(loaded, metadata.geometry, weights, options.preserved(config), config.strength, config.tile)


def painter(
    network: "keras.Model",
    geometry: Geometry,
    weights: Sequence[float] | None,
    preserve_color: str,
    strength: float,
    tile: int | None,
) -> Paint:
    """Paints with a `transform_net.transformer`; `weights` blend its styles, `strength` mixes in the content."""
    from stylization.feedforward import Feedforward

    run = Feedforward(network, geometry, tile)
    conditions = {} if weights is None else {"weights": np.asarray(weights, np.float32) / np.sum(weights)}

    def paint(image: np.ndarray, before: np.ndarray | None) -> np.ndarray:
        painted = np.clip(run(image, conditions), -1, 1)
        if preserve_color == "histogram":
            painted = color.match_colors(painted, image)
        if preserve_color == "luminance":
            painted = color.with_luminance(image, painted)
        return image + np.float32(strength) * (painted - image)

    return paint


METHOD = Method(("style", "style_weights", "strength", "preserve_color"), check, build, trained_by="fast_style")
