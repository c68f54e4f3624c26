"""VGG (Simonyan & Zisserman 2014, arXiv:1409.1556): how a network trained to name things sees a picture.

Its early layers respond to edges and colours, its late ones to objects; perceptual losses compare pictures there.
"""

from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf
from keras import layers, ops

from core.errors import GessoError
from models.networks.pretrained import pretrained

MEAN_BGR = (103.939, 116.779, 123.68)  # of ImageNet: what the network was trained to find subtracted
BLOCKS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}  # convolutions
FILTERS = (64, 128, 256, 512, 512)
L2_SCALE = 0.78  # keeps activations about as large as max pooling does, as crowsonkb/style-transfer-pytorch found


class L2Pooling(layers.AveragePooling2D):
    """A layer that gives the root of the sum of squares of 2x2 places, scaled: smoother than their maximum."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        # Of four zeros, the slope is 0 and not infinite; in float16, squares would be.
        squares = super().call(ops.square(ops.cast(inputs, "float32")))
        return ops.cast(L2_SCALE * 2 * ops.sqrt(ops.maximum(squares, 1e-8)), inputs.dtype)


class Edge(layers.Layer):
    """A layer that repeats the pixels at the edges once, outwards, where convolutions would put zeros."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.pad(inputs, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")


POOLING = {"max": layers.MaxPooling2D, "average": layers.AveragePooling2D, "l2": L2Pooling}
PADDING = ("zeros", "edge")


def layer_names(network: str) -> list[str]:
    """Lists the layers: `block1_conv1` to `block5_conv3` (VGG16) or `block5_conv4` (VGG19)."""
    return [f"block{b}_conv{i}" for b, n in enumerate(BLOCKS[network], 1) for i in range(1, n + 1)]


def stride(name: str) -> int:
    """Counts the pixels between two places of a layer: 1 in block 1, 16 in block 5."""
    return 2 ** (int(name[len("block")]) - 1)


def encoder(
    names: Sequence[str],
    weights: str | Path | None = None,
    network: str = "vgg16",
    pooling: str = "max",
    padding: str = "zeros",
) -> keras.Model:
    """Encodes images `[batch, height, width, 3]` in [-1, 1]: activations by layer name, after ReLU; not trainable.

    One pass gives all layers in `names`, and goes no deeper than the deepest. With max pooling the activations are
    those of `keras.applications`; average and l2 pooling give smoother gradients (Gatys et al. 2016). `padding` is
    what convolutions see beyond the picture: zeros, as in training, or its edge repeated, which is no dark frame.
    Computes in the precision of the policy; the activations are in it too.

    Raises `GessoError` for a layer, network, pooling or padding that does not exist, and where `weights` (a file of
    `keras.applications.VGG16(include_top=False)`, or ImageNet's from the network if None) cannot be had.
    """
    choices = (("network", network, BLOCKS), ("pooling", pooling, POOLING), ("padding", padding, PADDING))
    for key, value, allowed in choices:
        if value not in allowed:
            raise GessoError(f"{key}={value}: it must be one of {', '.join(allowed)}.")
    known = layer_names(network)
    for name in names:
        if name not in known:
            raise GessoError(f"{network} has no layer {name}. There are: {', '.join(known)}.")
    source = pretrained(network, weights)
    last = max(known.index(name) for name in names)
    own = "same" if padding == "zeros" else "valid"  # of the convolutions
    image = keras.Input((None, None, 3), name="image")
    x, outputs, i = Preprocess(name="preprocess")(image), {}, 0
    for block, count in enumerate(BLOCKS[network]):
        if block and i <= last:
            x = POOLING[pooling](2, name=f"block{block}_pool")(x)
        for _ in range(count):
            if i <= last:
                if padding == "edge":
                    x = Edge(name=f"{known[i]}_edge")(x)
                x = layers.Conv2D(FILTERS[block], 3, padding=own, activation="relu", name=known[i])(x)
                if known[i] in names:
                    outputs[known[i]] = x
                i += 1
    model = keras.Model(image, outputs, name=network)
    for name in known[: last + 1]:
        model.get_layer(name).set_weights(source.get_layer(name).get_weights())
    model.trainable = False
    return model


@keras.saving.register_keras_serializable(package="gesso")
class Preprocess(layers.Layer):
    """A layer that makes what VGG was trained on: RGB in [-1, 1] -> BGR in 0..255 less ImageNet's mean colour."""

    def call(self, images: tf.Tensor) -> tf.Tensor:
        images = (ops.cast(images, "float32") + 1.0) * 127.5
        return ops.cast(images[..., ::-1] - ops.convert_to_tensor(MEAN_BGR), self.compute_dtype)
