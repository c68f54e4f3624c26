"""Dropout on several replicas."""

import keras
import tensorflow as tf
from keras import layers

from models.layers.noise import replica_seed


@keras.saving.register_keras_serializable(package="gesso")
class Dropout(layers.Dropout):
    """Dropout (Srivastava et al. 2014) that leaves out something else on each replica; Keras's, the same on all."""

    stands_for = layers.Dropout

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not (training and self.rate > 0) or tf.distribute.get_strategy().num_replicas_in_sync == 1:
            return super().call(inputs, training=training)
        return tf.nn.experimental.stateless_dropout(inputs, self.rate, replica_seed(self.seed_generator))
