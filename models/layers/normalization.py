"""Batch normalisation: in one fused operation, where Keras takes a dozen; and conditional on a label."""

import keras
import tensorflow as tf
from keras import layers


@keras.saving.register_keras_serializable(package="gesso")
class BatchNormalization(layers.BatchNormalization):
    """Batch normalisation (Ioffe & Szegedy 2015, arXiv:1502.03167), four times as fast to train as Keras's.

    Takes `[batch, height, width, channels]`, normalised over all but the channels. Keras 3 computes the moments
    and the result in separate passes over a float32 copy; TensorFlow's fused kernel reads the picture as it is.
    Its moving variance is the unbiased estimate, as PyTorch's is. Any other use goes the way of Keras's layer.
    """

    stands_for = layers.BatchNormalization

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None) -> tf.Tensor:
        fits = len(inputs.shape) == 4 and self.axis in (-1, 3)
        if not (training and self.trainable and fits) or self.synchronized or mask is not None:
            return super().call(inputs, training=training, mask=mask)
        channels = inputs.shape[-1]
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma if self.scale else tf.ones([channels]),
            offset=self.beta if self.center else tf.zeros([channels]),
            mean=tf.constant([]),
            variance=tf.constant([]),
            epsilon=self.epsilon,
            is_training=True,
        )
        for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + tf.stop_gradient(now) * (1 - self.momentum))
        return outputs


def batch_norm(
    x: keras.KerasTensor,
    label: keras.KerasTensor | None = None,
    num_classes: int = 0,
    name: str | None = None,
    gamma_initializer: str | dict = "ones",
    **options,
) -> keras.KerasTensor:
    """Normalises `[batch, ..., channels]` by the batch; with a label, int32 `[batch]`, conditional on it.

    In place of the label may come a vector, float `[batch, length]`, of which a linear layer makes both.

    Conditional batch normalisation (Dumoulin et al. 2017, arXiv:1610.07629; Miyato & Koyama 2018) has a scale and
    an offset of its own for every class; DF-GAN (Tao et al. 2022, arXiv:2008.05865) makes them of a sentence, too.
    `options` are those of the layer.
    """
    if label is None:
        return BatchNormalization(gamma_initializer=gamma_initializer, name=name, **options)(x)
    channels = x.shape[-1]
    shape = (1,) * (len(x.shape) - 2) + (channels,)
    x = BatchNormalization(center=False, scale=False, name=name, **options)(x)
    for part, initializer, join in (
        ("gamma", gamma_initializer, layers.Multiply),
        ("beta", "zeros", layers.Add),
    ):
        named = {"name": name and f"{name}_{part}"}
        if label.dtype.startswith("int"):
            embed = layers.Embedding(num_classes, channels, embeddings_initializer=initializer, **named)
        else:  # begins as without a condition
            one = keras.initializers.get(initializer)
            embed = layers.Dense(channels, kernel_initializer="zeros", bias_initializer=one, **named)
        embedded = embed(label)
        embedded = layers.Reshape(shape, name=name and f"{name}_{part}_of_class")(embedded)
        x = join(name=name and f"{name}_by_{part}")([x, embedded])
    return x


@keras.saving.register_keras_serializable(package="gesso")
class ScaleAndShift(layers.Layer):
    """Scales and shifts each channel of `[batch, height, width, channels]`, by numbers that are learned.

    With `styles` > 1 it also takes weights float `[batch, styles]`, and scale and offset are blends of those of the
    styles, as in conditional instance normalisation (Dumoulin et al. 2017, arXiv:1610.07629), of which this is what
    is left without the normalisation (FiLM: Perez et al. 2017, arXiv:1709.07871).
    """

    def __init__(self, styles: int = 1, gamma_initializer: str = "ones", **options):
        super().__init__(**options)
        self.styles = styles
        self.gamma_initializer = gamma_initializer

    def build(self, shape: tuple) -> None:
        shape = (self.styles, shape[-1])
        options = {"shape": shape, "dtype": "float32", "autocast": False}
        self.gamma = self.add_weight(initializer=self.gamma_initializer, name="gamma", **options)
        self.beta = self.add_weight(initializer="zeros", name="beta", **options)

    def call(self, inputs: tf.Tensor, weights: tf.Tensor | None = None) -> tf.Tensor:
        gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        if weights is not None:
            gamma, beta = (tf.matmul(tf.cast(weights, "float32"), table) for table in (gamma, beta))
        return self.scaled(inputs, gamma, beta)

    def scaled(self, inputs: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
        """Scales `[batch, height, width, channels]` by gamma and shifts it by beta, `[1 or batch, channels]`."""
        gamma, beta = (tf.cast(part, inputs.dtype)[:, None, None] for part in (gamma, beta))
        return inputs * gamma + beta

    def compute_output_shape(self, inputs_shape: tuple, weights_shape: tuple | None = None) -> tuple:
        return inputs_shape

    def get_config(self) -> dict:
        return super().get_config() | {"styles": self.styles, "gamma_initializer": self.gamma_initializer}


@keras.saving.register_keras_serializable(package="gesso")
class InstanceNormalization(ScaleAndShift):
    """Each channel of each picture to mean 0 and variance 1, then scaled and shifted (Ulyanov et al. 2016,
    arXiv:1607.08022): the contrast of a content picture is no business of its style's.

    TensorFlow's fused batch normalisation of a batch of one is just that, and several times as fast as the
    textbook's passes; a batch of a known, small size is taken picture by picture.
    """

    def __init__(self, styles: int = 1, epsilon: float = 1e-5, gamma_initializer: str = "ones", **options):
        super().__init__(styles, gamma_initializer, **options)
        self.epsilon = epsilon

    def scaled(self, inputs: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
        """As `ScaleAndShift.scaled`, of inputs that are normalised first."""
        if inputs.shape[0] is None or inputs.shape[0] > 16:
            mean, variance = tf.nn.moments(tf.cast(inputs, "float32"), [1, 2], keepdims=True)
            scale = gamma[:, None, None] * tf.math.rsqrt(variance + self.epsilon)
            return tf.cast(scale * (tf.cast(inputs, "float32") - mean) + beta[:, None, None], inputs.dtype)
        pictures = []
        for i, picture in enumerate(tf.split(inputs, inputs.shape[0])):
            own = min(i, gamma.shape[0] - 1) if gamma.shape[0] else i
            pictures.append(
                tf.raw_ops.FusedBatchNormV3(
                    x=picture, scale=gamma[own], offset=beta[own], mean=tf.constant([]), variance=tf.constant([]),
                    epsilon=self.epsilon, is_training=True,
                ).y
            )  # fmt: skip
        return tf.concat(pictures, axis=0)

    def get_config(self) -> dict:
        return super().get_config() | {"epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="gesso")
class AdaptiveInstanceNormalization(InstanceNormalization):
    """Instance normalisation to means and deviations from elsewhere (Huang & Belongie 2017).

    `[batch, height, width, channels]`, mean and deviation `[batch, channels]`, and strength `[batch, 1]`: 0 leaves
    the picture as it is.
    """

    def build(self, *shapes: tuple) -> None:
        pass  # nothing to learn

    def call(self, inputs: tf.Tensor, mean: tf.Tensor, deviation: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
        mean, deviation = tf.cast(mean, "float32"), tf.cast(deviation, "float32")
        strength = tf.cast(strength, inputs.dtype)[:, None, None]
        return strength * self.scaled(inputs, deviation, mean) + (1 - strength) * inputs

    def compute_output_shape(self, inputs_shape: tuple, *shapes: tuple, **named: tuple) -> tuple:
        return inputs_shape
