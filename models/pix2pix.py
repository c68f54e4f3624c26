"""Image-to-image translation from pairs (pix2pix: Isola, Zhu, Zhou & Efros 2017, arXiv:1611.07004)."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from losses import reconstruction
from losses.clipping import clipped
from models.average import averaged, follow
from models.base import Adversarial, added, functional, scale_loss_for, update
from models.networks import unet
from models.perceptual import Perceptual
from models.preview import fit_to
from models.trained import take_over

Tensor = tf.Tensor

SEEN = ("block1_conv2", "block2_conv2", "block3_conv3")  # of VGG, relu1_2, relu2_2 and relu3_3: texture, not things


class Pix2Pix(Adversarial, keras.Model):
    """A generator that learns what target belongs to a source, and a discriminator that sees both.

    The mean absolute error says what should be where, but is content with a blur where it cannot know; the
    discriminator, which looks at patches, asks for texture. So may VGG, by the distance of its activations and of
    their Gram matrices, as Liu et al. 2018 (arXiv:1804.07723) ask of holes. All state is in variables: a run that
    goes on from a checkpoint cannot be told from one that never stopped.

    Args:
        generator, discriminator: builders, called with `image_shape` and `source_shape`, as those in
            `models/networks/unet.py` and `patchgan.py`.
        image_shape, source_shape: of targets and sources.
        reconstruction_weight: of the mean absolute error, of holes if there are any, beside the adversarial loss.
        content_weight, style_weight: of distances from the target of what VGG sees in `SEEN`, on its 0..255 scale,
            and of their Gram matrices; `models.perceptual.Perceptual`. Without both, VGG is not asked.
        weights: of VGG, `vgg.encoder`.
        ema_decay: of the running average of the generator, which is what is exported, `models.average.follow`.
        start: a translator of the same kind to go on from, `models.trained.translator_of`; it may lack the U-Net's
            layers at full size.
        seed: of penalties that draw points, and of margins that are drawn.
    """

    unsupported = ("generator_penalties", "weight_clipping")
    method = "translate"
    monitor = "l1_loss"
    measures = (
        "generator_loss",
        "l1_loss",
        "discriminator_loss",
        "discriminator_accuracy",
        "generator_gradient_norm",
        "discriminator_gradient_norm",
    )

    def __init__(
        self,
        generator: Callable[..., keras.Model],
        discriminator: Callable[..., keras.Model],
        image_shape: tuple[int, int, int],
        source_shape: tuple[int, int, int],
        reconstruction_weight: float = 100.0,
        content_weight: float = 0.0,
        style_weight: float = 0.0,
        weights: str | Path | None = None,
        ema_decay: float = 0.999,
        start: keras.Model | None = None,
        seed: int = 0,
    ):
        super().__init__(name="pix2pix")
        self.reconstruction_weight = reconstruction_weight
        self.perceptual = None
        if content_weight or style_weight:
            weighed = {"content_weight": content_weight, "style_weight": style_weight, "weights": weights}
            self.perceptual = Perceptual(SEEN, SEEN, **weighed)
        shapes = {"image_shape": image_shape, "source_shape": source_shape}
        self.generator = functional(generator(**shapes), "generator")
        self.discriminator = functional(discriminator(**shapes), "discriminator")
        if start is not None:
            take_over(start, self.generator, beyond=unet.FULL)
        self.ema = averaged(self.generator)
        self.ema_decay = ema_decay
        self.init_state(seed)

    @property
    def exports(self) -> dict[str, keras.Model]:
        """Returns the network that a user takes away, by file name."""
        return {"translator": self.ema}

    def mean_names(self) -> list[str]:
        """Names of what a step measures, penalties aside."""
        return [*self.measures, *(["perceptual_loss"] if self.perceptual else [])]

    def train_step(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        """Updates the discriminator once, then the generator, on `data["source"]` and `data["target"]`.

        The two share the generator's forward pass: its tape is paused while the discriminator learns.
        """
        source, target = data["source"], data["target"]

        def judge(images: Tensor) -> Tensor:
            return self.discriminator([images, source], training=True)

        with tf.GradientTape() as tape:
            image = clipped(self.generator(source, training=True))  # what fills holes is added to what is there
            with tape.stop_recording():
                # The paper halves its objective, which Adam does not notice.
                means = self.train_discriminator(judge, target, image)
                real = {"real_logits": judge(target)} if self.relativistic else {}
            adversarial = self.generator_loss(judge(image), **real)
            error = reconstruction.l1(image, target, self._holes(source))
            terms = [adversarial, self.reconstruction_weight * error]
            if self.perceptual:
                means["perceptual_loss"] = self._distance(image, target)
                terms.append(means["perceptual_loss"])
            objective = scale_loss_for(added(terms), self.generator_optimizer)
        norm = update(self.generator_optimizer, tape, objective, self.generator.trainable_variables)
        follow(self.ema, self.generator, self.step, self.ema_decay)
        means |= {"generator_loss": adversarial, "l1_loss": error, "generator_gradient_norm": norm}
        return self.update_metrics(means)

    def _distance(self, image: Tensor, target: Tensor) -> Tensor:
        """Computes how far a picture is from another as VGG sees them, weighed."""
        seen, wanted = (self.perceptual.encoder(pictures, training=False) for pictures in (image, target))
        styles = [self.perceptual.style(features) for features in (seen, wanted)]
        return self.perceptual.content_loss(seen, wanted) + self.perceptual.style_loss(*styles)

    def _holes(self, source: Tensor) -> Tensor | None:
        """Returns the channel of a picture with holes that says where they are: all else is known, and no error."""
        channels = self.generator.output_shape[-1]
        return source[..., channels:] if source.shape[-1] == channels + 1 else None

    def preview(self, examples: dict[str, np.ndarray], columns: int = 8) -> np.ndarray:
        """Translates sources; returns rows of `columns` sources, of their translations, and of targets."""
        source, target = (tf.constant(examples[name][:columns]) for name in ("source", "target"))
        image = self.ema(source, training=False)
        return np.concatenate([fit_to(source, target.shape), image, target])
