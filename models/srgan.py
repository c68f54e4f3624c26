"""Super-resolution: SRResNet, then SRGAN (Ledig et al. 2017, arXiv:1609.04802)."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from losses import perceptual, reconstruction
from losses.clipping import clipped
from models.average import averaged, follow
from models.base import Adversarial, functional, scale_loss_for, update
from models.networks import vgg
from models.preview import fit_to
from models.trained import take_over

Tensor = tf.Tensor


class SRGAN(Adversarial, keras.Model):
    """A network that enlarges pictures: first to the least squared error, then to what looks right.

    The least error is the mean of all pictures that it might have been, which is a blur. After `pretrain_steps`
    the error is measured on VGG's activations instead, and a discriminator asks for texture. With `pretrain_steps`
    of the whole run it is SRResNet. All state is in variables: a run that goes on from a checkpoint cannot be told
    from one that never stopped.

    Args:
        generator, discriminator: builders, called with `image_shape`, the generator with `source_shape` too, as
            those in `models/networks/srresnet.py`.
        image_shape, source_shape: of the large and the small pictures.
        pretrain_steps: with the squared error alone.
        content_layer, weights, network: of VGG, `vgg.encoder`.
        content_weight, adversarial_weight, pixel_weight: after that; the last of the mean absolute error, which
            holds colours where they are (ESRGAN, Wang et al. 2018, arXiv:1809.00219). Activations are of the 0..255
            scale.
        ema_decay: of the running average of the generator, which is what is exported, `models.average.follow`.
        start: a translator of the same kind to go on from, `models.trained.translator_of`.
        seed: of margins that are drawn, the only thing that is random in a step.
    """

    unsupported = ("penalties", "generator_penalties", "weight_clipping", "relativistic")
    method = "translate"
    monitor = "l2_loss"
    measures = (  # 0 of what a phase does not have
        "l2_loss",
        "content_loss",
        "generator_loss",
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
        pretrain_steps: int,
        content_layer: str = "block5_conv3",
        network: str = "vgg16",
        weights: str | Path | None = None,
        content_weight: float = 0.006,
        adversarial_weight: float = 0.001,
        pixel_weight: float = 0.01,
        ema_decay: float = 0.999,
        start: keras.Model | None = None,
        seed: int = 0,
    ):
        super().__init__(name="srgan")
        self.pretrain_steps = pretrain_steps
        self.content_layer = content_layer
        self.content_weight = content_weight
        self.adversarial_weight = adversarial_weight
        self.pixel_weight = pixel_weight
        self.generator = functional(generator(image_shape=image_shape, source_shape=source_shape), "generator")
        self.discriminator = functional(discriminator(image_shape=image_shape), "discriminator")
        if start is not None:
            take_over(start, self.generator)
        self.ema = averaged(self.generator)
        self.ema_decay = ema_decay
        # A function: what Keras does not know of is neither trained nor saved.
        encoder = vgg.encoder([content_layer], weights, network)
        self.encode = lambda images: encoder(images, training=False)[content_layer]
        self.init_state(seed)

    @property
    def exports(self) -> dict[str, keras.Model]:
        """Returns the network that a user takes away, by file name."""
        return {"translator": self.ema}

    def train_step(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        """Updates the generator once, and after the first phase the discriminator, on "source" and "target"."""
        return self._in_phase(lambda step: step(data))

    def step_everywhere(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        """Does a step on all replicas; asks before for the phase: in a condition none can wait for others."""
        return self._in_phase(lambda step: self.run_everywhere(step, data))

    def _in_phase(self, does: Callable[[Callable], dict[str, Tensor]]) -> dict[str, Tensor]:
        steps = (self._to_least_error, self._to_what_looks_right)
        return tf.cond(self.step < self.pretrain_steps, *(partial(does, step) for step in steps))

    def _finished(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        follow(self.ema, self.generator, self.step, self.ema_decay)
        return self.update_metrics(dict.fromkeys(self.measures, tf.zeros([])) | values)

    def _to_least_error(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        small, large = data["source"], data["target"]
        with tf.GradientTape() as tape:
            error = reconstruction.l2(self.generator(small, training=True), large)
            objective = scale_loss_for(error, self.generator_optimizer)
        norm = update(self.generator_optimizer, tape, objective, self.generator.trainable_variables)
        return self._finished({"l2_loss": error, "generator_gradient_norm": norm})

    def _to_what_looks_right(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        small, large = data["source"], data["target"]
        judge = partial(self.discriminator, training=True)
        with tf.GradientTape() as tape:
            image = clipped(self.generator(small, training=True))
            with tape.stop_recording():
                means = self.train_discriminator(judge, large, image)
                target = self.encode(large)
            adversarial = self.generator_loss(judge(image))
            content = self.content_weight * perceptual.content_loss(self.encode(image), target)
            loss = content + self.adversarial_weight * adversarial
            loss += self.pixel_weight * reconstruction.l1(image, large)
            objective = scale_loss_for(loss, self.generator_optimizer)
        norm = update(self.generator_optimizer, tape, objective, self.generator.trainable_variables)
        errors = {"l2_loss": reconstruction.l2(image, large), "content_loss": content}
        return self._finished(means | errors | {"generator_loss": adversarial, "generator_gradient_norm": norm})

    def preview(self, examples: dict[str, np.ndarray], columns: int = 8) -> np.ndarray:
        """Enlarges pictures; returns rows of small ones, their pixels as squares, of results, and of large ones."""
        small, large = (tf.constant(examples[name][:columns]) for name in ("source", "target"))
        image = ops.clip(self.ema(small, training=False), -1, 1)
        return np.concatenate([fit_to(small, large.shape), image, large])
