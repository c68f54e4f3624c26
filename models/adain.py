"""Training of AdaIN (Huang & Belongie 2017, arXiv:1703.06868): any style in one pass."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from losses import perceptual
from losses.clipping import clipped
from models.average import averaged, follow
from models.base import Trainable, added, prepared, scale_loss_for, update
from models.networks import adain
from models.trained import take_over

Tensor = tf.Tensor


class AdaIN(Trainable, keras.Model):
    """A decoder that learns to paint the activations that AdaIN makes of a content and a style.

    All state is in variables: a run that goes on from a checkpoint cannot be told from one that never stopped.
    Nothing in a step is random.

    Args:
        width: of the decoder; weights: of the encoder, see `vgg.encoder`.
        start: a stylizer to go on from; of the same width.
        ema_decay: of the running average of the decoder, which is what is exported, `models.average.follow`.
    """

    method = "adain"
    monitor = "total_loss"

    def __init__(
        self,
        width: int = 64,
        weights: str | Path | None = None,
        start: keras.Model | None = None,
        ema_decay: float = 0.999,
    ):
        super().__init__(name="adain")
        self.stylizer = adain.stylizer(width, weights)
        if start is not None:
            take_over(start, self.stylizer)
        self.decoder = self.stylizer.get_layer("decoder")
        self.average = averaged(self.decoder)
        self.exported = adain.assembled(adain.encoder(self.stylizer), self.average)
        self.ema_decay = ema_decay
        self.init_state()

    def compile(
        self,
        optimizer: keras.Optimizer,
        moments_layers: Sequence[str],
        content_weight: float = 1.0,
        style_weight: float = 10.0,
        gram_weight: float = 0.0,
        jit_compile: str | bool = "auto",
    ) -> None:
        """Sets the optimizer and the losses, as `set_losses` takes them."""
        super().compile(optimizer=None, jit_compile=jit_compile)
        self.set_losses(moments_layers, content_weight, style_weight, gram_weight)
        self.decoder_optimizer = prepared(optimizer, self.decoder.trainable_variables, self.step)
        self.track(("total_loss", "content_loss", "style_loss"))

    def set_losses(
        self, moments_layers: Sequence[str], content_weight: float, style_weight: float, gram_weight: float
    ) -> None:
        """Sets what `losses_of` weighs; `moments_layers` names the layers whose moments and Gram matrices count."""
        self.moments_layers = list(moments_layers)
        self.content_weight = content_weight
        self.style_weight = style_weight
        self.gram_weight = gram_weight
        self.encoder = adain.encoder(self.stylizer, sorted({*moments_layers, adain.BOTTLENECK}))

    @property
    def optimizers(self) -> dict[str, keras.Optimizer]:
        """Returns the optimizer by the name of the network that it trains."""
        return {"decoder": self.decoder_optimizer}

    @property
    def exports(self) -> dict[str, keras.Model]:
        """Returns the network that a user takes away, by file name."""
        return {"stylizer": self.exported}

    def encode(self, content: Tensor, style: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the bottleneck that AdaIN makes of the two, and the encoder's outputs of the style pictures."""
        both = self.encoder(ops.concatenate([content, style]), training=False)
        contents, styles = ({name: ops.split(x, 2)[i] for name, x in both.items()} for i in range(2))
        target = perceptual.adain(contents[adain.BOTTLENECK], perceptual.moments(styles[adain.BOTTLENECK]))
        return target, styles

    def losses_of(self, images: Tensor, target: Tensor, style: dict[str, Tensor]) -> dict[str, Tensor]:
        """Computes how far images are from the activations that they are to have, and from a style's.

        `target` is the bottleneck that the decoder was given, `style` the encoder's outputs of the style pictures.
        Of the style, moments count, which is what AdaIN sets, and with `gram_weight` also Gram matrices: which
        channels fire together. Each layer's distance is relative to the strength of what is aimed at.
        """
        features = self.encoder(images, training=False)
        content = perceptual.content_loss(features[adain.BOTTLENECK], target) / perceptual.strength(target)
        styles = [
            perceptual.moments_loss(perceptual.moments(features[name]), perceptual.moments(style[name]))
            / perceptual.strength(style[name])
            for name in self.moments_layers
        ]
        style_loss = self.style_weight * added(styles)
        if self.gram_weight:
            grams = [
                [perceptual.gram_matrix(outputs[name]) for outputs in (features, style)]
                for name in self.moments_layers
            ]
            distances = [perceptual.gram_loss(gram, aim) / perceptual.strength(aim) for gram, aim in grams]
            style_loss += self.gram_weight * added(distances)
        return {"content_loss": self.content_weight * content, "style_loss": style_loss}

    def train_step(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        """Updates the decoder once, on the pictures `data["content"]` in the styles of `data["style"]`."""
        target, style = self.encode(data["content"], data["style"])
        with tf.GradientTape() as tape:
            losses = self.losses_of(clipped(self.decoder(target, training=True)), target, style)
            loss = added(losses.values())
            scaled_loss = scale_loss_for(loss, self.decoder_optimizer)
        update(self.decoder_optimizer, tape, scaled_loss, self.decoder.trainable_variables)
        self.follow(self.step)
        return self.update_metrics({"total_loss": loss, **losses})

    def follow(self, step: Tensor) -> None:
        """Has the running average follow the decoder after a step."""
        follow(self.average, self.decoder, step, self.ema_decay)

    def preview(self, examples: dict[str, np.ndarray], columns: int = 8) -> np.ndarray:
        """Paints `columns` contents in as many styles; returns a row of each, and a row of what is painted."""
        content, style = (examples[name][:columns] for name in ("content", "style"))
        moments = perceptual.moments(adain.encoder(self.stylizer)(style)[adain.BOTTLENECK])
        mean, deviation = (ops.reshape(part, (len(style), -1)) for part in moments)
        strength = tf.ones((len(style), 1))
        inputs = {"image": tf.constant(content), "mean": mean, "deviation": deviation, "strength": strength}
        return np.concatenate([content, style, self.exported(inputs, training=False).numpy()])
