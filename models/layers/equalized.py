"""Layers of progressive GANs (Karras et al. 2018, arXiv:1710.10196, sections 3 and 4).

Equalised learning rate (section 4.1): weights are drawn from the standard normal distribution and multiplied by
He's constant, `sqrt(gain / fan_in)`, wherever they are used. Adam's steps are of the same size for all weights; so
they are now also the same fraction of the weights' range. `gain` is 2 before a (leaky) ReLU, 1 where none follows.
"""

import math

import keras
import tensorflow as tf
from keras import layers

NORMAL = {"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 1.0}}


def he_constant(weight: tf.Tensor, gain: float) -> float:
    """Computes `sqrt(gain / fan_in)`, where a weight's last axis are the outputs and all others the inputs."""
    return math.sqrt(gain / math.prod(weight.shape[:-1]))


@keras.saving.register_keras_serializable(package="gesso")
class EqualizedConv2D(layers.Conv2D):
    """A convolution with equalised learning rate; pads to keep the size."""

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        gain: float = 1.0,
        padding: str = "same",
        kernel_initializer: str | dict = NORMAL,
        **options,
    ):
        super().__init__(filters, kernel_size, padding=padding, kernel_initializer=kernel_initializer, **options)
        self.gain = gain

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return super().convolution_op(inputs, kernel * he_constant(kernel, self.gain))

    def get_config(self) -> dict:
        return {**super().get_config(), "gain": self.gain}


@keras.saving.register_keras_serializable(package="gesso")
class EqualizedDense(layers.Dense):
    """A fully connected layer with equalised learning rate.

    With a `slowness` of n it learns at an n-th of the rate: its weights begin n times as large, and they and the
    bias are divided by n wherever they are used (StyleGAN, Karras et al. 2019, appendix C).
    """

    def __init__(
        self,
        units: int,
        gain: float = 1.0,
        kernel_initializer: str | dict | None = None,
        slowness: float = 1.0,
        **options,
    ):
        normal = {**NORMAL, "config": {**NORMAL["config"], "stddev": float(slowness)}}
        super().__init__(units, kernel_initializer=kernel_initializer or normal, **options)
        self.gain = gain
        self.slowness = slowness

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        kernel = tf.convert_to_tensor(self.kernel)
        outputs = tf.matmul(inputs, kernel * (he_constant(kernel, self.gain) / self.slowness))
        return self.activation(outputs + self.bias / self.slowness if self.use_bias else outputs)

    def get_config(self) -> dict:
        return {**super().get_config(), "gain": self.gain, "slowness": self.slowness}


@keras.saving.register_keras_serializable(package="gesso")
class EqualizedEmbedding(layers.Embedding):
    """An embedding with equalised learning rate, for products with features: its constant is `1 / sqrt(dim)`."""

    def __init__(self, input_dim: int, output_dim: int, embeddings_initializer: str | dict = NORMAL, **options):
        super().__init__(input_dim, output_dim, embeddings_initializer=embeddings_initializer, **options)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return super().call(inputs) / math.sqrt(self.output_dim)


@keras.saving.register_keras_serializable(package="gesso")
class ScaledLeakyReLU(layers.LeakyReLU):
    """A leaky ReLU of slope 0.2 whose results are multiplied by sqrt(2), which keeps the variance about the same.

    StyleGAN2 scales here, biases and all, in place of the weights before it (their gain is 1 then).
    """

    def __init__(self, negative_slope: float = 0.2, **options):
        super().__init__(negative_slope, **options)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return super().call(inputs) * math.sqrt(2)


def pixel_norm(x: tf.Tensor) -> tf.Tensor:
    """Divides each pixel's features `[..., channels]` by their root mean square (section 4.2), in float32."""
    mean_square = tf.reduce_mean(tf.square(tf.cast(x, tf.float32)), axis=-1, keepdims=True)
    return x * tf.cast(tf.math.rsqrt(mean_square + 1e-8), x.dtype)


