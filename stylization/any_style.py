"""`method=any_style`: one network for any style, which it reads off a painting (Ghiasi et al. 2017)."""

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
    """Paints with an `any_style.stylizer`; of several styles, the average of their codes by `weights`."""
    import tensorflow as tf

    from models.networks import any_style
    from stylization.feedforward import Feedforward

    reads, paints = any_style.parts(network)
    read = tf.function(reads, reduce_retracing=True, autograph=False)
    run = Feedforward(paints, geometry, tile)
    shares = np.ones(len(styles)) if weights is None else np.asarray(weights, float)

    def code(images: Sequence[np.ndarray]) -> np.ndarray:
        images = [tf.constant(pad_to_min(image, MIN_SIDE)[None]) for image in images]
        return np.average([read(image).numpy()[0] for image in images], 0, shares)

    known = code(styles) if preserve_color == "none" else None

    def paint(image: np.ndarray, before: np.ndarray | None) -> np.ndarray:
        own = known
        if own is None:
            own = code([color.prepared(style, image, preserve_color) for style in styles])
        painted = np.clip(run(image, {"weights": own}), -1, 1)
        painted = image + np.float32(strength) * (painted - image)
        return color.with_luminance(image, painted) if preserve_color == "luminance" else painted

    return paint


METHOD = shown.method("any_style", painter)
