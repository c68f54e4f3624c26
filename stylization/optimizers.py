"""Optimizers of a picture: from a function that gives its loss and gradient, to a picture with less of it."""

import contextlib
import math
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from scipy.optimize import Bounds, minimize

# A picture float32 `[height, width, 3]` -> its loss, and the gradient, of the picture's shape.
Evaluation = Callable[[np.ndarray], tuple[float, np.ndarray]]


def lbfgs(problem: Evaluation, image: np.ndarray, steps: int) -> np.ndarray:
    """Returns the best picture of `steps` evaluations (scipy's L-BFGS-B), all pixels within [-1, 1]."""
    best, done = (math.inf, image), 0

    def evaluate(flat: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal best, done
        if done == steps:
            raise _EnoughError
        here = flat.reshape(image.shape).astype(np.float32)
        loss, gradient = problem(here)
        best, done = min(best, (loss, here), key=lambda pair: pair[0]), done + 1
        return loss, gradient.astype(np.float64).ravel()

    with contextlib.suppress(_EnoughError):
        while done < steps:
            before = done
            minimize(
                evaluate, best[1].astype(np.float64).ravel(), jac=True, method="L-BFGS-B", bounds=Bounds(-1, 1),
                options={"maxcor": 10, "maxiter": steps, "maxfun": 2 * steps, "ftol": 0.0, "gtol": 0.0},
            )  # fmt: skip
            # A line search that fails, as rounding in bfloat16 may make it, is begun anew with no history.
            if done - before < 3:
                break
    return best[1]


class _EnoughError(Exception):
    pass


def adam(problem: Evaluation, image: np.ndarray, steps: int, learning_rate: float) -> np.ndarray:
    """Returns the last picture of `steps` updates, the first made from `image`; pixels stay within [-1, 1]."""
    variable = keras.Variable(image, dtype="float32")
    optimizer = keras.optimizers.Adam(learning_rate)
    optimizer.build([variable])
    for _ in range(steps):
        _, gradient = problem(variable.numpy())
        optimizer.apply([tf.constant(gradient)], [variable])
        variable.assign(keras.ops.clip(variable, -1, 1))
    return variable.numpy()
