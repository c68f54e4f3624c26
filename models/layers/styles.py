"""Styles: the intermediate latents of StyleGAN (Karras et al. 2019, arXiv:1812.04948), one for each layer."""

import keras
import tensorflow as tf
from keras import layers

from models.layers.noise import replica_seed


@keras.saving.register_keras_serializable(package="gesso")
class Styles(layers.Layer):
    """Gives each layer of a generator its style: two of each picture, `[batch, dim]` -> `[batch, number, dim]`.

    In training, with a probability of `mixing`, a picture's layers from a random one on take the other style, so
    that layers do not rely on each other's (style mixing, section 3.1). Otherwise all take the first style, moved
    towards the `average` of all by 1 - `truncation`: less variety, fewer failures (the truncation trick in w,
    appendix B). `truncation` is 1 unless someone sets it.

    The average is over training, with a weight of `decay` for what it was. Draws count on in a variable.
    """

    def __init__(self, number: int, mixing: float = 0.9, decay: float = 0.995, seed: int | None = None, **options):
        super().__init__(**options)
        self.number = number
        self.mixing = mixing
        self.decay = decay
        self.seed = seed
        self.seeds = keras.random.SeedGenerator(seed)
        self.truncation = 1.0

    def build(self, first_shape: tuple, second_shape: tuple) -> None:
        self.average = self.add_weight((first_shape[-1],), "zeros", trainable=False, name="average")

    @property
    def statistics(self) -> list[keras.Variable]:
        """Returns what follows the batches: replicas average it."""
        return [self.average]

    def call(self, first: tf.Tensor, second: tf.Tensor, training: bool = False) -> tf.Tensor:
        if training:
            mean = tf.reduce_mean(tf.stop_gradient(first), axis=0)
            self.average.assign(self.decay * self.average + (1 - self.decay) * mean)
            return tf.where(self._own(tf.shape(first)[0]), first[:, None], second[:, None])
        if self.truncation != 1:
            average = tf.convert_to_tensor(self.average)
            first = average + self.truncation * (first - average)
        return tf.repeat(first[:, None], self.number, axis=1)

    def _own(self, batch: tf.Tensor) -> tf.Tensor:
        """Draws which layers keep their picture's first style: booleans `[batch, number, 1]`."""
        which, where = tf.unstack(tf.random.split(replica_seed(self.seeds)))
        cut = tf.random.stateless_uniform([batch, 1], where, 1, self.number, tf.int32)
        whole = tf.random.stateless_uniform([batch, 1], which) >= self.mixing
        return (whole | (tf.range(self.number) < cut))[:, :, None]

    def compute_output_shape(self, first_shape: tuple, second_shape: tuple, **options) -> tuple:
        return (first_shape[0], self.number, first_shape[-1])

    def get_config(self) -> dict:
        options = ("number", "mixing", "decay", "seed")
        return super().get_config() | {name: getattr(self, name) for name in options}


@keras.saving.register_keras_serializable(package="gesso")
class NextInBatch(layers.Layer):
    """Gives each picture of a batch what the next one has, the last one the first's: a second latent for each."""

    @classmethod
    def from_config(cls, config: dict) -> "NextInBatch":
        return cls(**{key: value for key, value in config.items() if key != "count"})  # an earlier Gesso had it

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.roll(inputs, -1, axis=0)

    def compute_output_shape(self, shape: tuple) -> tuple:
        return shape
