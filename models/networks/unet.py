"""The U-Net generator of pix2pix (Isola et al. 2017, arXiv:1611.07004).

An encoder halves the picture down to one place, a decoder doubles it again, and each of its levels also sees what
the encoder had at that size: what source and target share need not pass through the bottleneck.
"""

import math

import keras
from keras import layers

from models.networks.convolution import Conv2D, Conv2DTranspose
from models.networks.dcgan import CONV_INIT
from models.networks.normalization import batch_norm

DROPOUT_LEVELS = 3  # the decoder's innermost: the paper's only noise


def generator(
    image_shape: tuple[int, int, int],
    source_shape: tuple[int, int, int],
    width: int = 64,
    dropout: float = 0.5,
    seed: int | None = None,
) -> keras.Model:
    """Source `[batch, size, size, channels]` -> image `[batch, size, size, channels]` in [-1, 1], by tanh, float32.

    `width` channels at half the size, doubled with every halving up to 8 times; at 256 px and width 64 it has the
    54,414,979 parameters of the authors' code, but for the biases before a normalisation. Dropout of the innermost
    levels is on in training only. A source with one channel more than the image is a picture with holes, and that
    channel is 1 in them (`data.tasks.inpaint`): only there is it painted. Raises `ValueError` unless the size is a
    square power of two from 32 px, and the source's too.
    """
    height, breadth, channels = image_shape
    if height != breadth or height < 32 or height & (height - 1) or tuple(source_shape[:2]) != (height, height):
        raise ValueError(f"U-Net takes squares of 32, 64, 128, ... px, not {source_shape} to {image_shape}.")
    levels = int(math.log2(height))
    filters = [width * min(2**i, 8) for i in range(levels)]
    source = keras.Input((None, None, source_shape[-1]), name="source")  # larger ones may come in use
    x, skips = source, []
    for i, count in enumerate(filters):
        name = f"down_{height >> (i + 1)}"
        if i > 0:
            x = layers.LeakyReLU(0.2, name=f"{name}_relu")(x)
        x = Conv2D(count, 4, strides=2, padding="same", use_bias=i == 0, kernel_initializer=CONV_INIT, name=name)(x)
        if 0 < i < levels - 1:  # the innermost is one place: its own mean, normalised, is nothing
            x = batch_norm(x, name=f"{name}_norm", momentum=0.9, epsilon=1e-5)
        skips.append(x)
    for i in range(levels - 2, -1, -1):
        name = f"up_{height >> (i + 1)}"
        x = layers.ReLU(name=f"{name}_relu")(x)
        x = Conv2DTranspose(
            filters[i], 4, strides=2, padding="same", use_bias=False, kernel_initializer=CONV_INIT, name=name
        )(x)
        x = batch_norm(x, name=f"{name}_norm", momentum=0.9, epsilon=1e-5)
        if levels - 2 - i < DROPOUT_LEVELS and dropout:
            x = layers.Dropout(dropout, seed=seed, name=f"{name}_dropout")(x)
        x = layers.Concatenate(name=f"{name}_skip")([x, skips[i]])
    x = layers.ReLU(name="out_relu")(x)
    x = Conv2DTranspose(channels, 4, strides=2, padding="same", kernel_initializer=CONV_INIT, name="out")(x)
    image = layers.Activation("tanh", dtype="float32", name="image")(x)
    if source_shape[-1] == channels + 1:
        image = source[..., :channels] + source[..., channels:] * image
    return keras.Model(source, image, name="unet")
