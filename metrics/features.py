"""VGG16's view of pictures (Simonyan & Zisserman 2014, arXiv:1409.1556): the space that KID and spacing measure in.

The last convolution's activations, averaged over the picture: 512 numbers that say what is there, not where. Unlike
Inception's they need no enlarging, and a picture of 64 px is seen as it is. Values of different picture sizes, or
of KID on Inception features, do not compare.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import tqdm

SMALLEST = 16  # px: four times halved, one is left
LAYER = "block5_conv3"


def vgg16(weights: str | Path | None = None) -> Callable:
    """Float images in [-1, 1], `[batch, height, width, 1 or 3]` -> features float32 `[batch, 512]`.

    block5_conv3 after its ReLU, so features are not negative; `weights` as `models.networks.vgg.encoder` takes it.
    Computes in float32 whatever the policy. The function returned raises `ValueError` for pictures below 16 px.
    """
    import keras
    import tensorflow as tf

    from models.networks import vgg

    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        network = vgg.encoder([LAYER], weights)
    finally:
        keras.config.set_dtype_policy(policy)

    @tf.function(reduce_retracing=True, autograph=False)
    def extract(images: tf.Tensor) -> tf.Tensor:
        if images.shape[-1] == 1:
            images = tf.repeat(images, 3, axis=-1)
        return tf.reduce_mean(network(images, training=False)[LAYER], axis=(1, 2))

    def checked(images: np.ndarray) -> tf.Tensor:
        if len(images.shape) != 4 or min(images.shape[1:3]) < SMALLEST:
            raise ValueError(f"VGG16 sees [batch, height, width, channels] from {SMALLEST} px, not {images.shape}.")
        return extract(tf.convert_to_tensor(images, tf.float32))

    return checked


def features(model: Callable, images: np.ndarray, batch_size: int = 64, name: str = "features") -> np.ndarray:
    """`model` of all images `[n, height, width, channels]`, a batch at a time, with a progress bar: `[n, d]`."""
    starts = tqdm(range(0, len(images), batch_size), desc=name, unit="batch", disable=None)
    return np.concatenate([np.asarray(model(images[i : i + batch_size])) for i in starts])


def scaled_to(reference: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A function that divides features `[n, d]` by one number: the standard deviation of all of a `reference`'s.

    KID's kernel, `(x.y / d + 1)^3`, is made for features of about unit size, as Inception's are; VGG's are some ten
    times as large, where the cube drowns all but the few most excited pictures. The reference is the reals: fit it
    once, and use it on all sets of a comparison. Values from different references do not compare.
    """
    scale = 1 / (np.std(reference, dtype=np.float64) or 1.0)
    return lambda features: np.asarray(features, np.float64) * scale
