"""The first GAN: fully connected networks (Goodfellow et al. 2014, arXiv:1406.2661), made for MNIST.

Rectified units in the generator; maxout (Goodfellow et al. 2013, arXiv:1302.4389) and dropout in the discriminator.
Sizes, rates and weights are those of the authors' code for MNIST (github.com/goodfeli/adversarial): 2,503,984
parameters in the generator, 1,231,441 in the discriminator. Their generator's last layer differs, a sigmoid, and
their noise, uniform in +-sqrt(3) where ours is in +-1. With `condition="concat"` these are nearly the conditional
networks of Mirza & Osindero (2014, arXiv:1411.1784), where label and noise, and label and pixels, have a layer each
before they are joined.
"""

import math

import keras
from keras import layers, ops

from models.layers.dropout import Dropout
from models.layers.normalization import batch_norm
from models.networks.condition import discriminator_head, discriminator_inputs, generator_inputs

GENERATOR_INIT = {"class_name": "RandomUniform", "config": {"minval": -0.05, "maxval": 0.05}}
DISCRIMINATOR_INIT = {"class_name": "RandomUniform", "config": {"minval": -0.005, "maxval": 0.005}}


def generator(
    image_shape: tuple[int, int, int],
    latent_dim: int = 100,
    width: int = 1200,
    num_classes: int = 0,
    condition: str = "none",
    prior: str = "normal",
) -> keras.Model:
    """Draws pictures from noise: latent `[batch, latent_dim]` (and label) -> `[batch, *image_shape]` in [-1, 1].

    Two hidden layers of `width` units, for pictures of any shape. With `projection` they are batch-normalised,
    conditional on the label; otherwise there is no normalisation. Conditions and priors:
    `models/networks/condition.py`.
    """
    inputs, x, label = generator_inputs(latent_dim, num_classes, condition, prior)
    for name in ("hidden_1", "hidden_2"):
        x = layers.Dense(width, use_bias=label is None, kernel_initializer=GENERATOR_INIT, name=name)(x)
        if label is not None:
            x = batch_norm(x, label, num_classes, f"{name}_norm")
        x = layers.ReLU(name=f"{name}_relu")(x)
    x = layers.Dense(math.prod(image_shape), kernel_initializer=GENERATOR_INIT, name="pixels")(x)
    x = layers.Reshape(image_shape, name="picture")(x)
    image = layers.Activation("tanh", dtype="float32", name="image")(x)
    return keras.Model(inputs, image, name="generator")


def discriminator(
    image_shape: tuple[int, int, int],
    width: int = 240,
    num_classes: int = 0,
    condition: str = "none",
    pieces: int = 5,
    dropout: float = 0.5,
    input_dropout: float = 0.2,
) -> keras.Model:
    """Judges pictures: image `[batch, *image_shape]` in [-1, 1] (and label) -> logits `[batch]`.

    Two layers of `width` maxout units, each the largest of `pieces` linear functions. In training, shares of the
    pixels (and of a joined label), `input_dropout`, and of the units, `dropout`, are left out.
    """
    inputs, x, label = discriminator_inputs(image_shape, num_classes, condition, flat=True)
    x = Dropout(input_dropout, name="input_dropout")(x)
    for name in ("hidden_1", "hidden_2"):
        x = _maxout(x, width, pieces, name)
        x = Dropout(dropout, name=f"{name}_dropout")(x)
    outputs = discriminator_head(x, label, num_classes, condition, initializer=DISCRIMINATOR_INIT)
    return keras.Model(inputs, outputs, name="discriminator")


def _maxout(x: keras.KerasTensor, units: int, pieces: int, name: str) -> keras.KerasTensor:
    """Takes maxima of linear pieces: `[batch, dim]` -> `[batch, units]`."""
    x = layers.Dense(units * pieces, kernel_initializer=DISCRIMINATOR_INIT, name=name)(x)
    x = layers.Reshape((units, pieces), name=f"{name}_pieces")(x)
    return ops.max(x, axis=-1)
