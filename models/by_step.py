"""Schedules of an optimizer that updates more than once in a step, or has at times."""

import keras
import tensorflow as tf


def by_step(optimizer: keras.Optimizer, step: tf.Variable) -> None:
    """Has the schedules of an optimizer go by the step, however many updates a step has or had."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    for name in ("_learning_rate", "_beta_2"):
        schedule = getattr(inner, name, None)
        if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
            setattr(inner, name, _ByStep(schedule, step))


class _ByStep(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule, step: tf.Variable):
        self.schedule, self.step = schedule, step

    def __call__(self, updates):
        return self.schedule(tf.convert_to_tensor(self.step))

    def get_config(self) -> dict:
        return self.schedule.get_config()
