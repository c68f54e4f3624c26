"""Watches a GAN for its two ways to fail: the generator repeats itself, or the discriminator is never wrong."""

import logging

import numpy as np
import tensorflow as tf

from models.preview import shown
from training.callbacks import Samples, ScalarLogger, StepCallback

log = logging.getLogger(__name__)

FALL = 0.5  # of its best so far, below which the diversity of the samples is called a collapse
NONE = 0.1  # of the reals': whatever was before
EARLY = 100  # steps in which a generator that has not drawn anything yet, or logits a hair off 0, are no failure
PINNED = 0.99  # accuracy above which the discriminator is called the winner
AGAIN, FREED = 1.5, 0.95  # times the limit, and accuracy: what has come back from there is warned of anew


class CollapseMonitor(StepCallback):
    """Writes each sample grid's diversity to TensorBoard, and warnings to log and TensorBoard, once for each fall.

    What it has seen so far is kept in the system's `memory`: after a resume, a run that has collapsed is to be
    measured by its best, not by what it has become.

    Args:
        reals: pictures of the data set, `[num, height, width, channels]`: diversity is counted in theirs.
        threshold: the logit between real and generated; without one (a critic, which estimates a distance, or the
            relativistic loss) a discriminator that is always right is not warned of.
    """

    def __init__(
        self,
        writer: tf.summary.SummaryWriter,
        samples: Samples,
        scalars: ScalarLogger,
        reals: np.ndarray,
        threshold: float | None,
        every: int,
        last: int,
    ):
        super().__init__(every, last)
        self.writer = writer
        self.samples = samples
        self.scalars = scalars
        self.scale = mean_distance(reals[None])  # 0: they are all alike, and there is nothing to compare with
        self.threshold = threshold
        self.best = 0.0
        self.warned: set[str] = set()

    def on_train_begin(self, logs: dict | None = None) -> None:
        super().on_train_begin()
        before = self.model.memory.get("collapse", {})
        self.best, self.warned = before.get("best", 0.0), set(before.get("warned", ()))

    def at(self, step: int) -> None:
        if self.scale > 0:
            self._watch_samples(step)
        accuracy = self.scalars.latest.get("discriminator_accuracy")
        if accuracy is not None:  # there may have been no row yet
            self._watch_discriminator(step, accuracy)
        self.model.memory["collapse"] = {"best": self.best, "warned": sorted(self.warned)}

    def _watch_samples(self, step: int) -> None:
        images = self.samples.images
        rows = len(shown(self.model.num_classes)) or 1  # with classes, each for itself: one may collapse alone
        now = mean_distance(images.reshape(rows, -1, *images.shape[1:])) / self.scale
        self.best = max(self.best, min(now, 1.0))  # the noise of the first steps may differ more than any pictures
        with self.writer.as_default():
            tf.summary.scalar("health/diversity", now, step=step)
        limit = max(FALL * self.best, NONE)
        self._warn(
            "collapse",
            now < limit and (step >= EARLY or self.best >= NONE),
            now > AGAIN * limit,
            step,
            f"The generator may be collapsing: the diversity of its samples is {now:.2f} of the real pictures', at "
            f"best it was {self.best:.2f}. What may help: penalty=r1, model.augment=[color,translation], a lower "
            "learning rate of the generator.",
        )

    def _watch_discriminator(self, step: int, accuracy: float) -> None:
        self._warn(
            "winner",
            self.threshold is not None and accuracy > PINNED and step >= EARLY,
            accuracy < FREED,
            step,
            f"The discriminator wins: it is right about {accuracy:.1%} of pictures, and the generator learns "
            "little from it. What may help: penalty=r1, a lower "
            "model.discriminator_optimizer.learning_rate, model.augment=[color,translation], "
            "model.instance_noise=0.1.",
        )

    def _warn(self, name: str, failing: bool, recovered: bool, step: int, text: str) -> None:
        """Warns once, and again only of what had `recovered`: what wavers about a limit would flood the log."""
        if failing and name not in self.warned:
            log.warning("Step %d: %s", step, text)
            with self.writer.as_default():
                tf.summary.text("warnings", text, step=step)
            self.warned.add(name)
        elif recovered:
            self.warned.discard(name)


def mean_distance(rows: np.ndarray) -> float:
    """Averages root-mean-square distances between two pictures of a row, over rows `[rows, num, h, w, channels]`.

    0 of a single picture.
    """
    if rows.shape[1] < 2:
        return 0.0
    rows = rows.reshape(*rows.shape[:2], -1).astype(np.float64)
    distances = []
    for row in rows:
        squares = (row**2).mean(axis=1)
        between = squares[:, None] + squares - 2 * row @ row.T / row.shape[1]
        distances.append(np.sqrt(np.maximum(between, 0))[np.triu_indices(len(row), 1)].mean())
    return float(np.mean(distances))
