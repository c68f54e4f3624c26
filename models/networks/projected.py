"""The discriminator of Projected GANs (Sauer et al. 2021, arXiv:2111.01007): it looks through a pretrained network.

A frozen network sees the picture; its features of four depths are mixed across channels and scales by convolutions
that are random and frozen as well; and a small discriminator of each mixture is all that learns. The generator is
FastGAN's. As in the authors' first code (github.com/autonomousvision/projected-gan), with `width=64` and features
of EfficientNet-lite0. Departures:

- Features may also be those of EfficientNet-B0, whose stages are cut where theirs are, or of VGG16.
- Pictures are shown as large as they are, unless `shown` says 224, which is the authors' for smaller ones; where
  features are small, discriminators stop at 4 px.
- The generator ends in tanh, theirs in the last convolution; of it, `models/networks/fastgan.py` says more.
- Labels come in by `projection`: the product of an embedding with the mean of a discriminator's last features is
  added to its logits, as in the other networks here.
"""

import math
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from models.layers.frozen import Frozen, bilinear
from models.layers.normalization import batch_norm
from models.layers.spectral import SpectralConv2D, SpectralDense, SpectralEmbedding
from models.networks import efficientnet_lite, vgg
from models.networks.condition import discriminator_inputs, sentence_outputs
from models.networks.pretrained import pretrained
from models.networks.sizes import square

Tensor = keras.KerasTensor

SIZES = (32, 64, 128, 256)
STAGES = {
    "vgg16": ("block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3"),
    "efficientnet_b0": ("block2b_add", "block3b_add", "block5c_add", "block7a_project_bn"),
    "efficientnet_lite0": (1, 2, 4, 6),
}
SMALLEST = {
    "vgg16": 32,
    "efficientnet_b0": 64,
    "efficientnet_lite0": 64,
}  # px, of whose deepest features, doubled, four are left
BIAS = 1000  # between the seed of a mixture and that of its biases
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean and deviation of colours in 0..1


def discriminator(
    image_shape: tuple[int, int, int],
    width: int = 64,
    features: str = "vgg16",
    shown: int | None = None,
    weights: str | Path | None = None,
    seed: int = 0,
    num_classes: int = 0,
    condition: str = "none",
) -> keras.Model:
    """Judges pictures by their features: image `[batch, size, size, channels]` (and label) -> logits `[batch, n]`.

    Images are in [-1, 1], of one or three channels; n counts the places that the four discriminators look at. With
    `auxiliary` the result is a dictionary of "logits" and "class_logits", with `text` that of `sentence_outputs`.

    Args:
        width: channels of the first mixture; the others have up to four times as many.
        features: whose, a name in `STAGES`.
        shown: px that pictures are brought to for the network; None: as they are.
        weights: file of that network without its top; None: ImageNet's, downloaded (of lite0, its package's).
        seed: of the random mixtures, which no checkpoint has.

    Raises `GessoError` where the weights cannot be had, `ValueError` for `condition="concat"`, and unless
    `image_shape` is square and of 32, 64, 128 or 256 px.
    """
    size, _ = square("Projected GAN", image_shape, SIZES)
    if (shown or size) < SMALLEST[features] or (shown or size) % 32:
        raise ValueError(
            f"features={features} wants pictures of {SMALLEST[features]} px, or a larger multiple of 32: "
            f"shown={SMALLEST[features]}."
        )
    if condition == "concat":
        raise ValueError("condition=concat: a pretrained network takes no planes of labels; take projection.")
    inputs, x, label = discriminator_inputs(image_shape, num_classes, condition)
    network = mixtures(encoder(features, shown or size, weights), width, seed)
    maps = Frozen(network, shown, name="features")(x)
    logits, pooled = [], []
    for i, x in enumerate(maps):
        last = _last_features(x, width, 4 - i, f"look_{i}")
        judged = _spectral(1, 4, padding="valid", use_bias=False, dtype="float32", name=f"look_{i}")(last)
        judged = layers.Flatten(dtype="float32", name=f"look_{i}_logits")(judged)
        mean = layers.GlobalAveragePooling2D(dtype="float32", name=f"look_{i}_mean")(last)
        if condition == "projection":
            embedding = SpectralEmbedding(num_classes, mean.shape[-1], dtype="float32", name=f"label_embedding_{i}")
            agreement = layers.Dot(axes=1, dtype="float32", name=f"projection_{i}")([mean, embedding(label)])
            judged = judged + agreement
        logits.append(judged)
        pooled.append(mean)
    outputs = layers.Concatenate(dtype="float32", name="logits")(logits)
    if condition == "auxiliary":
        classify = SpectralDense(num_classes, dtype="float32", name="class_logits")
        outputs = {"logits": outputs, "class_logits": classify(ops.concatenate(pooled, axis=1))}
    elif condition == "text":
        outputs = sentence_outputs(outputs, ops.concatenate(pooled, axis=1), label, SpectralDense)
    return keras.Model(inputs, outputs, name="discriminator")


