"""Warping error of stylized films: how much what moves changes on its way (Lai et al. 2018, arXiv:1808.00449)."""

from collections.abc import Iterable

import numpy as np


def warping_error(triples: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> float:
    """Averages how far frames are from the ones before, carried along with the motion, in levels of 255.

    Each of `triples` is a frame, uint8 `[height, width, 3]`; the frame before it as it was carried along; and where
    that is to be seen, `[height, width]` of 0 and 1. Mean absolute differences of all visible places of the film,
    where the paper has squares, averaged frame by frame: its numbers are others. NaN where there are none.
    """
    total = places = 0.0
    for frame, carried, visible in triples:
        change = np.abs(frame.astype(np.float32) - carried.astype(np.float32)).mean(axis=-1)
        total += float((change * visible).sum(dtype=np.float64))
        places += float(visible.sum(dtype=np.float64))
    return total / places if places else float("nan")
