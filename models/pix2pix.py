"""Image-to-image translation from pairs (pix2pix: Isola, Zhu, Zhou & Efros 2017, arXiv:1611.07004)."""

import inspect
from collections.abc import Callable, Mapping

import keras
import numpy as np
import tensorflow as tf

from losses import reconstruction
from models.updates import accuracy, key, prepared, scaled, update

Tensor = tf.Tensor
Loss = Callable[..., Tensor]

PENALTY = 0  # what a random number of a step is for


class Pix2Pix(keras.Model):
    """A generator that learns what target belongs to a source, and a discriminator that sees both.

    The mean absolute error says what should be where, but is content with a blur where it cannot know; the
    discriminator, which looks at patches, asks for texture. All state is in variables: a run that goes on from a
    checkpoint cannot be told from one that never stopped.

    Args:
        generator, discriminator: builders, called with `image_shape` and `source_shape`, as those in
            `models/networks/unet.py` and `patchgan.py`.
        image_shape, source_shape: of targets and sources; `num_classes` of the data set is not used.
        reconstruction_weight: of the mean absolute error beside the adversarial loss.
        seed: of the dropout, and of penalties that draw points.
    """

    def __init__(
        self,
        generator: Callable[..., keras.Model],
        discriminator: Callable[..., keras.Model],
        image_shape: tuple[int, int, int],
        source_shape: tuple[int, int, int],
        reconstruction_weight: float = 100.0,
        num_classes: int = 0,
        seed: int = 0,
    ):
        super().__init__(name="pix2pix")
        self.reconstruction_weight = reconstruction_weight
        self.seed = seed
        self.generator = generator(image_shape=image_shape, source_shape=source_shape)
        self.discriminator = discriminator(image_shape=image_shape, source_shape=source_shape)
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
        """Sets the adversarial objective and the optimizers; as `models.gan.GAN.compile`."""
        super().compile(optimizer=None, jit_compile=jit_compile)
        self.generator_loss = generator_loss
        self.discriminator_loss = discriminator_loss
        self.relativistic = "real_logits" in inspect.signature(generator_loss).parameters
        self.penalties = dict(penalties or {})
        self.threshold = threshold
        self.generator_optimizer = prepared(generator_optimizer, self.generator.trainable_variables)
        self.discriminator_optimizer = prepared(discriminator_optimizer, self.discriminator.trainable_variables)
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
        return {"translator": self.generator}

    @property
    def batches_per_step(self) -> int:
        """How many batches one step takes."""
        return 1

    def train_step(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        """One update of the discriminator and one of the generator, on `data["source"]` and `data["target"]`.

        The two share the generator's forward pass: its tape is paused while the discriminator learns.
        """
        source, target = data["source"], data["target"]
        with tf.GradientTape() as tape:
            image = self.generator(source, training=True)
            with tape.stop_recording():
                means = self._train_discriminator(source, target, image)
                real = {"real_logits": self._judge(target, source)} if self.relativistic else {}
            adversarial = self.generator_loss(self._judge(image, source), **real)
            error = reconstruction.l1(image, target)
            objective = scaled(adversarial + self.reconstruction_weight * error, self.generator_optimizer)
        norm = update(self.generator_optimizer, tape, objective, self.generator.trainable_variables)
        self.step.assign(self.step + 1)
        means |= {"generator_loss": adversarial, "l1_loss": error, "generator_gradient_norm": norm}
        for name, value in means.items():
            self.means[name].update_state(value)
        return {name: mean.result() for name, mean in self.means.items()}

    def _train_discriminator(self, source: Tensor, target: Tensor, image: Tensor) -> dict[str, Tensor]:
        with tf.GradientTape() as tape:
            real, fake = self._judge(target, source), self._judge(image, source)
            loss = self.discriminator_loss(real, fake) / 2  # slows it down beside the generator, as in the paper
            terms = {
                f"{name}_penalty": penalty(
                    lambda images: self._judge(images, source), target, image,
                    key(self.seed, PENALTY, self.step), tf.convert_to_tensor(self.step),
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

    def _judge(self, image: Tensor, source: Tensor) -> Tensor:
        return self.discriminator([image, source], training=True)

    def preview(self, examples: dict[str, np.ndarray], columns: int = 8) -> np.ndarray:
        """Rows of sources, of what the generator makes of them, and of targets; `columns` of each."""
        source, target = (tf.constant(examples[name][:columns]) for name in ("source", "target"))
        image = self.generator(source, training=False)
        return np.concatenate([shown(source, target.shape), image, target])


def shown(source: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A source as a picture beside its target, `[batch, height, width, 3]`: of its size, and in three channels."""
    source = source[..., :3]
    if source.shape[-1] < shape[-1]:
        source = tf.repeat(source[..., :1], shape[-1], axis=-1)
    return tf.image.resize(source, shape[1:3], "nearest")


_MEANS = (
    "generator_loss",
    "l1_loss",
    "discriminator_loss",
    "discriminator_accuracy",
    "generator_gradient_norm",
    "discriminator_gradient_norm",
)
