"""Resampling with a short low-pass filter, as StyleGAN2's authors have it (Karras et al. 2020, arXiv:1912.04958).

The filter is [1, 3, 3, 1] / 8 along both axes, zeros beyond the edges: three averages of 2x2 neighbours. As such it
is as fast as a depthwise convolution, and its gradient is so in bfloat16, too; sums of shifted pictures have a
gradient that takes thirty times as long on a CPU.
"""

import keras
import tensorflow as tf
from keras import layers

from models.layers.equalized import enlarge


def blur(x: tf.Tensor, padding: int, stride: int = 1) -> tf.Tensor:
    """Filters `[batch, n, n, channels]`, padded on all sides; of n + 2 padding - 3 keeps every `stride`-th."""
    return _averaged(_averaged(_averaged(_padded(x, padding))), stride)


def upsample(x: tf.Tensor) -> tf.Tensor:
    """Doubles `[batch, n, n, channels]`: zeros between the pixels, then the filter, four times as strong.

    Repeated pixels are what the first average makes of that. Along an axis, each of two new pixels is 3/4 of the
    old one that it lies in and 1/4 of the next one.
    """
    return _averaged(_averaged(_padded(enlarge(x, 2), 1)))


def _padded(x: tf.Tensor, padding: int) -> tf.Tensor:
    return tf.pad(x, [[0, 0], [padding, padding], [padding, padding], [0, 0]])


def _averaged(x: tf.Tensor, stride: int = 1) -> tf.Tensor:
    return tf.nn.avg_pool2d(x, 2, stride, "VALID")


@keras.saving.register_keras_serializable(package="gesso")
class Blur2D(layers.Layer):
    """A layer that computes `blur`: before a convolution of stride 2 or, with a stride, in place of pooling."""

    def __init__(self, padding: int, stride: int = 1, **options):
        super().__init__(**options)
        self.padding = padding
        self.stride = stride

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return blur(x, self.padding, self.stride)

    def compute_output_shape(self, shape: tuple) -> tuple:
        batch, height, width, channels = shape
        return (batch, *((side + 2 * self.padding - 4) // self.stride + 1 for side in (height, width)), channels)

    def get_config(self) -> dict:
        return super().get_config() | {"padding": self.padding, "stride": self.stride}


@keras.saving.register_keras_serializable(package="gesso")
class SmoothUpsampling2D(layers.Layer):
    """A layer that computes `upsample`."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return upsample(x)

    def compute_output_shape(self, shape: tuple) -> tuple:
        batch, height, width, channels = shape
        return (batch, height and 2 * height, width and 2 * width, channels)