def encoder(features: str, size: int, weights: str | Path | None) -> keras.Model:
    """Encodes images `[batch, size, size, 3]` in [-1, 1]: four maps, each half as large as the one before.

    Raises `GessoError` where the weights cannot be had.
    """
    image = keras.Input((size, size, 3), name="image")
    if features == "vgg16":
        maps = vgg.encoder(STAGES[features], weights)(image)
        return keras.Model(image, [maps[name] for name in STAGES[features]], name=features)
    if features == "efficientnet_lite0":
        network = efficientnet_lite.encoder(size, weights)
        return keras.Model(network.input, [network.outputs[i] for i in STAGES[features]], name=features)
    network = pretrained(features, weights)
    network = keras.Model(network.input, [network.get_layer(name).output for name in STAGES[features]])
    mean, deviation = (ops.array(numbers) for numbers in IMAGENET)
    colors = (image + 1) / 2
    if weights is not None:
        # Keras divides by the root of the deviation, too, which its file wants, but not where it is given the file.
        colors = mean + (colors - mean) / ops.sqrt(deviation)
    return keras.Model(image, network(255 * colors), name=features)


def mixtures(network: keras.Model, width: int, seed: int) -> keras.Model:
    """Mixes a network's four maps at random, first the channels of each, then each with all that are deeper.

    Images -> four maps of twice the size, of `width`, `width`, 2 `width` and 4 `width` channels (section 3.2).
    """
    maps = network.output
    channels = [width * 2**i for i in range(len(maps))]
    mix = [
        _random(count, seed + i, f"mix_channels_{i}")(x)
        for i, (x, count) in enumerate(zip(maps, channels, strict=True))
    ]
    mixed, x = [], None
    for i in reversed(range(len(maps))):
        x = mix[i] if x is None else layers.Add(name=f"mix_scales_{i}")([x, mix[i]])
        x = _doubled(x, f"mix_scales_{i}_up")
        x = _random(channels[max(i - 1, 0)], seed + len(maps) + i, f"mix_scales_{i}_out")(x)
        mixed.insert(0, x)
    return keras.Model(network.input, mixed, name="mixtures")


def _last_features(x: Tensor, width: int, halvings: int, name: str) -> Tensor:
    """Halves features down to 4 px, so many times at most, the last time to 8 `width` channels."""
    for i in reversed(range(min(halvings, int(math.log2(x.shape[1] / 4))))):
        x = _spectral(max(1, 8 * width // 2**i), 4, strides=2, name=f"{name}_{i}")(x)
        x = batch_norm(x, name=f"{name}_{i}_norm", momentum=0.9, epsilon=1e-5)
        x = layers.LeakyReLU(0.2, name=f"{name}_{i}_relu")(x)
    return x


def _spectral(filters: int, size: int, padding: str = "same", **options) -> layers.Layer:
    return SpectralConv2D(filters, size, padding=padding, **options)


def _random(filters: int, seed: int, name: str) -> Callable[[Tensor], Tensor]:
    """Mixes channels by a convolution as PyTorch initialises it, which is what the authors leave it at."""

    def mixed(x: Tensor) -> Tensor:
        bound = 1 / math.sqrt(x.shape[-1])
        kernel, bias = (keras.initializers.RandomUniform(-bound, bound, seed=seed + BIAS * i) for i in (0, 1))
        return layers.Conv2D(filters, 1, kernel_initializer=kernel, bias_initializer=bias, name=name)(x)

    return mixed


def _doubled(x: Tensor, name: str) -> Tensor:
    """Doubles features bilinearly, corners to corners (`align_corners` of PyTorch)."""
    before = x.shape[1]
    matrix = bilinear(np.linspace(0, before - 1, 2 * before), before)

    def product(x: tf.Tensor) -> tf.Tensor:
        doubling = tf.constant(matrix, x.dtype)
        return tf.einsum("ij,bjkc,lk->bilc", doubling, x, doubling)

    return layers.Lambda(product, name=name)(x)
