"""Arbitrary style transfer by adaptive instance normalisation (Huang & Belongie 2017, arXiv:1703.06868).

An encoder, VGG up to its fourth block; AdaIN, which gives the content's activations the mean and deviation that
the style's have; and a decoder, the encoder's mirror image, which paints what those activations show.
"""

from collections.abc import Sequence
from pathlib import Path

import keras
from keras import layers

from core.network_metadata import Geometry
from models.layers.normalization import AdaptiveInstanceNormalization
from models.layers.resampling import ReflectionPadding2D, ToPictureConv2D, UpsamplingConv2D
from models.networks import vgg

BOTTLENECK = "block4_conv1"
CHANNELS = 512
SCALE = 1 / 400  # to deviations of about 1: VGG's inputs go to 255
# Stride: px between two places of the bottleneck. Edge: VGG pads with black, and a frame would be painted.
GEOMETRY = Geometry(stride=8, reach=72, edge=32)


def decoder(width: int = 64) -> keras.Model:
    """Paints activations of the bottleneck `[batch, height, width, 512]`: image `[batch, 8 height, 8 width, 3]`.

    `width`: channels at full size; 64 mirrors VGG. The image is float32, and its values are not bounded, as in the
    authors' code: with a tanh, large first steps pin all pixels to black or white, where the gradient is 0, and
    training never comes back.
    """
    features = keras.Input((None, None, CHANNELS), name="features")

    def conv(x, filters: int, name: str):
        x = ReflectionPadding2D(1, name=f"{name}_pad")(x)
        return layers.Conv2D(filters, 3, activation="relu", name=name)(x)

    x = layers.Rescaling(SCALE, name="scale")(features)
    x = conv(x, width * 4, "in")
    for i, filters in enumerate((width * 4, width * 2, width), 1):
        x = UpsamplingConv2D(filters, name=f"up{i}")(x)
        x = layers.ReLU(name=f"up{i}_relu")(x)
        x = conv(x, max(width, filters // 2) if i < 3 else width, f"conv{i}")
    x = ReflectionPadding2D(1, name="out_pad")(x)
    x = ToPictureConv2D(3, 3, name="out")(x)
    return keras.Model(features, layers.Activation("linear", dtype="float32", name="picture")(x), name="decoder")


def stylizer(width: int = 64, weights: str | Path | None = None) -> keras.Model:
    """Paints an image in [-1, 1] in a style: encoder, AdaIN, decoder. Only the decoder is to be trained.

    Inputs by name: "image" `[batch, height, width, 3]` in [-1, 1], sides divisible by 8; "mean" and "deviation"
    `[batch, 512]`, a style's moments at the bottleneck (`perceptual.moments` of the layer's output; blends of
    several styles' are allowed); "strength" `[batch, 1]` from 0, the content, to 1. Raises `GessoError` as
    `vgg.encoder` does.
    """
    return assembled(vgg.encoder([BOTTLENECK], weights), decoder(width))


def assembled(encoder: keras.Model, decoder: keras.Model) -> keras.Model:
    """Joins an encoder, image -> `{BOTTLENECK: activations}`, and a decoder to a `stylizer`; both stay shared."""
    image = encoder.input
    mean, deviation = (keras.Input((CHANNELS,), name=name) for name in ("mean", "deviation"))
    strength = keras.Input((1,), name="strength")
    features = encoder.output[BOTTLENECK]
    painted = decoder(AdaptiveInstanceNormalization(name="adain")(features, mean, deviation, strength))
    painted = layers.Activation("hard_tanh", dtype="float32", name="clipped")(painted)
    inputs = {"image": image, "mean": mean, "deviation": deviation, "strength": strength}
    network = keras.Model(inputs, painted, name="adain")
    network.geometry = GEOMETRY
    return network


def encoder(stylizer: keras.Model, names: Sequence[str] = (BOTTLENECK,)) -> keras.Model:
    """Cuts the encoder out of a stylizer: image -> activations by layer name."""
    return keras.Model(stylizer.input["image"], {name: stylizer.get_layer(name).output for name in names})
