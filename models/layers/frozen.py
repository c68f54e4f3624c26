"""Networks inside of others that are not theirs: neither trained nor written into checkpoints."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers


class Frozen(layers.Layer):
    """A layer that shows pictures, `[batch, size, size, 1 or 3]`, to a network that stays as it is.

    The network takes three channels; pictures of one channel are shown three times. They are brought to `shown` px
    bilinearly before, if that is given. Gradients pass through to the pictures. Whoever builds the layer again has
    to give the same network: nothing here keeps its weights.
    """

    def __init__(self, network: keras.Model, shown: int | None = None, **options):
        super().__init__(dtype="float32", **options)  # pictures are the network's own business
        network.trainable = False
        self.network = lambda: network  # Keras would find it in an attribute, and count its weights in
        self.shown = shown

    def call(self, images: tf.Tensor) -> list[tf.Tensor]:
        if images.shape[-1] == 1:
            images = tf.repeat(images, 3, axis=3)
        if self.shown and self.shown != images.shape[1]:
            # A product with a matrix on each side: it has derivatives of all orders, XLA or not.
            before = images.shape[1]
            places = np.clip((np.arange(self.shown) + 0.5) * before / self.shown - 0.5, 0, before - 1)
            resize = tf.constant(bilinear(places, before), images.dtype)  # half a pixel lies before the first
            images = tf.einsum("ij,bjkc,lk->bilc", resize, images, resize)
        return self.network()(images, training=False)


def bilinear(places: np.ndarray, before: int) -> np.ndarray:
    """Makes the matrix `[places, before]` that reads a line of `before` values at places from 0 to before - 1."""
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(before)))
