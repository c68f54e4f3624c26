"""Optimizers of a picture: from a function that gives its loss and gradient, to a picture with less of it."""

import math
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from scipy.optimize import _lbfgsb

# A picture float32 `[height, width, 3]` -> its loss, and the gradient, of the picture's shape.
Evaluation = Callable[[np.ndarray], tuple[float, np.ndarray]]


def lbfgs(problem: Evaluation, image: np.ndarray, steps: int) -> np.ndarray:
    """Returns the best picture of `steps` evaluations (scipy's L-BFGS-B), all pixels within [-1, 1]."""
    best, done, begun = (math.inf, image), 0, 0
    search = _LBFGSB(image)
    while done < steps:
        if search.wants_evaluation():
            here = search.x.reshape(image.shape).astype(np.float32)
            loss, gradient = problem(here)
            search.loss, search.gradient = float(loss), gradient.astype(np.float64).ravel()
            best, done = min(best, (loss, here), key=lambda pair: pair[0]), done + 1
        # A line search that fails, as rounding in bfloat16 may make it, is begun anew with no history.
        elif done - begun < 3:
            break
        else:
            search, begun = _LBFGSB(best[1]), done
    return best[1]


class _LBFGSB:
    """scipy's L-BFGS-B between evaluations: `x` to be evaluated, its `loss` and `gradient` to be set.

    What `scipy.optimize.minimize` does, and to the bit; but that looks at the bounds of each pixel in a loop of
    Python's, which at 512 px takes seconds, for every size and every frame of a film. So it is the routine below it
    that is called, which is not public: `pyproject.toml` allows the versions it is known in.
    """

    _EVALUATE, _NEW_ITERATE = 3, 1
    _CORRECTIONS, _LINE_SEARCH = 10, 20  # gradients remembered, evaluations of one line search at most

    def __init__(self, image: np.ndarray) -> None:
        self.x = np.clip(image.astype(np.float64).ravel(), -1, 1)
        self.loss, self.gradient = 0.0, np.zeros_like(self.x)
        size, kept = self.x.size, self._CORRECTIONS
        self._bounds = np.full(size, -1.0), np.full(size, 1.0), np.full(size, 2, np.int32)  # 2: on both sides
        self._task, self._line_task = np.zeros(2, np.int32), np.zeros(2, np.int32)
        self._work = np.zeros(2 * kept * size + 5 * size + 11 * kept**2 + 8 * kept), np.zeros(3 * size, np.int32)
        self._saved = np.zeros(4, np.int32), np.zeros(44, np.int32), np.zeros(29)

    def wants_evaluation(self) -> bool:
        """Goes on to the next `x` to be evaluated, or returns False: it has arrived, or its line search failed."""
        while True:
            _lbfgsb.setulb(
                self._CORRECTIONS, self.x, *self._bounds, self.loss, self.gradient, 0.0, 0.0, *self._work,
                self._task, *self._saved, self._LINE_SEARCH, self._line_task,
            )  # fmt: skip
            if self._task[0] != self._NEW_ITERATE:
                return bool(self._task[0] == self._EVALUATE)


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
