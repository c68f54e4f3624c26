"""Generative adversarial networks (Goodfellow et al. 2014, arXiv:1406.2661) as one trainable Keras model."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from models import latent

Tensor = tf.Tensor
Loss = Callable[..., Tensor]


class GAN(keras.Model):
    """A generator, its discriminator, and a running average of the generator (`ema`), which makes the samples.

    Built from network builders, so that one set of arguments serves all architectures:
    `generator(image_shape=..., latent_dim=...)` and `discriminator(image_shape=...)` return `keras.Model`s.

    Everything random in a step is a function of `(seed, step, replica)`, and all state is in variables: a run
    that goes on from a checkpoint cannot be told from one that never stopped.

    Args:
        image_shape: `(height, width, channels)` of images in [-1, 1].
        latent_dim: length of the standard normal latent.
        ema_decay: the average's decay a step; ramped up from 0, so that it follows the first steps closely.
        seed: of the latents drawn in training.
    """

    def __init__(
        self,
        generator: Callable[..., keras.Model],
        discriminator: Callable[..., keras.Model],
        image_shape: tuple[int, int, int],
        latent_dim: int = 100,
        ema_decay: float = 0.999,
        seed: int = 0,
    ):
        super().__init__(name="gan")
        self.latent_dim = latent_dim
        self.ema_decay = ema_decay
        self.seed = seed
        self.generator = generator(image_shape=image_shape, latent_dim=latent_dim)
        self.discriminator = discriminator(image_shape=image_shape)
        self.ema = keras.models.clone_model(self.generator, clone_function=_plain)
        self.ema.set_weights(self.generator.get_weights())
        self.ema.trainable = False
        self.means: dict[str, keras.metrics.Mean] = {}
        self.step = self.add_weight((), "zeros", "int64", trainable=False, name="step")

    def compile(
        self,
        generator_optimizer: keras.Optimizer,
        discriminator_optimizer: keras.Optimizer,
        generator_loss: Loss,
        discriminator_loss: Loss,
        jit_compile: str | bool = "auto",
    ) -> None:
        """Sets the objective and the optimizers.

        `discriminator_loss(real_logits, fake_logits)` and `generator_loss(fake_logits)` are means over a batch.
        """
        super().compile(optimizer=None, jit_compile=jit_compile)
        if keras.config.dtype_policy().name == "mixed_float16":  # Keras wraps only `self.optimizer`
            generator_optimizer = keras.optimizers.LossScaleOptimizer(generator_optimizer)
            discriminator_optimizer = keras.optimizers.LossScaleOptimizer(discriminator_optimizer)
        self.generator_loss = generator_loss
        self.discriminator_loss = discriminator_loss
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        generator_optimizer.build(self.generator.trainable_variables)
        discriminator_optimizer.build(self.discriminator.trainable_variables)
        self.means = {name: keras.metrics.Mean(name=name) for name in _MEANS}
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
        """The networks that a user takes away, by file name."""
        return {"generator": self.ema}

    def preview(self, num: int) -> np.ndarray:
        """The averaged generator's pictures of `num` latents, the same at every call.

        Float32 `[num, height, width, channels]` in [-1, 1].
        """
        return self._generate(latent.sample(self.seed, num, self.latent_dim)).numpy()

    @tf.function
    def _generate(self, latents: Tensor) -> Tensor:
        return self.ema(latents, training=False)

    def train_step(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        """One discriminator update, then one generator update, on `data["image"]`.

        Both share one forward pass of the generator: its tape stays open, paused, while the discriminator learns
        from the same pictures, and goes on with the discriminator's new weights.
        """
        latents = self._latents(tf.shape(data["image"])[0])
        with tf.GradientTape() as tape:
            fakes = self.generator(latents, training=True)
            with tape.stop_recording():
                discriminator_means = self._train_discriminator(data["image"], fakes)
            loss = self.generator_loss(self.discriminator(fakes, training=True))
            scaled = self._scaled(loss, self.generator_optimizer)
        norm = _update(self.generator_optimizer, tape, scaled, self.generator.trainable_variables)
        self._average_generator()
        self.step.assign(self.step + 1)

        means = {"generator_loss": loss, "generator_gradient_norm": norm, **discriminator_means}
        for name, value in means.items():
            self.means[name].update_state(value)
        return {name: mean.result() for name, mean in self.means.items()}

    def _train_discriminator(self, reals: Tensor, fakes: Tensor) -> dict[str, Tensor]:
        with tf.GradientTape() as tape:
            real_logits = self.discriminator(reals, training=True)
            fake_logits = self.discriminator(tf.stop_gradient(fakes), training=True)
            loss = self.discriminator_loss(real_logits, fake_logits)
            scaled = self._scaled(loss, self.discriminator_optimizer)
        norm = _update(self.discriminator_optimizer, tape, scaled, self.discriminator.trainable_variables)
        return {
            "discriminator_loss": loss,
            "discriminator_gradient_norm": norm,
            "real_score": ops.mean(ops.sigmoid(real_logits)),  # D(x)
            "fake_score": ops.mean(ops.sigmoid(fake_logits)),  # D(G(z)), before this step's update
        }

    def _latents(self, batch: Tensor) -> Tensor:
        """Standard normal `[batch, latent_dim]`, a function of (seed, step, replica)."""
        key = tf.random.fold_in(tf.constant([self.seed, 0]), tf.convert_to_tensor(self.step))
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        key = tf.random.fold_in(key, tf.cast(replica, tf.int64))
        return tf.random.stateless_normal([batch, self.latent_dim], key)

    def _scaled(self, loss: Tensor, optimizer: keras.Optimizer) -> Tensor:
        """The loss to differentiate: replicas' gradients are summed, so each gives its share of the mean."""
        return optimizer.scale_loss(loss / self.distribute_strategy.num_replicas_in_sync)

    def _average_generator(self) -> None:
        step = tf.cast(self.step, tf.float32)
        decay = tf.minimum(self.ema_decay, (1 + step) / (10 + step))
        for average, variable in zip(self.ema.variables, self.generator.variables, strict=True):
            if average.dtype.startswith("float"):  # seeds of dropout are integers
                average.assign(average + (1 - decay) * (variable - average))


_MEANS = (
    "generator_loss",
    "discriminator_loss",
    "real_score",
    "fake_score",
    "generator_gradient_norm",
    "discriminator_gradient_norm",
)


def _plain(layer: keras.Layer) -> keras.Layer:
    """A copy of a layer, of Keras's own class where ours only trains faster: the export needs no Gesso to load."""
    return getattr(layer, "stands_for", type(layer)).from_config(layer.get_config())


def _update(
    optimizer: keras.Optimizer, tape: tf.GradientTape, loss: Tensor, variables: list[keras.Variable]
) -> Tensor:
    """Applies the gradients of the (scaled) loss; returns their norm, unscaled."""
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    optimizer.apply(gradients, variables)
    return tf.linalg.global_norm(gradients) / optimizer.scale_loss(1.0)
