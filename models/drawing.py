"""Pictures that a generator makes of the same latents again and again, to see it learn."""

import functools
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from models import latent
from models.preview import shown
from models.words import Words


class Draws:
    """A mixin of systems with a running average of a generator: `ema`, `seed`, `latent_dim`, `num_classes`.

    `words` is the text encoder of one that takes sentences, of which some are shown as if they were classes.
    """

    words: Words | None = None

    def preview(self, examples: dict[str, np.ndarray] | None = None, columns: int = 8) -> np.ndarray:
        """Draws the averaged generator's pictures, row by row of `columns`, of the same latents at every call.

        Float32 `[num, height, width, channels]` in [-1, 1]. With classes a row each, 16 at most, all of the same
        latents; else `columns` rows. `examples` of the data set are for systems that start from pictures.
        """
        if not self.num_classes:
            return np.concatenate([*self.draw(columns**2)])
        labels = np.repeat(shown(self.num_classes), columns)
        latents = np.resize(latent.sample(self.seed, columns, self.latent_dim), (len(labels), self.latent_dim))
        parts = (slice(i, i + 64) for i in range(0, len(labels), 64))
        return np.concatenate([self._pictures(latents[part], labels[part]) for part in parts])

    def draw(self, num: int, labels: np.ndarray | None = None, batch_size: int = 64) -> Iterator[np.ndarray]:
        """Draws the averaged generator's pictures of the first `num` latents, as `preview`, a batch at a time.

        `labels` `[num]` are of a model that takes some, by default its classes in turn; texts of one that takes
        sentences.
        """
        if labels is None:
            labels = np.arange(num) % max(self.num_classes, 1)
        for i in range(0, num, batch_size):
            part = labels[i : i + batch_size]
            yield self._pictures(latent.sample(self.seed, len(part), self.latent_dim, start=i), part)

    def _pictures(self, latents: np.ndarray, labels: np.ndarray) -> np.ndarray:
        return self._generate(tf.constant(latents), self._conditions(labels)).numpy()

    def _conditions(self, labels: np.ndarray) -> tf.Tensor:
        """Returns labels as the generator takes them; of one that takes sentences, numbers are of those shown."""
        if self.words is None:
            return tf.constant(labels, tf.int32)
        texts = labels if labels.dtype == object else [self.words.shown[number] for number in labels]
        return tf.constant(self.words.vectors(texts))

    @functools.cached_property
    def _generate(self) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        def generated(latents: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
            return self.ema([latents, labels] if self.num_classes else latents, training=False)

        return tf.function(generated, reduce_retracing=True, autograph=False)
