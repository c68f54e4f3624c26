"""An order of samples that depends on nothing but the samples: what draws from them does not see how they came."""

import numpy as np

ROWS = 1024  # in float64 at a time


def canonical(samples: np.ndarray) -> np.ndarray:
    """Places of `samples` `[n, ...]`, numbers, in their order by a fixed random direction: int64 `[n]`.

    Metrics that look at some of the samples, or at some places of each, draw from this order, so that a set has one
    value however it is shuffled. That samples differ in their last bits, as those of networks do from batch size to
    batch size, leaves the order as it is, but for samples that hardly differ.
    """
    direction = np.random.default_rng(0).standard_normal(int(np.prod(np.shape(samples)[1:])))
    parts = (np.asarray(samples[i : i + ROWS], np.float64) for i in range(0, len(samples), ROWS))
    along = [part.reshape(len(part), -1) @ direction for part in parts]
    return np.argsort(np.concatenate([np.zeros(0), *along]), kind="stable")
