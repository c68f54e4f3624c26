"""Convolutions whose weights a style scales, picture by picture (StyleGAN2, Karras et al. 2020, arXiv:1912.04958).

The paper scales the weights of each picture's own kernel (section 2.2), a grouped convolution. Here the features
are scaled instead, before the convolution by the style and after it by what demodulation divides by: the same
numbers, from one kernel for all pictures (the authors train so, too).
"""

import keras
import tensorflow as tf
from keras import layers

from models.layers.equalized import NORMAL, EqualizedDense, he_constant
from models.layers.fir import blur


@keras.saving.register_keras_serializable(package="gesso")
class ModulatedConv2D(layers.Layer):
    """A convolution modulated by a style, with equalised learning rate: `[batch, n, n, c]`, float `[batch, dim]`.

    Input channel i is scaled by s_i, an affine function of the style that begins around 1. With `demodulate`,
    output channels are divided by the norms of the scaled weights, so that features whose deviation is 1 keep it
    (equation 3). `upsample` doubles the size by a transposed convolution, then the low-pass filter. A bias follows.
    The style is worked on in float32.
    """

    def __init__(
        self, filters: int, kernel_size: int = 3, demodulate: bool = True, upsample: bool = False, **options
    ):
        super().__init__(autocast=False, **options)
        self.filters = filters
        self.kernel_size = kernel_size
        self.demodulate = demodulate
        self.upsample = upsample

    def build(self, x_shape: tuple, style_shape: tuple) -> None:
        channels, size = x_shape[-1], self.kernel_size
        self.affine = EqualizedDense(channels, bias_initializer="ones", dtype="float32", name="affine")
        self.affine.build(style_shape)
        normal, full = keras.initializers.get(NORMAL), {"dtype": "float32", "autocast": False}
        self.kernel = self.add_weight((size, size, channels, self.filters), normal, name="kernel", **full)
        self.bias = self.add_weight((self.filters,), "zeros", name="bias", **full)

    def call(self, x: tf.Tensor, style: tf.Tensor) -> tf.Tensor:
        scale = self.affine(tf.cast(style, tf.float32))
        kernel = tf.convert_to_tensor(self.kernel)
        kernel *= he_constant(kernel, 1.0)
        if self.demodulate:
            if self.compute_dtype == "float16":  # which large styles would overflow; demodulation divides it out
                scale /= tf.reduce_max(tf.abs(scale), axis=1, keepdims=True)
            squares = tf.matmul(tf.square(scale), tf.reduce_sum(tf.square(kernel), axis=[0, 1]))
            divided = tf.math.rsqrt(squares + 1e-8)
        x = tf.cast(x, self.compute_dtype) * self._planes(scale)
        x = self._convolved(x, tf.cast(kernel, self.compute_dtype))
        if self.demodulate:
            x *= self._planes(divided)
        return x + tf.cast(self.bias, x.dtype)

    def _planes(self, numbers: tf.Tensor) -> tf.Tensor:
        return tf.cast(numbers[:, None, None, :], self.compute_dtype)

    def _convolved(self, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        if not self.upsample:
            return tf.nn.conv2d(x, kernel, 1, "SAME")
        doubled = (2 * side + self.kernel_size - 2 for side in x.shape[1:3])
        shape = [x.shape[0] or tf.shape(x)[0], *doubled, self.filters]  # known, where XLA has to know it
        x = tf.nn.conv2d_transpose(x, tf.transpose(kernel, [0, 1, 3, 2]), shape, 2, "VALID")
        return 4 * blur(x, (5 - self.kernel_size) // 2)  # as strong as before the zeros between the pixels

    def compute_output_shape(self, x_shape: tuple, style_shape: tuple) -> tuple:
        batch, height, width, _ = x_shape
        factor = 2 if self.upsample else 1
        return (batch, factor * height, factor * width, self.filters)

    def get_config(self) -> dict:
        options = ("filters", "kernel_size", "demodulate", "upsample")
        return super().get_config() | {name: getattr(self, name) for name in options}


@keras.saving.register_keras_serializable(package="gesso")
class LearnedConstant(layers.Layer):
    """A picture's features that are the same for all: anything `[batch, ...]` -> `[batch, size, size, filters]`."""

    def __init__(self, size: int, filters: int, **options):
        super().__init__(**options)
        self.size = size
        self.filters = filters

    def build(self, shape: tuple) -> None:
        normal = keras.initializers.get(NORMAL)
        self.constant = self.add_weight((1, self.size, self.size, self.filters), normal, name="constant")

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        batch = inputs.shape[0] or tf.shape(inputs)[0]  # known, where XLA has to know it
        return tf.tile(tf.cast(self.constant, self.compute_dtype), [batch, 1, 1, 1])

    def compute_output_shape(self, shape: tuple) -> tuple:
        return (shape[0], self.size, self.size, self.filters)

    def get_config(self) -> dict:
        return super().get_config() | {"size": self.size, "filters": self.filters}


@keras.saving.register_keras_serializable(package="gesso")
class Picture(layers.Layer):
    """A generator's last layer: what it paints, as it is in training, else cut off at -1 and 1."""

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        return inputs if training else tf.clip_by_value(inputs, -1.0, 1.0)

    def compute_output_shape(self, shape: tuple, **options) -> tuple:
        return shape
