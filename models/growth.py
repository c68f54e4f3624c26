"""Parts of a step that grow networks (progressive growing, Karras et al. 2018, arXiv:1710.10196).

A network with a method `grow(step)` has it called at every step; where its `changes_level(step)` is true, its
optimizer begins anew, as in the authors' code: moments of small pictures say nothing of large ones. Networks
without these methods stay as they are.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from keras import ops

Tensor = tf.Tensor


def grows(network: keras.Model) -> bool:
    """Says whether the network is one that grows."""
    return hasattr(network, "grow")


def grow(network: keras.Model, step: tf.Variable) -> None:
    """Grows the network, if it is one that does, to where training is at `step`, an integer."""
    if grows(network):
        network.grow(tf.convert_to_tensor(step))


def restarts(optimizer: keras.Optimizer) -> Callable[[Tensor], None]:
    """Returns a function, `restart(when)`, that brings an optimizer that was just built back to what it is now.

    To be called in a step; `when` is a scalar boolean, and where it is false no bit changes. What comes back is all
    state, with gradients that are being accumulated and the count of updates, but not the learning rate, nor the
    scale of a loss (float16), which is no matter of levels; schedules go by the system's step
    (`models.by_step`). Raises `ValueError` for state that does not begin at one number.
    """
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    begun = [(v, ops.convert_to_numpy(v)) for v in optimizer.variables if v.name != "learning_rate"]
    for variable, values in begun:
        if np.ptp(values):
            raise ValueError(
                f"{variable.path} of the optimizer of a network that grows does not begin at one number."
            )
    first = [(variable, values.flat[0]) for variable, values in begun]

    def restart(when: Tensor) -> None:
        # Not a tf.cond: the count of updates cannot be assigned in one where there are several replicas.
        for variable, value in first:
            now = tf.convert_to_tensor(variable)
            variable.assign(tf.where(when, tf.cast(value, now.dtype), now))

    return restart
