"""A smooth guess at what a picture has in its holes, for networks that paint the difference to it."""

import keras
import tensorflow as tf
from keras import layers


@keras.saving.register_keras_serializable(package="gesso")
class FilledHoles(layers.Layer):
    """Fills holes: `[batch, height, width, channels + 1]`, the last channel 1 in holes -> the picture, filled.

    Pull-push (Gortler et al. 1996, "The Lumigraph"): halved `levels` times, counting what is seen alone, and back,
    where each size fills what it does not know from the smaller one. Where nothing is seen at all, 0. Sides must be
    multiples of 2 ** levels.
    """

    def __init__(self, levels: int, **options):
        super().__init__(**options)
        self.levels = levels

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        seen = 1 - inputs[..., -1:]
        # How much is seen comes last; the colours are multiplied by it.
        sizes = [tf.concat([inputs[..., :-1] * seen, seen], axis=-1)]
        for _ in range(self.levels):
            sizes.append(tf.nn.avg_pool2d(sizes[-1], 2, 2, "VALID"))
        smallest = sizes.pop()
        filled = tf.math.divide_no_nan(smallest[..., :-1], smallest[..., -1:])
        for size in reversed(sizes):
            filled = tf.cast(tf.image.resize(filled, tf.shape(size)[1:3]), size.dtype)
            filled = size[..., :-1] + (1 - size[..., -1:]) * filled
        return filled

    def compute_output_shape(self, shape: tuple) -> tuple:
        return (*shape[:-1], shape[-1] - 1)

    def get_config(self) -> dict:
        return super().get_config() | {"levels": self.levels}
