"""R3GAN (Huang et al. 2024, arXiv:2501.05441): the residual networks of today, and nothing of the tricks of GANs.

No normalisation, no styles, no noise: each stage resamples, and then has residual blocks of two 1x1 convolutions
around a grouped 3x3 one, twice as wide. Weights begin so that each block does nothing and all of them together stay
in bounds (fix-up initialisation, Zhang et al. 2019, arXiv:1901.09321). With `width=384` the layers are those of the
authors' code (github.com/brownvc/R3GAN) at 32 (CIFAR-10), 64 and 256 px (FFHQ). Departures: pictures are cut off at
-1 and 1 once training is over; `projection` adds to the logit that knows no labels, as in the other networks here.
"""

import math

import keras
from keras import layers

from models.layers.fir import Blur2D, SmoothUpsampling2D
from models.layers.grouped import GroupedConv2D
from models.layers.modulated import Picture
from models.networks.condition import discriminator_head, discriminator_inputs, generator_inputs, joined
from models.networks.sizes import square

Tensor = keras.KerasTensor

# Channels as multiples of `width`, by the size of the features.
CHANNELS = {4: 2, 8: 2, 16: 2, 32: 2, 64: 1, 128: 0.5, 256: 0.25}
SIZES = (32, 64, 128, 256)
GROUP = 16  # channels that a 3x3 convolution mixes
GAIN = math.sqrt(2 / (1 + 0.2**2))  # of a leaky ReLU of slope 0.2


def generator(
    image_shape: tuple[int, int, int],
    latent_dim: int = 64,
    width: int = 384,
    blocks: int = 2,
    num_classes: int = 0,
    condition: str = "none",
    prior: str = "normal",
) -> keras.Model:
    """Draws pictures from noise: latent `[batch, latent_dim]` (and label) -> image `[batch, size, size, channels]`.

    Images are float32, in [-1, 1] outside of training. With `projection`, an embedding of the label as long as the
    latent is joined to it, with `text` the sentence itself. Conditions and priors: `models/networks/condition.py`.
    `blocks` are those of a stage. Raises `ValueError` unless `image_shape` is square and of 32, 64, 128 or 256 px.
    """
    size, channels = square("R3GAN", image_shape, SIZES)
    filters = _filters(size, width)
    gain = _gain(blocks * len(filters))
    inputs, x, label = generator_inputs(latent_dim, num_classes, condition, prior)
    if condition == "projection":
        x = joined(x, label, num_classes, latent_dim, num_classes**-0.5)
    # Weights of 4x4 pictures, one for each channel, which are learned, too.
    x = layers.Dense(filters[4], use_bias=False, kernel_initializer=_msr(), name="weights_4")(x)
    basis = layers.EinsumDense(
        "bc,xyc->bxyc", (4, 4, filters[4]), kernel_initializer=_normal(1), name="basis_4"
    )  # fmt: skip
    x = basis(x)
    for resolution, count in filters.items():
        if resolution > 4:
            if x.shape[-1] != count:
                x = _conv(count, 1, _msr(), name=f"change_{resolution}")(x)
            x = SmoothUpsampling2D(name=f"up_{resolution}")(x)
        for i in range(blocks):
            x = _block(x, gain, f"block_{resolution}_{i}")
    x = _conv(channels, 1, _msr(), dtype="float32", name="to_image")(x)
    return keras.Model(inputs, Picture(dtype="float32", name="image")(x), name="generator")


def discriminator(
    image_shape: tuple[int, int, int],
    width: int = 384,
    blocks: int = 2,
    num_classes: int = 0,
    condition: str = "none",
) -> keras.Model:
    """Judges pictures: image `[batch, size, size, channels]` in [-1, 1] (and label) -> logits `[batch]`.

    The generator the other way round. Conditions: `models/networks/condition.py`, with class logits for
    `auxiliary`. Raises `ValueError` as `generator`.
    """
    size, _ = square("R3GAN", image_shape, SIZES)
    filters = _filters(size, width)
    gain = _gain(blocks * len(filters))
    inputs, x, label = discriminator_inputs(image_shape, num_classes, condition)
    x = _conv(filters[size], 1, _msr(), name="from_image")(x)
    for resolution in reversed(filters):
        for i in range(blocks):
            x = _block(x, gain, f"block_{resolution}_{i}")
        if resolution > 4:
            x = Blur2D(1, 2, name=f"down_{resolution}")(x)
            if x.shape[-1] != filters[resolution // 2]:
                x = _conv(filters[resolution // 2], 1, _msr(), name=f"change_{resolution}")(x)
    # A fan-in of the 4x4 pixels of a channel.
    x = layers.DepthwiseConv2D(
        4, use_bias=False, depthwise_initializer=_normal(1 / 4), dtype="float32", name="basis_4"
    )(x)  # fmt: skip
    x = layers.Flatten(dtype="float32", name="features")(x)
    # As in the authors' code: else the label alone would say more, at first, than the picture.
    of_label = _normal((max(1, num_classes) * x.shape[-1]) ** -0.5)
    outputs = discriminator_head(
        x, label, num_classes, condition, use_bias=False, initializer=_msr(), embedding_initializer=of_label
    )
    return keras.Model(inputs, outputs, name="discriminator")


def _filters(size: int, width: int) -> dict[int, int]:
    return {r: max(1, int(width * multiple)) for r, multiple in CHANNELS.items() if r <= size}


def _gain(blocks: int) -> float:
    """Returns the gain of a block's first two convolutions where there are so many blocks: fix-up's L^(-1 / 4)."""
    return GAIN * blocks ** (-1 / 4)


def _block(x: Tensor, gain: float, name: str) -> Tensor:
    channels = x.shape[-1]
    y = _conv(2 * channels, 1, _msr(gain), use_bias=True, name=f"{name}_expand")(x)
    y = layers.LeakyReLU(0.2, name=f"{name}_expand_relu")(y)
    groups = next(n for n in range(max(1, 2 * channels // GROUP), 0, -1) if 2 * channels % n == 0)
    y = GroupedConv2D(2 * channels, 3, groups, kernel_initializer=_msr(gain), name=f"{name}_mix")(y)
    y = layers.LeakyReLU(0.2, name=f"{name}_mix_relu")(y)
    y = _conv(channels, 1, "zeros", name=f"{name}_project")(y)
    return layers.Add(name=name)([x, y])


def _conv(filters: int, size: int, initializer: str | dict, use_bias: bool = False, **options) -> layers.Layer:
    return layers.Conv2D(filters, size, use_bias=use_bias, kernel_initializer=initializer, **options)


def _msr(gain: float = 1.0) -> dict:
    config = {"scale": gain**2, "mode": "fan_in", "distribution": "untruncated_normal"}
    return {"class_name": "VarianceScaling", "config": config}


def _normal(stddev: float) -> dict:
    return {"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": stddev}}
