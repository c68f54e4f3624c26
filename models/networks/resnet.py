"""Residual networks of SNGAN (Miyato et al. 2018, arXiv:1802.05957, tables 4 and 6).

The same family serves WGAN-GP (Gulrajani et al. 2017, arXiv:1704.00028; `spectral=False` is a critic without any
normalisation) and the projection discriminator (Miyato & Koyama 2018, arXiv:1802.05637; `condition="projection"`).
With `width=64` the networks have the channels of the papers: at 32 px 4,276,739 parameters in the generator and
1,053,825 in the discriminator; from 64 px on those of the authors' code
(github.com/pfnet-research/sngan_projection).
"""

import keras
from keras import layers, ops

from models.layers.normalization import batch_norm
from models.layers.spectral import SpectralConv2D, SpectralDense, SpectralEmbedding
from models.networks.condition import discriminator_head, discriminator_inputs, generator_inputs
from models.networks.sizes import square

# Channels as multiples of `width`, by the size of the picture: of the 4x4 seed, then of each block that doubles it.
GENERATORS = {
    32: (4, 4, 4, 4),
    64: (16, 8, 4, 2, 1),
    128: (16, 16, 8, 4, 2, 1),
    256: (16, 16, 8, 8, 4, 2, 1),
}
# Likewise of each block, and how many of the blocks, from the first on, halve the picture.
DISCRIMINATORS = {
    32: ((2, 2, 2, 2), 2),
    64: ((1, 2, 4, 8, 16), 5),
    128: ((1, 2, 4, 8, 16, 16), 5),
    256: ((1, 2, 4, 8, 8, 16, 16), 6),
}

# The authors' weights: Glorot's uniform ones, those before and after a ReLU inside of a block larger by sqrt 2.
RESIDUAL_INIT = {
    "class_name": "VarianceScaling",
    "config": {"scale": 2.0, "mode": "fan_avg", "distribution": "uniform"},
}


def generator(
    image_shape: tuple[int, int, int],
    latent_dim: int = 128,
    width: int = 64,
    num_classes: int = 0,
    condition: str = "none",
    prior: str = "normal",
) -> keras.Model:
    """Draws pictures from noise: latent `[batch, latent_dim]` (and label) -> image `[batch, size, size, channels]`.

    A 4x4 seed, doubled by residual blocks until `size`. Images are in [-1, 1]. With `projection` the batch
    normalisations inside of the blocks are conditional. Conditions and priors: `models/networks/condition.py`.
    Raises `ValueError` unless `image_shape` is square and of 32, 64, 128 or 256 px.
    """
    size, channels = square("ResNet", image_shape, GENERATORS)
    seed, *widths = (width * multiple for multiple in GENERATORS[size])

    inputs, x, label = generator_inputs(latent_dim, num_classes, condition, prior)
    x = layers.Dense(4 * 4 * seed, name="seed")(x)
    x = layers.Reshape((4, 4, seed), name="seed_4")(x)
    for i, filters in enumerate(widths):
        x = _up_block(x, filters, f"up_{8 << i}", label, num_classes)
    x = _norm_relu(x, "last")
    x = layers.Conv2D(channels, 3, padding="same", name="last_conv")(x)
    image = layers.Activation("tanh", dtype="float32", name="image")(x)
    return keras.Model(inputs, image, name="generator")


