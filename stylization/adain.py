"""`method=adain`: one network for any style (Huang & Belongie 2017), which it is shown. A second a picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from core import color
from core.network_metadata import Geometry
from data.picture import MIN_SIDE, pad_to_min
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
    import tensorflow as tf

    from losses import perceptual
    from models.networks import adain
    from stylization.feedforward import Feedforward

    run = Feedforward(network, geometry, tile)
    encode = tf.function(adain.encoder(network), reduce_retracing=True, autograph=False)
    shares = np.ones(len(styles)) if weights is None else np.asarray(weights, float)

    def moments(images: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        images = [tf.constant(pad_to_min(image, MIN_SIDE)[None]) for image in images]
        found = [perceptual.moments(encode(image)[adain.BOTTLENECK]) for image in images]
        parts = zip(("mean", "deviation"), zip(*found, strict=True), strict=True)
        return {name: np.average([np.ravel(x) for x in part], 0, shares) for name, part in parts}

    known = moments(styles) if preserve_color == "none" else None

    def paint(image: np.ndarray, before: np.ndarray | None) -> np.ndarray:
        style = known or moments([color.prepared(style, image, preserve_color) for style in styles])
        painted = run(image, {**style, "strength": np.array([strength])})
        return color.with_luminance(image, painted) if preserve_color == "luminance" else painted

    return paint


METHOD = shown.method("adain", painter)
