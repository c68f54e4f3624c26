"""What a picture may have in its holes: a smooth guess, for networks that paint the difference to it, and grain."""

import keras
import tensorflow as tf
from keras import layers

from models.layers.noise import replica_seed


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


@keras.saving.register_keras_serializable(package="gesso")
class GrainyHoles(layers.Layer):
    """Adds normal noise in holes: `[batch, height, width, channels]`, and holes, 1 or 0, `[.., 1]` -> the picture.

    A smooth filling says nothing of what strokes there are in it, so a network would have to paint the same ones,
    or none; noise of deviation `amount` gives it something to make them of. In training all is drawn anew at each
    call; otherwise it is the same for all pictures of a size: a trained network is a function of its picture.

    The seed counts on in a variable, as that of `models.layers.noise.NoiseInjection`.
    """

    def __init__(self, amount: float, seed: int | None = None, **options):
        super().__init__(**options)
        self.amount, self.seed = amount, seed
        self.seeds = keras.random.SeedGenerator(seed)

    def call(self, inputs: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        picture, holes = inputs
        shape = tf.shape(picture)
        shape, seed = (shape, replica_seed(self.seeds)) if training else ([1, *tf.unstack(shape[1:])], (0, 0))
        return picture + tf.cast(self.amount, picture.dtype) * holes * tf.random.stateless_normal(
            shape, seed, dtype=picture.dtype
        )

    def compute_output_shape(self, shapes: list[tuple]) -> tuple:
        return shapes[0]

    def get_config(self) -> dict:
        return super().get_config() | {"amount": self.amount, "seed": self.seed}
