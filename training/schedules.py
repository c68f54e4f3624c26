"""Learning rates that change with the steps."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="gesso")
class ConstantThenLinear(keras.optimizers.schedules.LearningRateSchedule):
    """`initial` for `constant_steps`, then in a straight line to 0 at `last_step` (CycleGAN, arXiv:1703.10593)."""

    def __init__(self, initial: float, constant_steps: int, last_step: int):
        if not 0 <= constant_steps < last_step:
            raise ValueError(f"constant_steps={constant_steps} must be at least 0 and below last_step={last_step}.")
        self.initial = initial
        self.constant_steps = constant_steps
        self.last_step = last_step

    def __call__(self, step):
        left = (self.last_step - ops.cast(step, "float32")) / (self.last_step - self.constant_steps)
        return self.initial * ops.clip(left, 0.0, 1.0)

    def get_config(self) -> dict:
        return {"initial": self.initial, "constant_steps": self.constant_steps, "last_step": self.last_step}
