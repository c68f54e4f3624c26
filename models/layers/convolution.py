"""Convolutions that learn faster in bfloat16 on a CPU than Keras's own; otherwise the same layers.

oneDNN computes a strided convolution's kernel gradient in bfloat16 at a quarter of the speed of its other passes
where pictures are small and channels many. Only that gradient is replaced, by four matrix products over the picture
folded to half its size. Measured on two cores of an AMD Zen 4 for DCGAN's layers, batch 64: 8x8x256 -> 4x4x512:
46 ms and 14 ms, 16x16x128 -> 8x8x256: 25 and 16, 32x32x64 -> 16x16x128: 17 and 25. Hence the bound on channels.
"""

import keras
import tensorflow as tf
from keras import layers


@keras.saving.register_keras_serializable(package="gesso")
class Conv2D(layers.Conv2D):
    """A convolution with a faster kernel gradient for 4x4 kernels of stride 2 in bfloat16 on a CPU."""

    stands_for = layers.Conv2D

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        if not _slow_here(self):
            return super().convolution_op(inputs, kernel)
        return _halve(inputs, tf.convert_to_tensor(kernel))


@keras.saving.register_keras_serializable(package="gesso")
class Conv2DTranspose(layers.Conv2DTranspose):
    """A transposed convolution with a faster kernel gradient, likewise."""

    stands_for = layers.Conv2DTranspose

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        if not _slow_here(self) or self.use_bias or self.activation is not keras.activations.linear:
            return super().call(inputs)
        return _double(inputs, tf.convert_to_tensor(self.kernel))


@keras.saving.register_keras_serializable(package="gesso")
class ResizedConv2D(layers.Layer):
    """A picture doubled by nearest neighbour, then convolved by 3x3: no grid, at a transposed convolution's price.

    `[batch, height, width, channels]` -> `[batch, 2 height, 2 width, filters]`, no bias, zeros beyond the edges.
    Doubling is a transposed convolution, with a 2x2 kernel of ones, and joins what follows it (Odena et al. 2016,
    "Deconvolution and Checkerboard Artifacts"): the 4x4 kernel is the sum of the 3x3 one at its four places.
    """

    def __init__(self, filters: int, kernel_initializer: str | dict = "glorot_uniform", **options):
        super().__init__(**options)
        self.filters = filters
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, shape: tuple) -> None:
        shape = (3, 3, self.filters, shape[-1])  # as transposed convolutions have it: outputs, then inputs
        self.kernel = self.add_weight(shape=shape, initializer=self.kernel_initializer, name="kernel")

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        kernel = tf.convert_to_tensor(self.kernel)
        kernel = sum(tf.pad(kernel, [[i, 1 - i], [j, 1 - j], [0, 0], [0, 0]]) for i in (0, 1) for j in (0, 1))
        kernel = tf.cast(kernel, self.compute_dtype)
        if _slow(self.compute_dtype, kernel):
            return _double(inputs, kernel)
        batch, height, width, _ = tf.unstack(tf.shape(inputs))
        doubled = tf.nn.conv2d_transpose(inputs, kernel, [batch, 2 * height, 2 * width, self.filters], 2, "SAME")
        return tf.ensure_shape(doubled, self.compute_output_shape(inputs.shape))

    def compute_output_shape(self, shape: tuple) -> tuple:
        batch, height, width, _ = shape
        return (batch, height and 2 * height, width and 2 * width, self.filters)

    def get_config(self) -> dict:
        initializer = keras.initializers.serialize(self.kernel_initializer)
        return super().get_config() | {"filters": self.filters, "kernel_initializer": initializer}


def _slow_here(layer: layers.Layer) -> bool:
    plain = layer.kernel_size == (4, 4) and layer.strides == (2, 2) and layer.padding == "same"
    return plain and _slow(layer.compute_dtype, layer.kernel)


def _slow(dtype: str, kernel: tf.Tensor) -> bool:
    return dtype == "bfloat16" and min(kernel.shape[2:]) >= 128 and not tf.config.get_visible_devices("GPU")


@tf.custom_gradient
def _halve(images: tf.Tensor, kernel: tf.Tensor):
    """Convolves by 4x4 at stride 2: `[b, 2h, 2w, c]`, `[4, 4, c, d]` -> `[b, h, w, d]`, of odd sides rounded up."""

    def gradient(upstream: tf.Tensor):
        return (
            tf.nn.conv2d_transpose(upstream, kernel, tf.shape(images), 2, "SAME"),
            _kernel_gradient(images, upstream),
        )

    return tf.nn.conv2d(images, kernel, 2, "SAME"), gradient


@tf.custom_gradient
def _double(images: tf.Tensor, kernel: tf.Tensor):
    """Convolves by 4x4, transposed, at stride 2: `[b, h, w, d]`, `[4, 4, c, d]` -> `[b, 2h, 2w, c]`."""
    batch, height, width, _ = tf.unstack(tf.shape(images))
    shape = [batch, 2 * height, 2 * width, kernel.shape[2]]

    def gradient(upstream: tf.Tensor):
        return tf.nn.conv2d(upstream, kernel, 2, "SAME"), _kernel_gradient(upstream, images)

    return tf.nn.conv2d_transpose(images, kernel, shape, 2, "SAME"), gradient


def _kernel_gradient(large: tf.Tensor, small: tf.Tensor) -> tf.Tensor:
    """Sums large x small over pictures and places: `[b, 2h, 2w, c]`, `[b, h, w, d]` -> `[4, 4, c, d]`.

    Folding 2x2 pixels into channels makes the strided 4x4 window a plain 2x2 one: four matrix products. A side of
    2h - 1 has a row more of nothing after it, as padding "SAME" has it.
    """
    c, d = large.shape[3], small.shape[3]
    height, width = tf.shape(small)[1], tf.shape(small)[2]
    after = [
        1 + 2 * side - whole for side, whole in zip((height, width), tf.unstack(tf.shape(large)[1:3]), strict=True)
    ]
    folded = tf.nn.space_to_depth(tf.pad(large, [[0, 0], [1, after[0]], [1, after[1]], [0, 0]]), 2)
    small = tf.reshape(small, [-1, d])
    taps = [
        tf.matmul(tf.reshape(folded[:, i : i + height, j : j + width], [-1, 4 * c]), small, transpose_a=True)
        for i in (0, 1)
        for j in (0, 1)
    ]
    kernel = tf.reshape(tf.stack(taps), [2, 2, 2, 2, c, d])  # window row, column; row, column in the fold
    return tf.reshape(tf.transpose(kernel, [0, 2, 1, 3, 4, 5]), [4, 4, c, d])