def discriminator(
    image_shape: tuple[int, int, int],
    width: int = 64,
    num_classes: int = 0,
    condition: str = "none",
    spectral: bool = True,
    average: bool = False,
) -> keras.Model:
    """Judges pictures: image `[batch, size, size, channels]` in [-1, 1] (and label) -> logits `[batch]`.

    Residual blocks without normalisation of activations, and the sum over all places of the last one's features,
    or their `average`. `spectral` normalises all weights; without it, and with the average, this is the critic of
    WGAN-GP (Gulrajani et al. 2017, arXiv:1704.00028). Raises `ValueError` unless `image_shape` is square and of 32,
    64, 128 or 256 px.
    """
    size, _ = square("ResNet", image_shape, GENERATORS)
    multiples, halvings = DISCRIMINATORS[size]
    convolution = SpectralConv2D if spectral else layers.Conv2D

    inputs, x, label = discriminator_inputs(image_shape, num_classes, condition)
    for i, multiple in enumerate(multiples):
        x = _down_block(x, width * multiple, f"block_{i + 1}", convolution, halve=i < halvings, first=i == 0)
    x = layers.ReLU(name="last_relu")(x)
    x = ops.cast(x, "float32")  # a sum, even of one picture, is beyond 16 bits
    x = ops.mean(x, axis=(1, 2)) if average else ops.sum(x, axis=(1, 2))
    kinds = {"dense": SpectralDense, "embedding": SpectralEmbedding} if spectral else {}
    outputs = discriminator_head(x, label, num_classes, condition, **kinds)
    return keras.Model(inputs, outputs, name="discriminator")


def _up_block(
    x: keras.KerasTensor, filters: int, name: str, label: keras.KerasTensor | None, num_classes: int
) -> keras.KerasTensor:
    """Adds a block of the generator: `[batch, h, w, c]` -> `[batch, 2h, 2w, filters]`."""
    # In the papers the shortcut is doubled, then convolved: the same, at four times the cost, for a 1x1 kernel.
    shortcut = layers.Conv2D(filters, 1, name=f"{name}_shortcut")(x)
    shortcut = layers.UpSampling2D(name=f"{name}_shortcut_double")(shortcut)
    x = _norm_relu(x, f"{name}_1", label, num_classes)
    x = layers.UpSampling2D(name=f"{name}_double")(x)
    x = _residual(layers.Conv2D, filters, f"{name}_1_conv")(x)
    x = _norm_relu(x, f"{name}_2", label, num_classes)
    x = _residual(layers.Conv2D, filters, f"{name}_2_conv")(x)
    return layers.Add(name=name)([x, shortcut])


def _down_block(
    x: keras.KerasTensor,
    filters: int,
    name: str,
    convolution: type[layers.Conv2D],
    halve: bool,
    first: bool,
) -> keras.KerasTensor:
    """Adds a block of the discriminator: `[batch, h, w, c]` -> `[batch, h/2, w/2, filters]`, if it is to `halve`.

    The `first` block sees the picture itself, of which a ReLU would hide the dark half, and widens at once; the
    others widen with their second convolution.
    """
    channels = x.shape[-1]
    shortcut = x
    if halve:  # before the 1x1 convolution, as only the first block of the papers: the same result for less
        shortcut = layers.AveragePooling2D(2, name=f"{name}_shortcut_halve")(shortcut)
    if halve or filters != channels:
        shortcut = convolution(filters, 1, name=f"{name}_shortcut")(shortcut)
    if not first:
        x = layers.ReLU(name=f"{name}_1_relu")(x)
    x = _residual(convolution, filters if first else channels, f"{name}_1_conv")(x)
    x = layers.ReLU(name=f"{name}_2_relu")(x)
    x = _residual(convolution, filters, f"{name}_2_conv")(x)
    if halve:
        x = layers.AveragePooling2D(2, name=f"{name}_halve")(x)
    return layers.Add(name=name)([x, shortcut])


def _residual(convolution: type[layers.Conv2D], filters: int, name: str) -> layers.Layer:
    return convolution(filters, 3, padding="same", kernel_initializer=RESIDUAL_INIT, name=name)


def _norm_relu(
    x: keras.KerasTensor, name: str, label: keras.KerasTensor | None = None, num_classes: int = 0
) -> keras.KerasTensor:
    # Chainer's momentum and epsilon.
    x = batch_norm(x, label, num_classes, f"{name}_norm", momentum=0.9, epsilon=2e-5)
    return layers.ReLU(name=f"{name}_relu")(x)
