import numpy as np
import tensorflow as tf

from losses.clipping import clipped


def test_gradient_passes_where_it_points_inward():
    images = tf.constant([-2.0, -2.0, 0.5, 0.5, 2.0, 2.0])
    upstream = tf.constant([3.0, -3.0, 3.0, -3.0, 3.0, -3.0])
    with tf.GradientTape() as tape:
        tape.watch(images)
        seen = clipped(images)
        loss = tf.reduce_sum(seen * upstream)
    np.testing.assert_array_equal(seen, [-1, -1, 0.5, 0.5, 1, 1])
    # Descent with a positive gradient lowers a value: from -2 that would lead further out.
    np.testing.assert_array_equal(tape.gradient(loss, images), [0, -3, 3, -3, 3, 0])
