"""Learning rates, and other numbers of a training, that change with the steps."""

import math

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


@keras.saving.register_keras_serializable(package="gesso")
class Cosine(keras.optimizers.schedules.LearningRateSchedule):
    """Goes from `initial` to `final` along half a cosine while `images` are seen, and stays there.

    For anything that takes a number or a function of the step: learning rates, Adam's beta_2
    (`training.optimizers`), weights of penalties, the probability of an augmentation, the half-life of an average.
    A step sees `batch_size` images. R3GAN's, Huang et al. 2024, arXiv:2501.05441.
    """

    def __init__(self, initial: float, final: float, images: int, batch_size: int):
        self.initial = initial
        self.final = final
        self.images = images
        self.batch_size = batch_size

    def __call__(self, step):
        part = ops.minimum(ops.cast(step, "float32") * (self.batch_size / self.images), 1.0)
        return self.final + (self.initial - self.final) * (1 + ops.cos(math.pi * part)) / 2

    def get_config(self) -> dict:
        return {name: getattr(self, name) for name in ("initial", "final", "images", "batch_size")}
