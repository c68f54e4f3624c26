"""The U-Net generator of pix2pix (Isola et al. 2017, arXiv:1611.07004).

An encoder halves the picture down to one place, a decoder doubles it again, and each of its levels also sees what
the encoder had at that size: what source and target share need not pass through the bottleneck.
"""

import math

import keras
import numpy as np
from keras import layers

from core.network_metadata import Geometry
from models.layers.convolution import Conv2D, Conv2DTranspose
from models.layers.dropout import Dropout
from models.layers.fir import SmoothUpsampling2D
from models.layers.holes import FilledHoles, GrainyHoles
from models.layers.initializers import CONV_INIT
from models.layers.normalization import batch_norm

DROPOUT_LEVELS = 3  # the decoder's innermost: the paper's only noise
FULL = "full"  # begins the names of the layers at full size
UPSAMPLINGS = ("resize", "smooth", "transposed")
NORM = {"momentum": 0.99, "epsilon": 1e-5}  # in use, the averages of many small batches


def generator(
    image_shape: tuple[int, int, int],
    source_shape: tuple[int, int, int],
    width: int = 64,
    dropout: float = 0.0,
    upsampling: str = "transposed",
    noise: float = 0.0,
    full_width: int = 0,
    seed: int | None = None,
) -> keras.Model:
    """Translates sources `[batch, size, size, channels]` to images of that size in [-1, 1], by tanh, float32.

    `width` channels at half the size, doubled with every halving up to 8 times; at 256 px and width 64 it has the
    54,414,019 parameters (the authors' code, besides, biases before a normalisation). By the paper's transposed
    convolutions, each place of four has weights of its own, and what they paint over plain fields is a grid;
    `upsampling="resize"` enlarges by nearest neighbours and then convolves (Odena et al. 2016,
    doi:10.23915/distill.00003), `"smooth"` by a filter, so that grain of an inner level becomes spots, not blocks.
    `dropout` of the innermost levels is on in training only; the paper's, 0.5, stays on in use, and so do its
    batches' own moments.
    A source with one channel more than the image is a picture with holes, and that channel is 1 in them
    (`data.transforms.inpaint`): only there is it painted, as the difference to a smooth filling, at first none.
    What the network sees of that filling has `noise`, a deviation, in it: something to make texture of
    (`models.layers.holes.GrainyHoles`).
    What comes from half the size is texture in blocks of two pixels at best. With `full_width` there are two layers
    more, of so many channels, at full size, which also see the source; what they add is at first nothing, so that a
    trained network without them can get them (`FULL`, `models.trained.take_over`).
    Raises `ValueError` unless the size is a square power of two from 32 px, and the source's too, or for an unknown
    `upsampling`.
    """
    height, breadth, channels = image_shape
    if height != breadth or height < 32 or height & (height - 1) or tuple(source_shape[:2]) != (height, height):
        raise ValueError(
            f"U-Net takes squares of 32, 64, 128, ... px, both of one size, not {source_shape} to {image_shape}; "
            "to enlarge pictures, model=srgan."
        )
    if upsampling not in UPSAMPLINGS:
        raise ValueError(f"upsampling={upsampling}: it must be one of {', '.join(UPSAMPLINGS)}.")
    levels = int(math.log2(height))
    filters = [width * min(2**i, 8) for i in range(levels)]
    source = keras.Input((None, None, source_shape[-1]), name="source")  # larger ones may come in use
    holes = source_shape[-1] == channels + 1
    if holes:
        filled = FilledHoles(levels, dtype="float32", name="filled")(source)
        seen = filled
        if noise:
            seen = GrainyHoles(noise, seed, dtype="float32", name="grain")([filled, source[..., channels:]])
        given = layers.Concatenate(name="filled_and_holes")([seen, source[..., channels:]])
    else:
        given = source
    x = given
    skips = []
    for i, count in enumerate(filters):
        name = f"down_{height >> (i + 1)}"
        if i > 0:
            x = layers.LeakyReLU(0.2, name=f"{name}_relu")(x)
        x = Conv2D(count, 4, strides=2, padding="same", use_bias=i == 0, kernel_initializer=CONV_INIT, name=name)(x)
        if 0 < i < levels - 1:  # the innermost is one place: its own mean, normalised, is nothing
            x = batch_norm(x, name=f"{name}_norm", **NORM)
        skips.append(x)
    for i in range(levels - 2, -1, -1):
        name = f"up_{height >> (i + 1)}"
        x = layers.ReLU(name=f"{name}_relu")(x)
        innermost = i == levels - 2  # out of one place, there is nothing to resize
        x = _up(x, filters[i], "transposed" if innermost else upsampling, CONV_INIT, name, use_bias=False)
        x = batch_norm(x, name=f"{name}_norm", **NORM)
        if levels - 2 - i < DROPOUT_LEVELS and dropout:
            x = Dropout(dropout, seed=seed, name=f"{name}_dropout")(x)
        x = layers.Concatenate(name=f"{name}_skip")([x, skips[i]])
    x = layers.ReLU(name="out_relu")(x)
    init = "zeros" if holes else CONV_INIT
    painted = _up(x, channels, upsampling, init, "out")
    if full_width:
        x = layers.Concatenate(name=f"{FULL}_in")([_enlarged(x, upsampling, f"{FULL}_resize"), given])
        for i in (1, 2):
            x = Conv2D(full_width, 3, padding="same", kernel_initializer=CONV_INIT, name=f"{FULL}_{i}")(x)
            x = layers.LeakyReLU(0.2, name=f"{FULL}_{i}_relu")(x)
        fine = Conv2D(channels, 3, padding="same", kernel_initializer="zeros", name=f"{FULL}_out")(x)
        painted = layers.Add(name=f"{FULL}_added")([painted, fine])
    image = layers.Activation("tanh", dtype="float32", name="image")(painted)
    if holes:  # in [-2, 2], which is clipped where it is looked at
        image = filled + source[..., channels:] * image
    network = keras.Model(source, image, name="unet")
    # It halves its pictures to one place: it sees all of them, but little from afar.
    network.geometry = Geometry(stride=height, reach=height // 2)
    _one_place(network.get_layer("down_1"), network.get_layer("up_2"))
    return network


def _up(x: keras.KerasTensor, filters: int, upsampling: str, init: str | dict, name: str, use_bias: bool = True):
    """Doubles features: `[batch, h, w, c]` -> `[batch, 2h, 2w, filters]`."""
    options = {"padding": "same", "use_bias": use_bias, "kernel_initializer": init, "name": name}
    if upsampling == "transposed":
        return Conv2DTranspose(filters, 4, strides=2, **options)(x)
    return Conv2D(filters, 3, **options)(_enlarged(x, upsampling, f"{name}_resize"))


def _enlarged(x: keras.KerasTensor, upsampling: str, name: str) -> keras.KerasTensor:
    """Doubles features without weights."""
    return SmoothUpsampling2D(name=name)(x) if upsampling == "smooth" else layers.UpSampling2D(2, name=name)(x)


def _one_place(*innermost: keras.Layer) -> None:
    """Makes the outer taps of the kernels around the bottleneck 0.

    At the size of training they only ever see padding, so they have no gradient, and stay as they are. Of a larger
    picture the bottleneck has several places: this way each works as the one did, and no untrained weight joins in.
    """
    for layer in innermost:
        inner = np.zeros((4, 4, 1, 1), np.float32)
        inner[1:3, 1:3] = 1
        layer.kernel.assign(inner * layer.kernel)
