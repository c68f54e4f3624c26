"""Path length regularisation of generators (StyleGAN2, Karras et al. 2020, arXiv:1912.04958, section 3.2).

A step of a fixed length in styles is to change the picture by as much, wherever and whither it is taken.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

Tensor = tf.Tensor


class PathLength(keras.Layer):
    """Averages the squared distance of path lengths to their own running mean; a `function` of a `Penalty`.

    For generators with two layers that are networks, `mapping`: latent (and label) -> styles, and `synthesis`:
    styles -> image, such as `models/networks/stylegan2.py`. The mean is a variable, which goes into checkpoints.

    Args:
        decay: what a new batch counts in the running mean.
        shrink: what the batch is divided by: a part of it is enough.
    """

    def __init__(self, decay: float = 0.01, shrink: int = 2):
        super().__init__(name="path_length")
        self.decay = decay
        self.shrink = shrink
        self.mean = self.add_weight((), "zeros", "float32", trainable=False, name="mean")
        self.built = True

    @property
    def statistics(self) -> list[keras.Variable]:
        """Returns what follows the batches: replicas average it."""
        return [self.mean]

    def __call__(self, generator: keras.Model, latents: Tensor, labels: Tensor | None, seed: Tensor) -> Tensor:
        """Computes the penalty of a `generator` in training at latents `[batch, dim]` and labels, a scalar."""
        count = -(-(latents.shape[0] or tf.shape(latents)[0]) // self.shrink)  # known, where XLA has to know it
        inputs = latents[:count] if labels is None else [latents[:count], labels[:count]]
        styles = generator.get_layer("mapping")(inputs, training=True)
        synthesis = generator.get_layer("synthesis")
        lengths = path_lengths(lambda styles: synthesis(styles, training=True), styles, seed)
        mean = self.mean + self.decay * (tf.reduce_mean(lengths) - self.mean)
        self.mean.assign(tf.stop_gradient(mean))
        return tf.reduce_mean(tf.square(lengths - mean))


def path_lengths(synthesis: Callable[[Tensor], Tensor], styles: Tensor, seed: Tensor) -> Tensor:
    """Measures by how much each picture changes with its styles, `[batch, layers, dim]`, in a random direction.

    Returns `[batch]`: the norm of `J^T y`, where J is the Jacobian of a picture by its styles, and y standard
    normal noise of its shape, divided by the root of its pixels; of the layers' norms, the root of the mean square.
    Can be differentiated again.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(styles)
        images = synthesis(styles)
        noise = tf.random.stateless_normal(tf.shape(images), seed, dtype=images.dtype)
        pixels = tf.cast(tf.shape(images)[1] * tf.shape(images)[2], images.dtype)
        change = tf.reduce_sum(images * noise) / tf.sqrt(pixels)
    squares = tf.reduce_sum(tf.square(tape.gradient(change, styles)), axis=2)
    return tf.sqrt(tf.reduce_mean(squares, axis=1))
