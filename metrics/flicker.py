"""Flicker of stylized films: how much a still place changes from frame to frame, though it should not.

Needs no optical flow: only places count where the film itself does not change, so it says nothing of how strokes
follow what moves.
"""

import itertools
import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from core.images import STILL


class Flicker(NamedTuple):
    """Mean absolute changes in still places, in levels of 255, and how much of the film these are, 0 to 1."""

    output: float
    input: float  # the film's own: noise that a painter may not be blamed for
    share: float


def flicker(inputs: Iterable[np.ndarray], outputs: Iterable[np.ndarray], threshold: float = STILL) -> Flicker:
    """Measures flicker of frames and their paintings, `[height, width, channels]`, uint8 or float in [-1, 1].

    A place is still between two frames where no channel of the input changes by `threshold` levels or more. Holds
    two frames of each, whatever comes. NaN for both means where nothing is still. Raises `ValueError` for fewer
    than two frames, unequal numbers of them, and a painted frame that is not as large as its input.
    """
    changed_out = changed_in = 0.0
    still = places = 0
    for before, after in itertools.pairwise(_levels(inputs, outputs)):
        if before[0].shape != after[0].shape:
            raise ValueError(f"Frames change their size: {before[0].shape}, then {after[0].shape}.")
        change_in, change_out = (np.abs(b - a) for a, b in zip(before, after, strict=True))
        mask = change_in.max(axis=-1) < threshold
        changed_in += float(change_in[mask].mean(axis=-1).sum(dtype=np.float64))
        changed_out += float(change_out[mask].mean(axis=-1).sum(dtype=np.float64))
        still += int(np.count_nonzero(mask))
        places += mask.size
    if not places:
        raise ValueError("Flicker is between frames: a film needs two or more.")
    if not still:
        return Flicker(math.nan, math.nan, 0.0)
    return Flicker(changed_out / still, changed_in / still, still / places)


def _levels(inputs: Iterable[np.ndarray], outputs: Iterable[np.ndarray]):
    """Yields frames side by side, float32 in levels; copies, as a reader may use one buffer for all its frames."""
    for frame, painted in itertools.zip_longest(inputs, outputs):
        if frame is None or painted is None:
            raise ValueError("They have different numbers of frames.")
        frame, painted = np.asarray(frame), np.asarray(painted)
        if frame.ndim != 3 or frame.shape[:2] != painted.shape[:2]:
            raise ValueError(f"A frame {frame.shape} and what was painted of it, {painted.shape}, differ in size.")
        yield tuple(np.array(x, np.float32) * (1 if x.dtype == np.uint8 else 127.5) for x in (frame, painted))
