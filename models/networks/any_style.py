"""A network for any style (Ghiasi et al. 2017, "Exploring the structure of a real-time, arbitrary neural artistic
stylization network", arXiv:1705.06830): one part reads a painting, the other paints in its manner.

The part that paints is that of many styles (`transform_net.transformer`), whose normalisations blend the scales
and offsets of `styles` rows. What is read of a painting, its code, says how much of each row: the linear layers
that the paper has for each normalisation. In place of the paper's Inception-v3, a painting is read off means and
deviations of EfficientNet-lite0's first stages: 1 million weights in place of 22, and nothing of VGG.
"""

from pathlib import Path

import keras
from keras import layers, ops

from core.errors import GessoError
from models.networks import efficientnet_lite
from models.networks.transform_net import transformer

STAGES = 5  # of EfficientNet-lite0: to 112 channels at a sixteenth of the size


@keras.saving.register_keras_serializable(package="gesso")
class Moments(layers.Layer):
    """Each channel's mean and deviation over all places: `[batch, height, width, c]` -> float32 `[batch, 2 c]`."""

    def __init__(self, **options):
        super().__init__(**options | {"dtype": "float32"})

    def call(self, inputs):
        mean, variance = ops.moments(inputs, axes=(1, 2))
        return ops.concatenate([mean, ops.sqrt(variance + 1e-5)], axis=-1)

    def compute_output_shape(self, shape: tuple) -> tuple:
        return (shape[0], 2 * shape[-1])


def reader(dimensions: int, weights: str | Path | None = None) -> keras.Model:
    """Reads a painting: `[batch, height, width, 3]` in [-1, 1], any size -> a code, float32 `[batch, dimensions]`.

    A code begins as an equal share of all rows, whatever the painting. The stages of EfficientNet-lite0 stay as
    they are; `weights` as `efficientnet_lite.encoder` takes them. Raises `GessoError` as it does.
    """
    encoder = efficientnet_lite.encoder(None, weights)
    for layer in encoder.layers:
        layer.trainable = False
    x = [Moments(name=f"of_stage_{i}")(x) for i, x in enumerate(encoder.outputs[:STAGES], 1)]
    x = layers.Concatenate(name="read", dtype="float32")(x)
    x = layers.LayerNormalization(name="read_norm", dtype="float32")(x)
    x = layers.Dense(2 * dimensions, activation="relu", name="hidden", dtype="float32")(x)
    # Shares that add up to about 1: unscaled, one step of Adam would move each by more than all of that.
    faint = keras.initializers.VarianceScaling(0.01)
    x = layers.Dense(dimensions, kernel_initializer=faint, bias_initializer="ones", name="shares", dtype="float32")(
        x
    )
    x = layers.Rescaling(1 / dimensions, name="code", dtype="float32")(x)
    return keras.Model(encoder.input, x, name="reader")


def stylizer(
    dimensions: int = 64,
    width: int = 32,
    blocks: int = 5,
    weights: str | Path | None = None,
    normalize: str = "all",
) -> keras.Model:
    """Paints a picture in the manner of a painting: inputs "image" and "style", both `[batch, height, width, 3]` in
    [-1, 1], the picture's sides divisible by 4 -> `[batch, height, width, 3]`, float32, to be clipped.

    `dimensions` of the code; `width`, `blocks` and `normalize` of the part that paints, `weights` of the one that
    reads. `parts` takes the two apart: one painting serves many pictures.
    """
    paints = transformer(width, blocks, dimensions, output="linear", normalize=normalize)
    return assembled(reader(dimensions, weights), paints)


def assembled(reads: keras.Model, paints: keras.Model) -> keras.Model:
    """Joins the two parts to a `stylizer`; both stay shared."""
    image, style = (keras.Input((None, None, 3), name=name) for name in ("image", "style"))
    network = keras.Model({"image": image, "style": style}, paints([image, reads(style)]), name="any_style")
    network.geometry = paints.geometry
    return network


def parts(stylizer: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Returns the two parts: painting -> code, and picture and code -> picture. `GessoError` without them."""
    named = {layer.name: layer for layer in stylizer.layers}
    if not {"reader", "transformer"} <= {*named}:
        raise GessoError("This network is not made of a part that reads paintings and one that paints.")
    return named["reader"], named["transformer"]
