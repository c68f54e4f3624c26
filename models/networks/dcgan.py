"""DCGAN: deep convolutional generator and discriminator (Radford, Metz & Chintala 2015, arXiv:1511.06434).

Strided convolutions in place of pooling, batch normalisation, ReLU in the generator, leaky ReLU in the
discriminator. At 64 px with `width=64` both networks have the layers and parameter counts of the authors' code:
3,576,704 in the generator, 2,765,568 in the discriminator. Other sizes add or drop blocks next to the 4x4 end.
"""

import math

import keras
from keras import layers

from models.layers.convolution import Conv2D, Conv2DTranspose, ResizedConv2D
from models.layers.initializers import CONV_INIT, SCALE_INIT
from models.layers.normalization import batch_norm
from models.layers.spectral import SpectralConv2D, SpectralDense, SpectralEmbedding
from models.networks.condition import discriminator_head, discriminator_inputs, generator_inputs, self_modulation
from models.networks.sizes import square

SIZES = tuple(2**i for i in range(4, 13))
UPSAMPLINGS = ("transposed", "resize")
NORMALIZATIONS = ("batch", "layer", "none")


def generator(
    image_shape: tuple[int, int, int],
    latent_dim: int = 100,
    width: int = 64,
    full_width: int = 0,
    upsampling: str = "transposed",
    num_classes: int = 0,
    condition: str = "none",
    prior: str = "normal",
    modulated: bool = False,
    label_dim: int = 0,
) -> keras.Model:
    """Draws pictures from noise: latent `[batch, latent_dim]` (and label) -> image `[batch, size, size, channels]`.

    A 4x4 seed, doubled by transposed convolutions until `size`; `width` is the number of channels of the last
    hidden layer (at half the size) and doubles with each block towards the seed, up to 16 times. Images are in
    [-1, 1]. `upsampling` is `transposed`, the paper's, or `resize`: nearest neighbour, then a 3x3 convolution,
    which paints no grid. With `full_width` there is one hidden layer more, of so many channels, at full size, and a
    3x3 convolution behind it; without, pixels are linear in what is drawn at half the size. `modulated`: by the
    latent, in each block, and by the label, a vector of `label_dim` numbers, one-hot if 0.
    Conditions, priors and modulation: `models/networks/condition.py`.
    Raises `ValueError` unless `image_shape` is square with a power of two of at least 16 px, or for an unknown
    upsampling.
    """
    size, channels = square("DCGAN", image_shape, SIZES)
    if upsampling not in UPSAMPLINGS:
        raise ValueError(f"upsampling={upsampling}: it must be one of {', '.join(UPSAMPLINGS)}.")
    widths = _widths(size, width)[::-1]  # from the 4x4 seed outwards

    inputs, x, label = generator_inputs(latent_dim, num_classes, condition, prior)
    if modulated:
        label = self_modulation(x, label, num_classes, label_dim)
    # A transposed convolution of a 1x1 picture is a matrix product, and faster as one.
    x = layers.Dense(4 * 4 * widths[0], use_bias=False, kernel_initializer=CONV_INIT, name="seed")(x)
    x = layers.Reshape((4, 4, widths[0]), name="seed_4")(x)
    x = _batch_norm(x, "seed_norm", label, num_classes)
    x = layers.ReLU(name="seed_relu")(x)
    for i, filters in enumerate(widths[1:]):
        name = f"up_{8 << i}"
        x = _doubled(x, filters, upsampling, name)
        x = _batch_norm(x, f"{name}_norm", label, num_classes)
        x = layers.ReLU(name=f"{name}_relu")(x)
    last = f"up_{size}"
    x = _doubled(x, full_width or channels, upsampling, last)
    if full_width:
        x = _batch_norm(x, f"{last}_norm", label, num_classes)
        x = layers.ReLU(name=f"{last}_relu")(x)
        x = layers.Conv2D(channels, 3, padding="same", kernel_initializer=CONV_INIT, name="colors")(x)
    image = layers.Activation("tanh", dtype="float32", name="image")(x)
    return keras.Model(inputs, image, name="generator")


