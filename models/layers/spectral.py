"""Spectral normalisation (Miyato et al. 2018, arXiv:1802.05957): layers whose weights have spectral norm one.

The weight in use is `W / sigma(W)`, where sigma, the largest singular value, is followed by one power iteration for
each call in training; the gradient flows through the division. (`keras.layers.SpectralNormalization` overwrites the
weight with its quotient instead, so that the gradient misses that part and the weight's scale is lost.)
"""

import keras
import tensorflow as tf
from keras import layers

from models.layers.convolution import Conv2D


class _Spectral:
    """State that the layers share: `u`, float32 `[out]`, the estimate of the first right singular vector."""

    def _build_vector(self, size: int) -> None:
        self.u = self.add_weight(
            (size,), "random_normal", "float32", trainable=False, autocast=False, name="singular_vector"
        )

    def save_own_variables(self, store: dict) -> None:
        super().save_own_variables(store)  # Keras's layers store what they know by name, and no more
        store["singular_vector"] = self.u

    def load_own_variables(self, store: dict) -> None:
        super().load_own_variables(store)
        self.u.assign(store["singular_vector"])

    def _normalized(self, weight: tf.Tensor, training: bool | None) -> tf.Tensor:
        """Divides a weight by its spectral norm, in float32; its last axis are outputs, all others inputs."""
        weight = tf.convert_to_tensor(weight)
        matrix = tf.cast(tf.reshape(weight, [-1, weight.shape[-1]]), tf.float32)
        u = tf.convert_to_tensor(self.u)
        v = tf.stop_gradient(tf.linalg.l2_normalize(tf.linalg.matvec(matrix, u), epsilon=1e-24))
        u = tf.stop_gradient(tf.linalg.l2_normalize(tf.linalg.matvec(matrix, v, transpose_a=True), epsilon=1e-24))
        if training:
            self.u.assign(u)
        sigma = tf.reduce_sum(v * tf.linalg.matvec(matrix, u))
        return tf.cast(tf.reshape(matrix / tf.maximum(sigma, 1e-12), weight.shape), weight.dtype)


@keras.saving.register_keras_serializable(package="gesso")
class SpectralConv2D(_Spectral, Conv2D):
    """A convolution with a kernel of spectral norm one, taken as a matrix `[height * width * in, out]`."""

    def build(self, input_shape: tuple) -> None:
        super().build(input_shape)
        self._build_vector(self.filters)

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        outputs = self.convolution_op(inputs, self._normalized(self.kernel, training))
        return self.activation(outputs + self.bias if self.use_bias else outputs)


@keras.saving.register_keras_serializable(package="gesso")
class SpectralDense(_Spectral, layers.Dense):
    """A fully connected layer with a weight matrix of spectral norm one."""

    def build(self, input_shape: tuple) -> None:
        super().build(input_shape)
        self._build_vector(self.units)

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        outputs = tf.matmul(inputs, self._normalized(self.kernel, training))
        return self.activation(outputs + self.bias if self.use_bias else outputs)


@keras.saving.register_keras_serializable(package="gesso")
class SpectralEmbedding(_Spectral, layers.Embedding):
    """An embedding `[classes, dim]` of spectral norm one."""

    def build(self, input_shape: tuple | None = None) -> None:
        super().build(input_shape)
        self._build_vector(self.output_dim)

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        return tf.gather(self._normalized(self.embeddings, training), inputs)
