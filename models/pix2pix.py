"""Image-to-image translation from pairs (pix2pix: Isola, Zhu, Zhou & Efros 2017, arXiv:1611.07004)."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from losses import reconstruction
from losses.clipping import clipped
from models.average import averaged, follow
from models.base import Adversarial, functional, scale_loss_for, update
from models.preview import fit_to
from models.trained import take_over

Tensor = tf.Tensor


class Pix2Pix(Adversarial, keras.Model):
    """A generator that learns what target belongs to a source, and a discriminator that sees both.

    The mean absolute error says what should be where, but is content with a blur where it cannot know; the
    discriminator, which looks at patches, asks for texture. All state is in variables: a run that goes on from a
    checkpoint cannot be told from one that never stopped.

    Args:
        generator, discriminator: builders, called with `image_shape` and `source_shape`, as those in
            `models/networks/unet.py` and `patchgan.py`.
        image_shape, source_shape: of targets and sources.
        reconstruction_weight: of the mean absolute error, of holes if there are any, beside the adversarial loss.
        ema_decay: of the running average of the generator, which is what is exported, `models.average.follow`.
        start: a translator of the same kind to go on from, `models.trained.translator_of`.
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
        ema_decay: float = 0.999,
        start: keras.Model | None = None,
        seed: int = 0,
    ):
        super().__init__(name="pix2pix")
        self.reconstruction_weight = reconstruction_weight
        shapes = {"image_shape": image_shape, "source_shape": source_shape}
        self.generator = functional(generator(**shapes), "generator")
        self.discriminator = functional(discriminator(**shapes), "discriminator")
        if start is not None:
            take_over(start, self.generator)
        self.ema = averaged(self.generator)
        self.ema_decay = ema_decay
        self.init_state(seed)

    @property
    def exports(self) -> dict[str, keras.Model]:
        """Returns the network that a user takes away, by file name."""
        return {"translator": self.ema}

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
            objective = scale_loss_for(adversarial + self.reconstruction_weight * error, self.generator_optimizer)
        norm = update(self.generator_optimizer, tape, objective, self.generator.trainable_variables)
        follow(self.ema, self.generator, self.step, self.ema_decay)
        means |= {"generator_loss": adversarial, "l1_loss": error, "generator_gradient_norm": norm}
        return self.update_metrics(means)

    def _holes(self, source: Tensor) -> Tensor | None:
        """Returns the channel of a picture with holes that says where they are: all else is known, and no error."""
        channels = self.generator.output_shape[-1]
        return source[..., channels:] if source.shape[-1] == channels + 1 else None

    def preview(self, examples: dict[str, np.ndarray], columns: int = 8) -> np.ndarray:
        """Translates sources; returns rows of `columns` sources, of their translations, and of targets."""
        source, target = (tf.constant(examples[name][:columns]) for name in ("source", "target"))
        image = self.ema(source, training=False)
        return np.concatenate([fit_to(source, target.shape), image, target])
