"""`method=any_style`: one network for any style, which it reads off a painting (Ghiasi et al. 2017)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from core.network_metadata import Geometry
from stylization import shown
from stylization.method import Paint

if TYPE_CHECKING:
    import keras


def painter(
    network: "keras.Model",
    geometry: Geometry,
    styles: Sequence[np.ndarray],
    weights: Sequence[float] | None,
    preserve_color: str,
    strength: float,
    tile: int | None,
) -> Paint:
    """Paints with an `any_style.stylizer`; of several styles, the average of their codes by `weights`."""
    from models.networks import any_style
    from stylization.feedforward import Feedforward

    reads, paints = any_style.parts(network)
    run = Feedforward(paints, geometry, tile)

    def paint(image: np.ndarray, style: dict[str, np.ndarray]) -> np.ndarray:
        painted = np.clip(run(image, style), -1, 1)
        return image + np.float32(strength) * (painted - image)

    return shown.painter(lambda painting: {"weights": reads(painting)}, paint, styles, weights, preserve_color)


METHOD = shown.method("any_style", painter)
