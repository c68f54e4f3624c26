"""`method=adain`: one network for any style (Huang & Belongie 2017), which it is shown. A second a picture."""

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
    """Paints with an `adain.stylizer`; of several styles, the average of their moments by `weights`."""
    from losses import perceptual
    from models.networks import adain
    from stylization.feedforward import Feedforward

    run, encode = Feedforward(network, geometry, tile), adain.encoder(network)

    def read(painting):
        mean, deviation = perceptual.moments(encode(painting)[adain.BOTTLENECK])
        return {"mean": mean, "deviation": deviation}

    def paint(image: np.ndarray, style: dict[str, np.ndarray]) -> np.ndarray:
        return run(image, {**style, "strength": np.array([strength])})

    return shown.painter(read, paint, styles, weights, preserve_color)


METHOD = shown.method("adain", painter)
