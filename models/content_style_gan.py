"""Style transfer with an adversary: what is painted is judged beside real works of that style.

The painter is AdaIN's (Huang & Belongie 2017, arXiv:1703.06868), with its losses, which compare statistics of
activations. A discriminator of patches that knows the style's class (projection, Miyato & Koyama 2018,
arXiv:1802.05637) asks in addition that brush strokes look like those of the paintings (as Sanakoyeu et al. 2018,
arXiv:1807.10201, do for one artist at a time).
"""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from losses import perceptual
from models.adain import AdaIN
from models.networks import adain
from models.updates import accuracy, key, prepared, scaled, update

Tensor = tf.Tensor
Loss = Callable[..., Tensor]

PENALTY = 0  # what a random number of a step is for


class ContentStyleGAN(keras.Model):
    """AdaIN's decoder, trained by its own losses and by a discriminator. All state is in variables.

    Args:
        discriminator: builder, called with `image_shape` and `num_classes`; `models/networks/patchgan.py`.
        image_shape: of contents and styles; num_classes: of styles, 0 if they have none.
        width: of the decoder; weights: of the encoder, `vgg.encoder`.
        moments_layers, content_weight, style_weight: of AdaIN's losses, `models.adain.AdaIN.compile`.
        adversarial_weight: of the discriminator's opinion beside them.
        start: a stylizer to begin with, `models.saved.load_stylizer`; a decoder that paints nothing yet would
            teach the discriminator nothing.
        seed: of penalties that draw points.
    """

    def __init__(
        self,
        discriminator: Callable[..., keras.Model],
        image_shape: tuple[int, int, int],
        moments_layers: Mapping[str, float],
        num_classes: int = 0,
        width: int = 64,
        weights: str | Path | None = None,
        content_weight: float = 1.0,
        style_weight: float = 10.0,
        adversarial_weight: float = 1.0,
        start: keras.Model | None = None,
        seed: int = 0,
    ):
        super().__init__(name="content_style_gan")
        self.painter = AdaIN(image_shape, width, weights)
        if start is not None:
            self.painter.stylizer.set_weights(start.get_weights())
        self.discriminator = discriminator(image_shape=image_shape, num_classes=num_classes)
        self.num_classes = num_classes
        self.losses_of_painter = {
            "moments_layers": moments_layers, "content_weight": content_weight, "style_weight": style_weight
        }  # fmt: skip
        self.adversarial_weight = adversarial_weight
        self.seed = seed
        self.means: dict[str, keras.metrics.Mean] = {}
        self.step = self.add_weight((), "zeros", "int64", trainable=False, name="step")

    def compile(
        self,
        generator_optimizer: keras.Optimizer,
        discriminator_optimizer: keras.Optimizer,
        generator_loss: Loss,
        discriminator_loss: Loss,
        penalties: Mapping[str, Loss] | None = None,
        weight_clipping: float | None = None,
        threshold: float | None = 0.0,
        jit_compile: str | bool = "auto",
    ) -> None:
        """Sets the adversarial objective and the optimizers.

        Raises `ValueError` for objectives that this system does not have: clipping, relativistic losses.
        """
        if weight_clipping is not None or "real_logits" in inspect.signature(generator_loss).parameters:
            raise ValueError("This system takes no weight clipping and no relativistic loss.")
        super().compile(optimizer=None, jit_compile=jit_compile)
        self.painter.compile(generator_optimizer, **self.losses_of_painter)
        self.generator_optimizer = self.painter.decoder_optimizer
        self.discriminator_optimizer = prepared(discriminator_optimizer, self.discriminator.trainable_variables)
        self.generator_loss = generator_loss
        self.discriminator_loss = discriminator_loss
        self.penalties = dict(penalties or {})
        self.threshold = threshold
        names = (*_MEANS, *(f"{name}_penalty" for name in self.penalties))
        self.means = {name: keras.metrics.Mean(name=name) for name in names}
        self.built = True

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Means over the steps since they were last reset."""
        return list(self.means.values())

    @property
    def optimizers(self) -> dict[str, keras.Optimizer]:
        """The optimizers by the name of the network that they train."""
        return {"generator": self.generator_optimizer, "discriminator": self.discriminator_optimizer}

    @property
    def exports(self) -> dict[str, keras.Model]:
        """The network that a user takes away, by file name."""
        return self.painter.exports

    @property
    def batches_per_step(self) -> int:
        """How many batches one step takes."""
        return 1

    def train_step(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        """One update of the discriminator and one of the decoder, on "content", "style" and the styles' "label"."""
        painter, labels = self.painter, data.get("label")
        both = painter.encoder(ops.concatenate([data["content"], data["style"]]), training=False)
        content, style = ({name: ops.split(x, 2)[i] for name, x in both.items()} for i in range(2))
        target = perceptual.adain(content[adain.BOTTLENECK], perceptual.moments(style[adain.BOTTLENECK]))
        with tf.GradientTape() as tape:
            image = painter.decoder(target, training=True)
            with tape.stop_recording():
                means = self._train_discriminator(data["style"], image, labels)
            losses = painter.losses_of(image, target, style)
            adversarial = self.generator_loss(self._judge(image, labels))
            loss = sum(losses.values()) + self.adversarial_weight * adversarial
            objective = scaled(loss, self.generator_optimizer)
        norm = update(self.generator_optimizer, tape, objective, painter.decoder.trainable_variables)
        self.step.assign(self.step + 1)
        means |= losses | {"generator_loss": adversarial, "generator_gradient_norm": norm}
        for name, value in means.items():
            self.means[name].update_state(value)
        return {name: mean.result() for name, mean in self.means.items()}

    def _train_discriminator(self, reals: Tensor, fakes: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        with tf.GradientTape() as tape:
            real, fake = self._judge(reals, labels), self._judge(fakes, labels)
            loss = self.discriminator_loss(real, fake)
            terms = {
                f"{name}_penalty": penalty(
                    lambda images: self._judge(images, labels), reals, fakes, key(self.seed, PENALTY, self.step),
                    tf.convert_to_tensor(self.step),
                )
                for name, penalty in self.penalties.items()
            }  # fmt: skip
            objective = scaled(loss + sum(terms.values()), self.discriminator_optimizer)
        norm = update(self.discriminator_optimizer, tape, objective, self.discriminator.trainable_variables)
        return terms | {
            "discriminator_loss": loss,
            "discriminator_gradient_norm": norm,
            "discriminator_accuracy": accuracy(real, fake, self.threshold),
        }

    def _judge(self, images: Tensor, labels: Tensor | None) -> Tensor:
        return self.discriminator([images, labels] if self.num_classes else images, training=True)

    def preview(self, examples: dict[str, np.ndarray], columns: int = 8) -> np.ndarray:
        """As `models.adain.AdaIN.preview`."""
        return self.painter.preview(examples, columns)


_MEANS = (
    "content_loss",
    "style_loss",
    "generator_loss",
    "discriminator_loss",
    "discriminator_accuracy",
    "generator_gradient_norm",
    "discriminator_gradient_norm",
)
