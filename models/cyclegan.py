"""Translation without pairs (CycleGAN: Zhu, Park, Isola & Efros 2017, arXiv:1703.10593)."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from losses import reconstruction
from models.base import Adversarial, accuracy, scaled, update
from models.image_pool import History

Tensor = tf.Tensor
Loss = Callable[..., Tensor]

HISTORY_A, HISTORY_B = range(2)  # what a random number of a step is for


class CycleGAN(Adversarial, keras.Model):
    """Two generators, from a to b and from b to a, and a discriminator of each kind of picture.

    Nobody says what a photo would be as a painting. But there and back again must give the photo, so the painting
    has to be of it; and a painting that is asked to become one is to stay as it is, which keeps colours. All state
    is in variables: a run that goes on from a checkpoint cannot be told from one that never stopped.

    Args:
        generator: builder of a network from picture to picture; discriminator: builder, called with `image_shape`.
        image_shape: of both kinds; `num_classes` of the data set is not used.
        cycle_weight, identity_weight: of the two, beside the adversarial loss.
        history: pictures that each discriminator is reminded of.
        seed: of what is drawn from the history.
    """

    refused = ("penalties", "weight_clipping", "relativistic")
    result = "cycle_loss"

    def __init__(
        self,
        generator: Callable[..., keras.Model],
        discriminator: Callable[..., keras.Model],
        image_shape: tuple[int, int, int],
        cycle_weight: float = 10.0,
        identity_weight: float = 5.0,
        history: int = 50,
        num_classes: int = 0,
        seed: int = 0,
    ):
        super().__init__(name="cyclegan")
        self.cycle_weight = cycle_weight
        self.identity_weight = identity_weight
        self.a_to_b, self.b_to_a = generator(), generator()
        self.judge_a, self.judge_b = discriminator(image_shape=image_shape), discriminator(image_shape=image_shape)
        self.old_a, self.old_b = (History(image_shape, history, name=f"history_{name}") for name in "ab")
        self.begin(seed)

    def mean_names(self) -> list[str]:
        """What a step measures."""
        return list(_MEANS)

    def trained_variables(self) -> tuple[list[keras.Variable], list[keras.Variable]]:
        """Of both generators, and of both discriminators."""
        return (
            self.a_to_b.trainable_variables + self.b_to_a.trainable_variables,
            self.judge_a.trainable_variables + self.judge_b.trainable_variables,
        )

    @property
    def exports(self) -> dict[str, keras.Model]:
        """The networks that a user takes away, by file name."""
        return {"translator": self.a_to_b, "translator_back": self.b_to_a}

    def train_step(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        """One update of the discriminators and one of the generators, on `data["a"]` and `data["b"]`."""
        a, b = data["a"], data["b"]
        with tf.GradientTape() as tape:
            fake_b, fake_a = self.a_to_b(a, training=True), self.b_to_a(b, training=True)
            with tape.stop_recording():
                means = self._train_discriminators(a, b, fake_a, fake_b)
            cycle = reconstruction.l1(self.b_to_a(fake_b, training=True), a)
            cycle += reconstruction.l1(self.a_to_b(fake_a, training=True), b)
            adversarial = self.generator_loss(self.judge_b(fake_b, training=True))
            adversarial += self.generator_loss(self.judge_a(fake_a, training=True))
            loss = adversarial + self.cycle_weight * cycle
            if self.identity_weight:
                identity = reconstruction.l1(self.a_to_b(b, training=True), b)
                identity += reconstruction.l1(self.b_to_a(a, training=True), a)
                loss += self.identity_weight * identity
                means["identity_loss"] = identity
            objective = scaled(loss, self.generator_optimizer)
        norm = update(self.generator_optimizer, tape, objective, self.trained_variables()[0])
        return self.record(
            means | {"generator_loss": adversarial, "cycle_loss": cycle, "generator_gradient_norm": norm}
        )

    def _train_discriminators(self, a: Tensor, b: Tensor, fake_a: Tensor, fake_b: Tensor) -> dict[str, Tensor]:
        fake_a = self.old_a(fake_a, self.key(HISTORY_A))
        fake_b = self.old_b(fake_b, self.key(HISTORY_B))
        with tf.GradientTape() as tape:
            logits = [
                (judge(real, training=True), judge(fake, training=True))
                for judge, real, fake in ((self.judge_a, a, fake_a), (self.judge_b, b, fake_b))
            ]
            loss = sum(self.discriminator_loss(*pair) for pair in logits) / 2  # slowed down, as in the paper
            objective = scaled(loss, self.discriminator_optimizer)
        norm = update(self.discriminator_optimizer, tape, objective, self.trained_variables()[1])
        right = sum(accuracy(*pair, self.threshold) for pair in logits) / 2
        return {"discriminator_loss": loss, "discriminator_gradient_norm": norm, "discriminator_accuracy": right}

    def preview(self, examples: dict[str, np.ndarray], columns: int = 8) -> np.ndarray:
        """Rows of a, of a as b, and back again; then of b, of b as a, and back; `columns` of each."""
        rows = []
        for name, there, back in (("a", self.a_to_b, self.b_to_a), ("b", self.b_to_a, self.a_to_b)):
            images = tf.constant(examples[name][:columns])
            translated = there(images, training=False)
            rows += [images, translated, back(translated, training=False)]
        return np.concatenate(rows)


_MEANS = (
    "generator_loss",
    "cycle_loss",
    "identity_loss",
    "discriminator_loss",
    "discriminator_accuracy",
    "generator_gradient_norm",
    "discriminator_gradient_norm",
)