def discriminator(
    image_shape: tuple[int, int, int],
    width: int = 64,
    num_classes: int = 0,
    condition: str = "none",
    normalization: str = "batch",
    spectral: bool = False,
    full_width: int = 0,
) -> keras.Model:
    """Judges pictures: image `[batch, size, size, channels]` in [-1, 1] (and label) -> logits `[batch]`.

    The generator's mirror: strided convolutions halve the picture to 4x4 while `width` doubles with each; no
    normalisation on the first. `normalization` is `batch` (the paper's), `layer` (what WGAN-GP puts in its
    place: batch statistics tie the pictures of a batch, whose gradients are to be penalised one by one) or
    `none`; `spectral` normalises the weights (arXiv:1802.05957), usually with `none`. With `full_width` there is a
    3x3 convolution of so many channels before all of them, at full size; without, what halves the picture first is
    linear in its pixels.
    Raises `ValueError` unless `image_shape` is square with a power of two >= 16, or for an unknown normalisation.
    """
    size, _ = square("DCGAN", image_shape, SIZES)
    if normalization not in NORMALIZATIONS:
        raise ValueError(f"normalization={normalization}: it must be one of {', '.join(NORMALIZATIONS)}.")
    convolution = SpectralConv2D if spectral else Conv2D
    inputs, x, label = discriminator_inputs(image_shape, num_classes, condition)
    if full_width:
        x = convolution(full_width, 3, padding="same", kernel_initializer=CONV_INIT, name=f"full_{size}")(x)
        x = layers.LeakyReLU(0.2, name=f"full_{size}_relu")(x)
    for i, filters in enumerate(_widths(size, width)):
        name = f"down_{size >> (i + 1)}"
        # Batch and layer normalisation bring an offset of their own.
        bias = i > 0 and normalization == "none"
        x = convolution(
            filters, 4, strides=2, padding="same", use_bias=bias, kernel_initializer=CONV_INIT, name=name
        )(x)
        if i > 0 and normalization == "batch":
            x = _batch_norm(x, f"{name}_norm")
        elif i > 0 and normalization == "layer":
            x = layers.LayerNormalization(axis=(1, 2, 3), epsilon=1e-5, name=f"{name}_norm")(x)
        x = layers.LeakyReLU(0.2, name=f"{name}_relu")(x)
    x = layers.Flatten(name="flatten")(x)
    # The reference's 4x4 convolution without padding sees all of a 4x4 picture: a matrix product again.
    kinds = {"dense": SpectralDense, "embedding": SpectralEmbedding} if spectral else {}
    outputs = discriminator_head(x, label, num_classes, condition, use_bias=False, initializer=CONV_INIT, **kinds)
    return keras.Model(inputs, outputs, name="discriminator")


def _widths(size: int, width: int) -> list[int]:
    """Lists the channels at size/2, size/4, ..., 4 px; 16 * width at most, so that 256 px stays trainable."""
    return [width * min(2**i, 16) for i in range(int(math.log2(size)) - 2)]


def _doubled(x: keras.KerasTensor, filters: int, upsampling: str, name: str) -> keras.KerasTensor:
    if upsampling == "resize":
        return ResizedConv2D(filters, kernel_initializer=CONV_INIT, name=name)(x)
    options = {"strides": 2, "padding": "same", "use_bias": False, "kernel_initializer": CONV_INIT}
    return Conv2DTranspose(filters, 4, name=name, **options)(x)


def _batch_norm(
    x: keras.KerasTensor, name: str, label: keras.KerasTensor | None = None, num_classes: int = 0
) -> keras.KerasTensor:
    # PyTorch's momentum of 0.1 is 0.9 here; its epsilon is 1e-5.
    return batch_norm(x, label, num_classes, name, gamma_initializer=SCALE_INIT, momentum=0.9, epsilon=1e-5)
