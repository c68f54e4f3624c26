"""What methods have in common whose network is shown the painting that it is to paint like: one network for any."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from core import color
from core.network_metadata import Metadata
from data.picture import MIN_SIDE, pad_to_min
from models import trained
from stylization import options
from stylization.method import Method, Paint


def method(name: str, painter: Callable[..., Paint]) -> Method:
    """Makes the method `name`, trained by the model of that name.

    `painter(network, geometry, styles, weights, preserve_color, strength, tile)` paints with such a network, in the
    manner of `styles`, float32 `[height, width, 3]` in [-1, 1], blended by `weights` (None: equally).
    """

    def check(config: DictConfig, metadata: Metadata) -> None:
        options.check_blend(config, name)
        options.check_paintings(config, "This network paints in any manner: style=<painting> says in which.")
        options.check_style_weights(config, len(options.listed(config.style)))

    def build(config: DictConfig, network: Path) -> Paint:
        loaded, metadata = trained.load(network, "stylizer")
        styles = [options.read_picture(file, config.style_size) for file in options.listed(config.style)]
        weights, preserve_color = options.style_weights(config), options.preserved(config)
        return painter(loaded, metadata.geometry, styles, weights, preserve_color, config.strength, config.tile)

    keys = ("style", "style_weights", "strength", "preserve_color", "style_size")
    return Method(keys, check, build, trained_by=name)


def painter(
    read: Callable,
    paint: Callable[[np.ndarray, dict[str, np.ndarray]], np.ndarray],
    styles: Sequence[np.ndarray],
    weights: Sequence[float] | None,
    preserve_color: str,
) -> Paint:
    """Makes what paints in the manner of `styles`; of several, by the average of what is read off them.

    `read(painting)` takes a tensor `[1, height, width, 3]` and returns what the network is told of it, by name,
    each a tensor of one row; `paint(image, told)` paints.
    """
    import tensorflow as tf

    read = tf.function(read, reduce_retracing=True, autograph=False)
    shares = np.ones(len(styles)) if weights is None else np.asarray(weights, float)

    def told_of(paintings: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        found = [read(tf.constant(pad_to_min(painting, MIN_SIDE)[None])) for painting in paintings]
        return {name: np.average([np.ravel(one[name]) for one in found], 0, shares) for name in found[0]}

    known = told_of(styles) if preserve_color == "none" else None

    def painted(image: np.ndarray, before: np.ndarray | None) -> np.ndarray:
        told = known or told_of([color.prepared(style, image, preserve_color) for style in styles])
        result = paint(image, told)
        return color.finished(image, result, preserve_color)

    return painted
