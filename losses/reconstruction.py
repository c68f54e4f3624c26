"""Distances of a picture from the one it should be: losses, and the measures that papers give."""

import keras
from keras import ops

Tensor = keras.KerasTensor


def l1(images: Tensor, targets: Tensor, where: Tensor | None = None) -> Tensor:
    """Averages absolute differences, which leaves edges sharp where squares would blur (Isola et al. 2017).

    With `where`, `[batch, height, width, 1]` of 0 and 1, the mean over the places that have a 1; of none, 0.
    """
    difference = ops.absolute(_float(images) - _float(targets))
    if where is None:
        return ops.mean(difference)
    share = ops.mean(_float(where))
    return ops.mean(difference * _float(where)) / ops.maximum(share, 1e-6)


def l2(images: Tensor, targets: Tensor) -> Tensor:
    """Averages squared differences."""
    return ops.mean(ops.square(_float(images) - _float(targets)))


def _float(x: Tensor) -> Tensor:
    return ops.cast(x, "float32")
