"""Noise in a generator's features, for details that no latent need decide (StyleGAN, Karras et al. 2019)."""

import keras
import tensorflow as tf
from keras import layers


@keras.saving.register_keras_serializable(package="gesso")
class NoiseInjection(layers.Layer):
    """Adds standard normal noise to `[batch, height, width, channels]`, one number for all channels of a place.

    It is as strong as the layer learns to, from 0 on. In training every picture has noise of its own, drawn anew at
    each call; otherwise all have the same, which was drawn when the layer was built and is stored with its weights:
    a trained network is a function of its latent. Sizes must be known.

    The seed counts on in a variable, as dropout's does, so that a run that goes on from a checkpoint draws what one
    that never stopped would; replicas draw each their own.
    """

    def __init__(self, seed: int | None = None, **options):
        super().__init__(**options)
        self.seed = seed
        self.seeds = keras.random.SeedGenerator(seed)

    def build(self, shape: tuple) -> None:
        self.strength = self.add_weight((), "zeros", name="strength")
        normal = keras.initializers.RandomNormal(0.0, 1.0)
        self.noise = self.add_weight((1, *shape[1:3], 1), normal, trainable=False, name="noise")

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        noise = self._drawn(x) if training else tf.convert_to_tensor(self.noise)
        return x + tf.cast(self.strength, x.dtype) * tf.cast(noise, x.dtype)

    def _drawn(self, x: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_normal([tf.shape(x)[0], *x.shape[1:3], 1], replica_seed(self.seeds))

    def compute_output_shape(self, shape: tuple, **options) -> tuple:
        return shape

    def get_config(self) -> dict:
        return super().get_config() | {"seed": self.seed}


def replica_seed(seeds: keras.random.SeedGenerator) -> tf.Tensor:
    """Returns the next seed, int32 `[2]`, another one on each replica."""
    seed, replica = tf.cast(seeds.next(), tf.int32), tf.distribute.get_replica_context()
    return seed if replica is None else tf.random.fold_in(seed, replica.replica_id_in_sync_group)
