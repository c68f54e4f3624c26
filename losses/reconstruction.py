"""How far a picture is from the one it should be: losses, and the measures that papers give."""

import keras
from keras import ops

Tensor = keras.KerasTensor


def l1(images: Tensor, targets: Tensor) -> Tensor:
    """Mean absolute difference: leaves edges sharp where the mean square would blur (Isola et al. 2017)."""
    return ops.mean(ops.absolute(_float(images) - _float(targets)))


def l2(images: Tensor, targets: Tensor) -> Tensor:
    """Mean squared difference."""
    return ops.mean(ops.square(_float(images) - _float(targets)))


def _float(x: Tensor) -> Tensor:
    return ops.cast(x, "float32")
