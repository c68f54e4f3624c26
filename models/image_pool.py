"""A buffer of generated pictures (Shrivastava et al. 2017, arXiv:1612.07828): discriminators forget otherwise."""

import keras
import tensorflow as tf

Tensor = tf.Tensor


class ImagePool(keras.layers.Layer):
    """Remembers `size` pictures of `shape`; in variables, so that a checkpoint has them too.

    With `size` 0 it gives back what it gets.

    Called with a batch `[batch, height, width, channels]` and a seed int `[2]`. Until the buffer is full it keeps
    each picture and gives it back; from then on, each is swapped for an older one at random in half of the cases.
    """

    def __init__(self, shape: tuple[int, int, int], size: int = 50, **options):
        super().__init__(dtype="float32", autocast=False, **options)
        self.size = size
        self.pictures = self.add_weight(shape=(size, *shape), initializer="zeros", trainable=False, name="pictures")
        self.count = self.add_weight(shape=(), initializer="zeros", dtype="int32", trainable=False, name="count")
        self.built = True

    def call(self, images: Tensor, key: Tensor) -> Tensor:
        if self.size == 0:
            return tf.stop_gradient(images)
        chosen = []
        for i, image in enumerate(tf.unstack(tf.stop_gradient(images))):
            seed = tf.random.fold_in(key, i)
            count = tf.convert_to_tensor(self.count)
            full = count >= self.size
            swap = tf.random.stateless_uniform([], seed) < 0.5
            slot = tf.random.stateless_uniform([], tf.random.fold_in(seed, 1), 0, self.size, tf.int32)
            slot = tf.where(full, slot, count)
            old = tf.gather(tf.convert_to_tensor(self.pictures), slot)
            chosen.append(tf.where(full & swap, old, image))
            kept = tf.where(~full | swap, image, old)
            self.pictures.value.scatter_update(tf.IndexedSlices(kept[None], slot[None]))
            self.count.assign(tf.minimum(count + 1, self.size))
        return tf.stack(chosen)
