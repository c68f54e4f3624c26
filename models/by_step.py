"""Schedules of optimizers by the step of a training.

An optimizer's own count is another one where it updates several times in a step, or once in several, begins late,
or leaves out what a loss scale was too large for.
"""

import keras
import tensorflow as tf


def by_step(optimizer: keras.Optimizer, step: tf.Variable) -> None:
    """Has the schedules of an optimizer, of its rate and of Adam's beta_2, go by the step."""
    for name in ("_learning_rate", "_beta_2"):
        schedule = getattr(optimizer, name, None)
        if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
            setattr(optimizer, name, _ByStep(schedule, step))


class _ByStep(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule, step: tf.Variable):
        self.schedule, self.step = schedule, step

    def __call__(self, updates):
        return self.schedule(tf.convert_to_tensor(self.step))

    def get_config(self) -> dict:
        return self.schedule.get_config()
