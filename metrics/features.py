"""Feature spaces: a trained network's view of pictures, in which FID, KID and the others compare sets of them.

Values belong to their space, their weights and their resizer, and compare with no others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core import hardware
from core.errors import GessoError

VGG_SMALLEST = 16  # px: four times halved, one is left
VGG_LAYER = "block5_conv3"
INCEPTION_SIZE = 299  # px, what Inception was trained at
PIXELS = 16


@dataclass(frozen=True)
class FeatureSpace:
    """A function of images in [-1, 1], `[batch, height, width, 1 or 3]` -> features float32 `[batch, dimensions]`.

    `unit`: features are about of size 1, as KID's kernel wants them; others are to be scaled (`scale_of`).
    `smallest`: side in px that it can see; `ValueError` for smaller pictures. `weights`: the file that its network
    came from, where one was named.
    """

    name: str
    network: Callable
    dimensions: int
    resizer: str
    unit: bool
    smallest: int = 1
    weights: str | Path | None = None

    def check(self, shape: tuple[int, ...]) -> None:
        """Raises `GessoError` for pictures `[height, width, channels]` that are too small for it."""
        if min(shape[:2]) < self.smallest:
            raise GessoError(
                f"{self.name} sees pictures of {self.smallest} px or larger, and these have {min(shape[:2])}: "
                "features=pixels, or metrics=[sliced_wasserstein]."
            )

    def __call__(self, images: np.ndarray) -> np.ndarray:
        if np.ndim(images) != 4 or min(np.shape(images)[1:3]) < self.smallest:
            raise ValueError(
                f"{self.name} sees [batch, height, width, channels], {self.smallest} px or larger, not "
                f"{np.shape(images)}."
            )
        if np.shape(images)[-1] == 1:
            images = np.repeat(images, 3, axis=-1)
        with hardware.full_float32():
            return np.asarray(self.network(np.asarray(images, np.float32)))


def vgg16(weights: str | Path | None = None) -> FeatureSpace:
    """Loads VGG16 (Simonyan & Zisserman 2014, arXiv:1409.1556), its last convolution averaged over the picture.

    block5_conv3 after its ReLU: 512 numbers, none negative, that say what is there, not where. Pictures are seen at
    their own size, and sizes do not compare. `weights` as `models.networks.vgg.encoder` takes it.
    """
    from models.networks import vgg

    network = in_float32(lambda: vgg.encoder([VGG_LAYER], weights))

    def extract(images):
        return _mean(network(images, training=False)[VGG_LAYER])

    resizer = "none: pictures at their own size"
    return FeatureSpace(f"VGG16 {VGG_LAYER}", _compiled(extract), 512, resizer, False, VGG_SMALLEST, weights)


def inception(weights: str | Path | None = None) -> FeatureSpace:
    """Loads InceptionV3's last average pooling (Szegedy et al. 2015, arXiv:1512.00567), by `keras.applications`.

    2,048 numbers of pictures enlarged or reduced to 299 px. The network of published FIDs is TensorFlow's of 2015,
    whose weights and padding differ: values are near, not equal. `weights`: a file of
    `InceptionV3(include_top=False)`, or ImageNet's from the network if None. Raises `GessoError` where they cannot
    be had.
    """
    import tensorflow as tf

    from models.networks.pretrained import pretrained

    network = in_float32(lambda: pretrained("inception_v3", weights))

    def extract(images):
        size = (INCEPTION_SIZE, INCEPTION_SIZE)
        return _mean(network(tf.image.resize(images, size, "bicubic", antialias=True), training=False))

    resizer = f"bicubic, antialiased, to {INCEPTION_SIZE} px"
    return FeatureSpace("InceptionV3 pooled", _compiled(extract), 2048, resizer, True, weights=weights)


def pixels() -> FeatureSpace:
    """Averages the picture itself to 16 x 16 pixels: 768 numbers that tell copies from others, little else."""
    import tensorflow as tf

    def extract(images):
        return tf.reshape(tf.image.resize(images, (PIXELS, PIXELS), "area"), (-1, PIXELS * PIXELS * 3))

    return FeatureSpace("pixels", _compiled(extract), PIXELS * PIXELS * 3, f"area, to {PIXELS} px", False)


def scale_of(reference: np.ndarray) -> float:
    """Computes the factor that gives all features of a `reference`, `[n, d]`, a standard deviation of 1.

    KID's kernel, `(x.y / d + 1)^3`, is made for features of about unit size, as Inception's are; VGG's are some ten
    times as large, where the cube drowns all but the few most excited pictures. The reference is the reals: fit it
    once, and use it on all sets of a comparison. Values from different references do not compare.
    """
    return float(1 / (np.std(reference, dtype=np.float64) or 1.0))


def in_float32(load: Callable) -> Callable:
    """Returns what `load` makes while the policy is float32: distances are not for rounded activations."""
    import keras

    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        return load()
    finally:
        keras.config.set_dtype_policy(policy)


def _compiled(extract: Callable) -> Callable:
    import tensorflow as tf

    return tf.function(extract, reduce_retracing=True, autograph=False)


def _mean(activations):
    import tensorflow as tf

    return tf.reduce_mean(activations, axis=(1, 2))
