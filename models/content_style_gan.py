"""Style transfer with an adversary: what is painted is judged beside real works of that style.

The painter is AdaIN's (Huang & Belongie 2017, arXiv:1703.06868), with its losses, which compare statistics of
activations. A discriminator of patches that knows the style's class (projection, Miyato & Koyama 2018,
arXiv:1802.05637) asks in addition that brush strokes look like those of the paintings (as Sanakoyeu et al. 2018,
arXiv:1807.10201, do for one artist at a time).
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from losses.clipping import clipped
from models.adain import AdaIN
from models.base import Adversarial, added, functional, scale_loss_for, update

Tensor = tf.Tensor


class ContentStyleGAN(Adversarial, keras.Model):
    """AdaIN's decoder, trained by its own losses and by a discriminator. All state is in variables.

    Args:
        discriminator: builder, called with `image_shape` and `num_classes`; `models/networks/patchgan.py`.
        image_shape: of contents and styles; num_classes: of styles, 0 if they have none.
        width: of the decoder; weights: of the encoder, `vgg.encoder`.
        moments_layers, content_weight, style_weight, gram_weight: of AdaIN's losses, `models.adain.AdaIN.compile`.
        adversarial_weight: of the discriminator's opinion beside them.
        start: a stylizer to begin with, `models.trained.stylizer_of`; a decoder that paints nothing yet would
            teach the discriminator nothing.
        ema_decay: of the running average of the decoder, which is what is exported.
        seed: of penalties that draw points.
    """

    unsupported = ("generator_penalties", "weight_clipping", "relativistic")
    method = "adain"
    monitor = "style_loss"
    measures = (
        "content_loss",
        "style_loss",
        "generator_loss",
        "discriminator_loss",
        "discriminator_accuracy",
        "generator_gradient_norm",
        "discriminator_gradient_norm",
    )

    def __init__(
        self,
        discriminator: Callable[..., keras.Model],
        image_shape: tuple[int, int, int],
        moments_layers: Sequence[str],
        num_classes: int = 0,
        width: int = 64,
        weights: str | Path | None = None,
        content_weight: float = 1.0,
        style_weight: float = 10.0,
        gram_weight: float = 0.0,
        adversarial_weight: float = 1.0,
        start: keras.Model | None = None,
        ema_decay: float = 0.999,
        seed: int = 0,
    ):
        super().__init__(name="content_style_gan")
        self.painter = AdaIN(width, weights, start, ema_decay)
        self.discriminator = functional(
            discriminator(image_shape=image_shape, num_classes=num_classes), "discriminator"
        )
        self.num_classes = num_classes
        self.painter.set_losses(moments_layers, content_weight, style_weight, gram_weight)
        self.adversarial_weight = adversarial_weight
        self.init_state(seed)

    def trained_variables(self) -> tuple[list[keras.Variable], list[keras.Variable]]:
        """Returns the decoder's variables and the discriminator's."""
        return self.painter.decoder.trainable_variables, self.discriminator.trainable_variables

    @property
    def exports(self) -> dict[str, keras.Model]:
        """Returns the network that a user takes away, by file name."""
        return self.painter.exports

    def train_step(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        """Updates the discriminator once, then the decoder, on "content", "style" and the styles' "label"."""
        painter = self.painter
        target, style = painter.encode(data["content"], data["style"])

        def judge(images: Tensor) -> Tensor:
            return self.discriminator([images, data["label"]] if self.num_classes else images, training=True)

        with tf.GradientTape() as tape:
            image = clipped(painter.decoder(target, training=True))
            with tape.stop_recording():
                means = self.train_discriminator(judge, data["style"], image)
            losses = painter.losses_of(image, target, style)
            adversarial = self.generator_loss(judge(image))
            loss = added([*losses.values(), self.adversarial_weight * adversarial])
            objective = scale_loss_for(loss, self.generator_optimizer)
        norm = update(self.generator_optimizer, tape, objective, painter.decoder.trainable_variables)
        painter.follow(self.step)
        return self.update_metrics(
            means | losses | {"generator_loss": adversarial, "generator_gradient_norm": norm}
        )

    def preview(self, examples: dict[str, np.ndarray], columns: int = 8) -> np.ndarray:
        """Paints contents in styles, as `models.adain.AdaIN.preview`."""
        return self.painter.preview(examples, columns)
