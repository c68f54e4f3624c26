"""Super-resolution: SRResNet and SRGAN's discriminator (Ledig et al. 2017, arXiv:1609.04802)."""

import math
from functools import partial

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from core.network_metadata import Geometry
from models.layers.normalization import batch_norm

PReLU = partial(layers.PReLU, alpha_initializer=keras.initializers.Constant(0.25), shared_axes=(1, 2))


def generator(
    image_shape: tuple[int, int, int],
    source_shape: tuple[int, int, int],
    width: int = 64,
    blocks: int = 16,
    normalization: bool = True,
) -> keras.Model:
    """Enlarges pictures `[batch, height, width, 3]` in [-1, 1] to `[batch, f * height, f * width, 3]`, float32.

    Residual blocks at the small size, then for each doubling a convolution to four times the channels, which
    become 2x2 pixels (Shi et al. 2016, arXiv:1609.05158), at first equal ones: no grid to begin with (ICNR,
    Aitken et al. 2017, arXiv:1707.02937). The network paints the difference to bicubic interpolation, at first
    none, no tanh. `normalization=False` leaves out batch normalisation (EDSR, Lim et al. 2017, arXiv:1707.02921),
    which does a network good that keeps the range of its picture. Any height and width; f is the
    sides' ratio, a power of two. Raises `ValueError` if it is not.
    """
    factor = image_shape[0] // source_shape[0]
    if factor < 2 or factor & (factor - 1) or list(image_shape[:2]) != [factor * side for side in source_shape[:2]]:
        raise ValueError(f"SRResNet enlarges 2, 4 or 8 times, not {source_shape} to {image_shape}.")

    def norm(x, name: str):
        return batch_norm(x, name=name, momentum=0.9, epsilon=1e-5) if normalization else x

    image = keras.Input((None, None, source_shape[-1]), name="source")
    x = start = PReLU(name="in_relu")(layers.Conv2D(width, 9, padding="same", name="in")(image))
    bias = not normalization
    for i in range(1, blocks + 1):
        y = layers.Conv2D(width, 3, padding="same", use_bias=bias, name=f"block{i}a")(x)
        y = PReLU(name=f"block{i}_relu")(norm(y, f"block{i}a_norm"))
        y = layers.Conv2D(width, 3, padding="same", use_bias=bias, name=f"block{i}b")(y)
        x = layers.Add(name=f"block{i}")([x, norm(y, f"block{i}b_norm")])
    x = layers.Conv2D(width, 3, padding="same", use_bias=bias, name="trunk")(x)
    x = layers.Add(name="long_skip")([norm(x, "trunk_norm"), start])
    for i in range(1, int(math.log2(factor)) + 1):
        x = layers.Conv2D(4 * width, 3, padding="same", name=f"up{i}")(x)
        x = PixelShuffle(name=f"up{i}_shuffle")(x)
        x = PReLU(name=f"up{i}_relu")(x)
    x = layers.Conv2D(image_shape[-1], 9, padding="same", kernel_initializer="zeros", name="out")(x)
    large = Bicubic(factor, dtype="float32", name="bicubic")(image)
    network = keras.Model(image, layers.Add(dtype="float32", name="image")([x, large]), name="srresnet")
    for i in range(1, int(math.log2(factor)) + 1):
        kernel, bias = network.get_layer(f"up{i}").get_weights()
        network.get_layer(f"up{i}").set_weights([np.tile(kernel[..., :width], 4), bias])
    network.geometry = Geometry(reach=16 + 2 * blocks, scale=factor)
    return network


def discriminator(image_shape: tuple[int, int, int], width: int = 64) -> keras.Model:
    """Judges pictures: `[batch, size, size, 3]` in [-1, 1] -> logits `[batch]`; the paper's eight convolutions."""
    image = keras.Input(image_shape, name="image")
    x = image
    for i in range(8):
        filters, strides = width * 2 ** (i // 2), 1 + i % 2
        x = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=i == 0, name=f"conv{i + 1}")(x)
        if i > 0:
            x = batch_norm(x, name=f"conv{i + 1}_norm", momentum=0.9, epsilon=1e-5)
        x = layers.LeakyReLU(0.2, name=f"conv{i + 1}_relu")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.LeakyReLU(0.2, name="dense_relu")(layers.Dense(16 * width, name="dense")(x))
    x = layers.Dense(1, dtype="float32", name="judge")(x)
    return keras.Model(image, layers.Reshape((), dtype="float32", name="logits")(x), name="discriminator")


@keras.saving.register_keras_serializable(package="gesso")
class Bicubic(layers.Layer):
    """Bicubic interpolation to `factor` times the sides. Keras's `UpSampling2D` wants to know them beforehand."""

    def __init__(self, factor: int, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, inputs):
        return tf.image.resize(inputs, self.factor * tf.shape(inputs)[1:3], "bicubic")

    def compute_output_shape(self, shape: tuple) -> tuple:
        batch, height, width, channels = shape
        return (batch, height and self.factor * height, width and self.factor * width, channels)

    def get_config(self) -> dict:
        return super().get_config() | {"factor": self.factor}


@keras.saving.register_keras_serializable(package="gesso")
class PixelShuffle(layers.Layer):
    """A layer that makes four channels 2x2 pixels: `[batch, h, w, 4 c]` -> `[batch, 2h, 2w, c]`."""

    def call(self, inputs):
        batch, height, width, channels = ops.shape(inputs)
        x = ops.reshape(inputs, (batch, height, width, 2, 2, channels // 4))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (batch, 2 * height, 2 * width, channels // 4))

    def compute_output_shape(self, shape: tuple) -> tuple:
        batch, height, width, channels = shape
        return (batch, height and 2 * height, width and 2 * width, channels // 4)
