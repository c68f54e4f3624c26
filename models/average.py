"""Running averages of networks: what a network was over its last steps, whose noise cancels out.

An average paints better than what it follows (Yazici et al. 2019, arXiv:1806.04498): lattices that come and go from
step to step are not in it. It is what every system exports and previews.
"""

import keras
import tensorflow as tf

Tensor = tf.Tensor


def averaged(network: keras.Model) -> keras.Model:
    """Returns a copy of a functional network, to `follow` it: not to be trained, and of Keras's own layers where
    ours only train faster, so that a file of it needs no Gesso to load."""
    average = keras.models.clone_model(network, clone_function=_plain)
    average.set_weights(network.get_weights())
    average.trainable = False
    if hasattr(network, "geometry"):
        average.geometry = network.geometry
    return average


def follow(average: keras.Model, network: keras.Model, step: Tensor, decay: float | Tensor) -> None:
    """Moves `average` towards `network` after a step, keeping a share `decay` in [0, 1) of what it was.

    The share is ramped up from 0, so that the average follows the first steps closely: at step n it is at most
    (1 + n) / (10 + n).
    """
    step = tf.cast(step, tf.float32)
    decay = tf.minimum(tf.cast(decay, tf.float32), (1 + step) / (10 + step))
    for mean, variable in zip(average.variables, network.variables, strict=True):
        if mean.dtype.startswith("float"):  # seeds of dropout are integers
            mean.assign(mean + (1 - decay) * (variable - mean))


def decay_by_images(half_life: float | Tensor, images: int | Tensor, step: Tensor) -> Tensor:
    """Returns a step's decay such that the average forgets a half over `half_life` pictures, `images` a step.

    At most over a twentieth of the pictures seen so far: ADA, Karras et al. 2020, arXiv:2006.06676, in the authors'
    code. The same for any size of a batch.
    """
    images, step = tf.cast(images, tf.float32), tf.cast(step, tf.float32)
    return tf.pow(0.5, images / tf.maximum(tf.minimum(tf.cast(half_life, tf.float32), step * images / 20), 1e-8))


def _plain(layer: keras.Layer) -> keras.Layer:
    kind = vars(type(layer)).get("stands_for", type(layer))  # its own: what inherits from it does more
    return kind.from_config(layer.get_config())
