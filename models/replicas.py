"""Replicas: the same step on several devices or machines (`tf.distribute`), each with its part of a batch.

After every step all variables are the same on all replicas. Gradients are added up before anything looks at them,
so that each replica does with its own copies what a single device would do; what a step draws for its own pictures,
it draws for all and takes its part; and what is of a replica's own pictures all the same, such as statistics of a
batch, is averaged at the end of the step. So any replica's variables are a checkpoint, and to read them nobody has
to ask the others.

All but `count` are for the inside of a step. Where there is one replica they give back what they get.
"""

from collections.abc import Iterable
from types import MethodType

import keras
import tensorflow as tf
from keras.src.optimizers.base_optimizer import BaseOptimizer

Tensor = tf.Tensor


def count() -> int:
    """Counts the replicas, on all machines together."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def number() -> Tensor | int:
    """Returns which replica this is, from 0 on."""
    return tf.distribute.get_replica_context().replica_id_in_sync_group


def total(gradients: list[Tensor]) -> list[Tensor]:
    """Adds up each of several tensors over all replicas."""
    return gradients if count() == 1 else _together("SUM", gradients)


def mean(values: dict[str, Tensor], variables: Iterable[keras.Variable] = ()) -> dict[str, Tensor]:
    """Averages scalars over all replicas: float32, by name. Sets `variables`, float32, to their means besides."""
    if count() == 1:
        return values
    variables = list(variables)
    now = [tf.cast(tf.convert_to_tensor(value), tf.float32) for value in values.values()]
    now += [tf.identity(variable) for variable in variables]  # what is read has no device, and one is asked for
    means = _together("MEAN", now)
    for variable, value in zip(variables, means[len(values) :], strict=True):
        variable.assign(value)
    return dict(zip(values, means, strict=False))


def _together(operation: str, tensors: list[Tensor]) -> list[Tensor]:
    """Reduces tensors over all replicas in one exchange for each dtype: each takes its time, however small."""
    reduce = tf.distribute.get_replica_context().all_reduce
    reduced = list(tensors)
    places: dict[tf.DType, list[int]] = {}
    for place, tensor in enumerate(tensors):
        places.setdefault(tensor.dtype, []).append(place)
    for group in places.values():
        flat = reduce(operation, tf.concat([tf.reshape(tensors[place], [-1]) for place in group], 0))
        parts = tf.split(flat, [tensors[place].shape.num_elements() for place in group])
        for place, part in zip(group, parts, strict=True):
            reduced[place] = tf.reshape(part, tensors[place].shape)
    return reduced


def gathered(batch: Tensor) -> Tensor:
    """Returns the whole batch, of which each replica has a part, in the order of the replicas."""
    if count() == 1:
        return batch
    whole = tf.distribute.get_replica_context().all_gather(batch, axis=0)
    return tf.ensure_shape(whole, [None if batch.shape[0] is None else batch.shape[0] * count(), *batch.shape[1:]])


def own(batch: Tensor) -> Tensor:
    """Returns this replica's part of a whole batch."""
    if count() == 1:
        return batch
    size = batch.shape[0] // count() if batch.shape[0] else tf.shape(batch)[0] // count()
    return tf.slice(batch, [number() * size, *[0] * (len(batch.shape) - 1)], [size, *batch.shape[1:]])


def update_alike(optimizer: keras.Optimizer) -> None:
    """Has an optimizer, in a step, change a replica's own copies: what it is given is the same on all.

    Keras's would add up the gradients after it has clipped them, and cannot do so within a condition, where
    accumulated ones are applied. To be called where the replicas are known, in `strategy.scope()`.
    """
    if count() > 1:
        for name in ("_backend_update_step", "_apply_weight_decay", "_backend_increment_gradient_accumulators"):
            setattr(optimizer, name, MethodType(getattr(BaseOptimizer, name), optimizer))


class Mean(keras.metrics.Mean):
    """A mean of values that are the same on all replicas. Keras's is another on each, and asks all to be read."""

    def add_variable(self, shape, initializer, dtype=None, aggregation="none", name=None) -> keras.Variable:
        """Adds a variable; called by Keras."""
        with keras.name_scope(self.name):
            initializer = keras.initializers.get(initializer)
            return keras.Variable(initializer, shape=shape, dtype=dtype, trainable=False, name=name)