@keras.saving.register_keras_serializable(package="gesso")
class PixelNorm(layers.Layer):
    """A layer that computes `pixel_norm`."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return pixel_norm(inputs)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape


@keras.saving.register_keras_serializable(package="gesso")
class NormalizedActivation(layers.Layer):
    """Offset, leaky ReLU of slope 0.2 and pixel norm, which follow each convolution of the generator.

    With `num_classes`, features are then scaled and shifted by numbers of the label's class: the nearest that there
    is to conditional batch normalisation. Takes `[batch, height, width, channels]` and the label, int32 `[batch]`,
    or any vector in place of one that is 1 at the label, float `[batch, num_classes]`.
    """

    def __init__(self, num_classes: int = 0, **options):
        super().__init__(**options)
        self.num_classes = num_classes

    def build(self, x_shape: tuple, label_shape: tuple | None = None) -> None:
        channels = x_shape[-1]
        self.bias = self.add_weight((channels,), "zeros", name="bias")
        if self.num_classes:
            # Not in bfloat16, in which numbers near 1 are 1/128 apart.
            shape = (self.num_classes, channels)
            self.class_scale = self.add_weight(shape, "ones", name="class_scale", autocast=False)
            self.class_offset = self.add_weight((self.num_classes, channels), "zeros", name="class_offset")

    def call(self, x: tf.Tensor, label: tf.Tensor | None = None) -> tf.Tensor:
        x = pixel_norm(tf.nn.leaky_relu(x + self.bias, 0.2))
        if not self.num_classes:
            return x
        if label.dtype.is_floating:
            scale = 1 + tf.matmul(tf.cast(label, "float32"), self.class_scale - 1)
            offset = tf.matmul(label, tf.convert_to_tensor(self.class_offset))
        else:
            scale, offset = (tf.gather(of_class, label) for of_class in (self.class_scale, self.class_offset))
        return x * tf.cast(scale, x.dtype)[:, None, None, :] + offset[:, None, None, :]

    def compute_output_shape(self, x_shape: tuple, label_shape: tuple | None = None) -> tuple:
        return x_shape

    def get_config(self) -> dict:
        return {**super().get_config(), "num_classes": self.num_classes}


@keras.saving.register_keras_serializable(package="gesso")
class MinibatchStddev(layers.Layer):
    """Appends a channel that tells how much the pictures of a group differ (section 3): `[b, h, w, c]` -> c + 1.

    The standard deviation of each feature at each place over a group, averaged over features and places: one number
    a group, in float32. It shows the discriminator when the generator's pictures are all alike. Groups are of 4
    pictures, as in the authors' code, or of the next smaller number that divides the batch.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        batch, height, width, channels = inputs.shape
        if batch is not None:  # XLA has to know sizes, of gradients above all
            group = max(size for size in range(1, 5) if batch % size == 0)
        else:
            batch, sizes = tf.shape(inputs)[0], tf.range(1, 5)
            group = tf.reduce_max(tf.where(batch % sizes == 0, sizes, 1))
        # Pictures i, i + batch / group, ... form a group.
        x = tf.reshape(tf.cast(inputs, tf.float32), [group, batch // group, height, width, channels])
        stddev = tf.sqrt(tf.math.reduce_variance(x, axis=0) + 1e-8)
        number = tf.reduce_mean(stddev, axis=[1, 2, 3])
        plane = tf.tile(tf.reshape(number, [-1, 1, 1, 1]), [group, height, width, 1])
        return tf.concat([inputs, tf.cast(plane, inputs.dtype)], axis=-1)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:-1], input_shape[-1] + 1)


class GeneratorBlock(layers.Layer):
    """Two convolutions at twice the size: `[batch, s, s, c]` (and label) -> `[batch, 2s, 2s, filters]`."""

    def __init__(self, filters: int, num_classes: int = 0, **options):
        super().__init__(**options)
        self.filters = filters
        own = {"dtype": self.dtype_policy}
        self.convolutions = [
            EqualizedConv2D(filters, 3, gain=2, use_bias=False, name=f"conv_{i}", **own) for i in range(2)
        ]
        self.activations = [NormalizedActivation(num_classes, name=f"norm_{i}", **own) for i in range(2)]

    def build(self, x_shape: tuple, label_shape: tuple | None = None) -> None:
        after = (*x_shape[:-1], self.filters)
        for convolution, activation, shape in zip(
            self.convolutions, self.activations, (x_shape, after), strict=True
        ):
            convolution.build(shape)
            activation.build(after)

    def call(self, x: tf.Tensor, label: tf.Tensor | None = None) -> tf.Tensor:
        x = enlarge(x, 2)
        for convolution, activation in zip(self.convolutions, self.activations, strict=True):
            x = activation(convolution(x), label)
        return x


class DiscriminatorBlock(layers.Layer):
    """Two convolutions, then half the size: `[batch, 2s, 2s, c]` -> `[batch, s, s, filters]`."""

    def __init__(self, filters: int, **options):
        super().__init__(**options)
        self.filters = filters

    def build(self, x_shape: tuple) -> None:
        self.convolutions = [
            EqualizedConv2D(filters, 3, gain=2, dtype=self.dtype_policy, name=f"conv_{i}")
            for i, filters in enumerate((x_shape[-1], self.filters))
        ]
        for convolution in self.convolutions:
            convolution.build(x_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        for convolution in self.convolutions:
            x = tf.nn.leaky_relu(convolution(x), 0.2)
        return shrink(x, 2)


def enlarge(images: tf.Tensor, factor: int) -> tf.Tensor:
    """Repeats each pixel `factor` times in both directions: nearest neighbours."""
    return images if factor == 1 else tf.repeat(tf.repeat(images, factor, axis=1), factor, axis=2)


def shrink(images: tf.Tensor, factor: int) -> tf.Tensor:
    """Averages squares of `factor` times `factor` pixels."""
    return images if factor == 1 else tf.nn.avg_pool2d(images, factor, factor, "VALID")
