"""Translation without pairs (CycleGAN: Zhu, Park, Isola & Efros 2017, arXiv:1703.10593)."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from losses import reconstruction
from models import replicas
from models.augmentation import Augmentation
from models.average import averaged, follow
from models.base import Adversarial, accuracy, functional, scale_loss_for, update
from models.image_pool import ImagePool

Tensor = tf.Tensor

# What a random number of a step is for; of each kind, how reals, fakes of the pool and new ones are seen.
# 5 is MARGINS.
POOL_A, POOL_B, NOISE_A, NOISE_B, SEEN_A, SEEN_B = 0, 1, 2, 3, (6, 7, 8), (9, 10, 11)


class CycleGAN(Adversarial, keras.Model):
    """Two generators, from a to b and from b to a, and a discriminator of each kind of picture.

    Nobody says what a photo would be as a painting. But there and back again must give the photo, so the painting
    has to be of it; and a painting that is asked to become one is to stay as it is, which keeps colours. All state
    is in variables: a run that goes on from a checkpoint cannot be told from one that never stopped.

    Args:
        generator: builder of a network from picture to picture; discriminator: builder, called with `image_shape`.
        image_shape: of both kinds.
        cycle_weight, identity_weight: of the two, beside the adversarial loss.
        cycle_noise: standard deviation of noise on pictures before they are sent back. Networks hide in them, too
            faint to be seen, what they need for the way back (Chu et al. 2017, arXiv:1712.02950); this drowns it.
        augmentation: of all that the discriminators see: there may be few paintings, to be learned by heart.
        pool_size: pictures that each discriminator is reminded of.
        ema_decay: of the running averages of the generators, which are what is exported, `models.average.follow`.
        seed: of what is drawn from the history, of noise and of augmentation.
    """

    unsupported = ("penalties", "generator_penalties", "weight_clipping", "relativistic")
    method = "translate"
    monitor = "cycle_loss"
    measures = (
        "generator_loss",
        "cycle_loss",
        "identity_loss",
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
        cycle_weight: float = 10.0,
        identity_weight: float = 5.0,
        cycle_noise: float = 0.05,
        augmentation: Augmentation | None = None,
        pool_size: int = 50,
        ema_decay: float = 0.999,
        seed: int = 0,
    ):
        super().__init__(name="cyclegan")
        self.cycle_weight = cycle_weight
        self.identity_weight = identity_weight
        self.cycle_noise = cycle_noise
        self.augmentation = augmentation if augmentation is not None and augmentation.policy else None
        self.a_to_b, self.b_to_a = (functional(generator(), "generator") for _ in "ab")
        self.ema_a_to_b, self.ema_b_to_a = averaged(self.a_to_b), averaged(self.b_to_a)
        self.ema_decay = ema_decay
        self.discriminator_a, self.discriminator_b = (
            functional(discriminator(image_shape=image_shape), "discriminator") for _ in "ab"
        )
        self.pool_a, self.pool_b = (ImagePool(image_shape, pool_size, name=f"pool_{name}") for name in "ab")
        self.init_state(seed)

    def trained_variables(self) -> tuple[list[keras.Variable], list[keras.Variable]]:
        """Returns the variables of both generators, and of both discriminators."""
        return (
            self.a_to_b.trainable_variables + self.b_to_a.trainable_variables,
            self.discriminator_a.trainable_variables + self.discriminator_b.trainable_variables,
        )

    @property
    def exports(self) -> dict[str, keras.Model]:
        """Returns the networks that a user takes away, by file name."""
        return {"translator": self.ema_a_to_b, "translator_back": self.ema_b_to_a}

    def train_step(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        """Updates the discriminators once, then the generators, on `data["a"]` and `data["b"]`."""
        a, b = data["a"], data["b"]
        with tf.GradientTape() as tape:
            fake_b, fake_a = self.a_to_b(a, training=True), self.b_to_a(b, training=True)
            with tape.stop_recording():
                means = self._train_discriminators(a, b, fake_a, fake_b)
            cycle = reconstruction.l1(self.b_to_a(self._noisy(fake_b, NOISE_B), training=True), a)
            cycle += reconstruction.l1(self.a_to_b(self._noisy(fake_a, NOISE_A), training=True), b)
            adversarial = self.generator_loss(self._judge(self.discriminator_b, fake_b, SEEN_B[2]))
            adversarial += self.generator_loss(self._judge(self.discriminator_a, fake_a, SEEN_A[2]))
            loss = adversarial + self.cycle_weight * cycle
            if self.identity_weight:
                identity = reconstruction.l1(self.a_to_b(b, training=True), b)
                identity += reconstruction.l1(self.b_to_a(a, training=True), a)
                loss += self.identity_weight * identity
                means["identity_loss"] = identity
            objective = scale_loss_for(loss, self.generator_optimizer)
        norm = update(self.generator_optimizer, tape, objective, self.trained_variables()[0])
        for average, network in ((self.ema_a_to_b, self.a_to_b), (self.ema_b_to_a, self.b_to_a)):
            follow(average, network, self.step, self.ema_decay)
        return self.update_metrics(
            means | {"generator_loss": adversarial, "cycle_loss": cycle, "generator_gradient_norm": norm}
        )

    def _train_discriminators(self, a: Tensor, b: Tensor, fake_a: Tensor, fake_b: Tensor) -> dict[str, Tensor]:
        # Each replica has the same history, of the pictures of all.
        fake_a = replicas.own(self.pool_a(replicas.gathered(fake_a), self.key(POOL_A, 0)))
        fake_b = replicas.own(self.pool_b(replicas.gathered(fake_b), self.key(POOL_B, 0)))
        with tf.GradientTape() as tape:
            logits = [
                (self._judge(network, real, seen[0]), self._judge(network, fake, seen[1]))
                for network, real, fake, seen in (
                    (self.discriminator_a, a, fake_a, SEEN_A), (self.discriminator_b, b, fake_b, SEEN_B),
                )
            ]  # fmt: skip
            losses = [self.loss_of_discriminator(*pair, i) for i, pair in enumerate(logits)]
            loss = sum(losses)  # the paper halves it, which Adam does not notice
            objective = scale_loss_for(loss, self.discriminator_optimizer)
        norm = update(self.discriminator_optimizer, tape, objective, self.trained_variables()[1])
        right = sum(accuracy(*pair, self.threshold) for pair in logits) / 2
        return {"discriminator_loss": loss, "discriminator_gradient_norm": norm, "discriminator_accuracy": right}

    def _judge(self, discriminator: keras.Model, images: Tensor, purpose: int) -> Tensor:
        if self.augmentation is not None:
            images = self.augmentation(images, self.key(purpose), self.step)
        return discriminator(images, training=True)

    def _noisy(self, images: Tensor, purpose: int) -> Tensor:
        if not self.cycle_noise:
            return images
        shape = tf.shape(images) * [replicas.count(), 1, 1, 1]
        noise = replicas.own(tf.random.stateless_normal(shape, self.key(purpose, 0), dtype=images.dtype))
        return images + self.cycle_noise * noise

    def preview(self, examples: dict[str, np.ndarray], columns: int = 8) -> np.ndarray:
        """Translates a to b and back again, and b to a and back; returns rows of `columns` pictures of each."""
        rows = []
        for name, there, back in (("a", self.ema_a_to_b, self.ema_b_to_a), ("b", self.ema_b_to_a, self.ema_a_to_b)):
            images = tf.constant(examples[name][:columns])
            translated = there(images, training=False)
            rows += [images, translated, back(translated, training=False)]
        return np.concatenate(rows)
