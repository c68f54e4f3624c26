"""What methods have in common whose network is shown the painting that it is to paint like: one network for any."""

from collections.abc import Callable
from pathlib import Path

from omegaconf import DictConfig

from core.network_metadata import Metadata
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
