"""What the training steps of all systems share."""

import keras
import tensorflow as tf
from keras import ops

Tensor = tf.Tensor


def update(
    optimizer: keras.Optimizer, tape: tf.GradientTape, loss: Tensor, variables: list[keras.Variable]
) -> Tensor:
    """Applies the gradients of the (`scaled`) loss; returns their norm, unscaled."""
    gradients = tape.gradient(loss, [variable.value for variable in variables], unconnected_gradients="zero")
    optimizer.apply(gradients, variables)
    return tf.linalg.global_norm(gradients) / optimizer.scale_loss(1.0)


def scaled(loss: Tensor, optimizer: keras.Optimizer) -> Tensor:
    """The loss to differentiate: replicas' gradients are summed, so each gives its share of the mean."""
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return optimizer.scale_loss(loss / replicas)


def prepared(optimizer: keras.Optimizer, variables: list[keras.Variable]) -> keras.Optimizer:
    """An optimizer with its state for these variables, scaling the loss where the precision needs it."""
    if keras.config.dtype_policy().name == "mixed_float16":  # Keras wraps only `model.optimizer`
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(variables)
    return optimizer


def accuracy(real_logits: Tensor, fake_logits: Tensor, threshold: float | None) -> Tensor:
    """How often a discriminator is right: of pictures on their own, or, with no threshold, of pairs."""
    if threshold is None:
        right = real_logits > fake_logits
    else:
        right = ops.stack([real_logits > threshold, fake_logits < threshold])
    return ops.mean(ops.cast(right, "float32"))


def key(seed: int, purpose: int, step: Tensor) -> Tensor:
    """A seed, int32 `[2]`, that is a function of its arguments and the replica alone."""
    mixed = tf.random.fold_in(tf.constant([seed, purpose]), tf.convert_to_tensor(step))
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    return tf.random.fold_in(mixed, tf.cast(replica, tf.int64))
