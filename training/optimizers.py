"""Optimizers with more that changes with the steps than the learning rate."""

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="gesso")
class Adam(keras.optimizers.Adam):
    """Adam (Kingma & Ba 2014, arXiv:1412.6980) whose `beta_2` may be a schedule, as its learning rate may.

    The correction of the start is by the beta of the moment, as in PyTorch where somebody changes it on the way.
    """

    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: Any = 0.999, **options):
        if isinstance(beta_2, dict):  # of get_config
            beta_2 = keras.optimizers.schedules.deserialize(beta_2)
        super().__init__(learning_rate, beta_1, beta_2, **options)

    @property
    def beta_2(self):
        return self._beta_2(self._iterations) if callable(self._beta_2) else self._beta_2

    @beta_2.setter
    def beta_2(self, value: Any) -> None:
        self._beta_2 = value

    def get_config(self) -> dict:
        config = super().get_config()
        if callable(self._beta_2):
            config["beta_2"] = keras.optimizers.schedules.serialize(self._beta_2)
        return config
