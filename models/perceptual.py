"""The objective of style transfer: how far a picture is from a content and from styles, as VGG sees them."""

from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf

from core.errors import GessoError
from losses import perceptual
from models.base import added
from models.networks import vgg

Tensor = tf.Tensor
Features = dict[str, Tensor]

# The objective unless told otherwise; conf/loss/perceptual.yaml says the same, and evaluation measures it.
CONTENT_LAYERS = ("block4_conv2",)
STYLE_LAYERS = tuple(f"block{i}_conv1" for i in range(1, 6))
STYLE_WEIGHT = 30.0  # the content's is 1


class Perceptual:
    """A weighted sum of content, style and smoothness losses, from one encoder pass over the picture.

    Args:
        content_layers, style_layers: layer names; `vgg.layer_names` has them all.
        content_layer_weights, style_layer_weights: as many numbers, or None: 1 each. `GessoError` otherwise.
        content_weight, style_weight, smoothness: of the three sums. The defaults give both something to say on
            VGG's 0..255 scale.
        network, pooling, padding, weights: which encoder; `vgg.encoder`. Raises `GessoError` as it does.
    """

    def __init__(
        self,
        content_layers: Sequence[str] = CONTENT_LAYERS,
        style_layers: Sequence[str] = STYLE_LAYERS,
        content_layer_weights: Sequence[float] | None = None,
        style_layer_weights: Sequence[float] | None = None,
        content_weight: float = 1.0,
        style_weight: float = STYLE_WEIGHT,
        smoothness: float = 0.0,
        network: str = "vgg16",
        pooling: str = "max",
        padding: str = "zeros",
        weights: str | Path | None = None,
    ):
        self.content_layers = _weighted("content", content_layers, content_layer_weights)
        self.style_layers = _weighted("style", style_layers, style_layer_weights)
        self.content_weight = content_weight
        self.style_weight = style_weight
        self.smoothness = smoothness
        names = [*self.content_layers, *self.style_layers]
        if not names:
            raise GessoError("content_layers and style_layers are both empty: nothing would be looked at.")
        self.encoder = vgg.encoder(names, weights, network, pooling, padding)
        # The part of it that a content target takes, where nobody asks for its style.
        outputs = {name: self.encoder.output[name] for name in self.content_layers}
        self.content_encoder = keras.Model(self.encoder.input, outputs) if outputs else None

    def content_of(self, images: Tensor) -> Features:
        """Computes the content of pictures in [-1, 1], of one pass as far as it is deep."""
        return self.content_encoder(images, training=False) if self.content_encoder else {}

    def content(self, features: Features) -> Features:
        """Picks the content from the encoder's outputs."""
        return {name: features[name] for name in self.content_layers}

    def style(self, features: Features, masks: Features | None = None) -> Features:
        """Computes Gram matrices of the style layers, float32 `[batch, regions, channels, channels]`.

        `masks`, float `[regions, height, width, 1]` by layer: which of its places belong to a region. Without
        them there is one region, everywhere.
        """
        return {name: _grams(features[name], masks and masks[name]) for name in self.style_layers}

    def content_loss(self, features: Features, targets: Features) -> Tensor:
        """Computes how far the content layers' activations are from those of another picture of that size."""
        losses = [w * perceptual.content_loss(features[n], targets[n]) for n, w in self.content_layers.items()]
        return self.content_weight * added(losses)

    def style_loss(self, grams: Features, targets: Features) -> Tensor:
        """Computes how far Gram matrices are from a style's; the two broadcast: one style serves a whole batch."""
        losses = [w * perceptual.gram_loss(grams[n], targets[n]) for n, w in self.style_layers.items()]
        return self.style_weight * added(losses)

    def smoothness_loss(self, images: Tensor) -> Tensor:
        """Computes the total variation of images in [-1, 1]."""
        return self.smoothness * perceptual.total_variation(images)


def _weighted(kind: str, names: Sequence[str], weights: Sequence[float] | None) -> dict[str, float]:
    weights = [1.0] * len(names) if weights is None else list(weights)
    if len(weights) != len(names):
        raise GessoError(f"{kind}_layers names {len(names)} layers, {kind}_layer_weights {len(weights)} numbers.")
    return dict(zip(names, weights, strict=True))


def _grams(features: Tensor, masks: Tensor | None) -> Tensor:
    if masks is None:
        return perceptual.gram_matrix(features)[:, None]
    return tf.stack([perceptual.gram_matrix(features, mask[None]) for mask in tf.unstack(masks)], axis=1)
