"""Clipping of pictures to the range that they are looked at in, for networks whose outputs are not bounded."""

import tensorflow as tf


@tf.custom_gradient
def clipped(images: tf.Tensor):
    """Returns images within [-1, 1], as they will be looked at, with a gradient that passes where it points inward.

    Networks that learn on what is not clipped hide much of a style beyond white and black, where nobody sees it. A
    plain clip has no gradient there, so what is too bright would stay so; this one lets descent come back in, but
    not go further out.
    """

    def backward(upstream: tf.Tensor) -> tf.Tensor:
        # Descent goes against the gradient: a value above 1 comes back where its gradient is positive.
        outward = ((images > 1) & (upstream < 0)) | ((images < -1) & (upstream > 0))
        return tf.where(outward, tf.zeros_like(upstream), upstream)

    return tf.clip_by_value(images, -1.0, 1.0), backward
