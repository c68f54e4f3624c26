"""Learning rates that change with the steps."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="gesso")
class ConstantThenLinear(keras.optimizers.schedules.LearningRateSchedule):
    """Stays at `initial` for a share `constant` of the steps, then falls to 0 at `last_step` (arXiv:1703.10593).

    Raises `ValueError` unless `constant` is at least 0 and below 1.
    """

    def __init__(self, initial: float, constant: float, last_step: int):
        if not 0 <= constant < 1:
            raise ValueError(f"constant={constant} must be at least 0 and below 1: a share of the steps.")
        self.initial = initial
        self.constant = constant
        self.last_step = last_step

    def __call__(self, step):
        left = (1 - ops.cast(step, "float32") / self.last_step) / (1 - self.constant)
        return self.initial * ops.clip(left, 0.0, 1.0)

    def get_config(self) -> dict:
        return {"initial": self.initial, "constant": self.constant, "last_step": self.last_step}
