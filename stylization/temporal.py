"""Films without flicker: what was there before keeps most of how it was painted, where it stood or went."""

import functools
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from PIL import Image, ImageFilter

from core.images import STILL, to_float
from data import motion
from stylization.method import Paint
from stylization.resizing import resize_map

BLUR = 2.0  # px: single noisy pixels do not move
CUT = 0.02  # mean stillness below which another shot begins


def stabilize(
    frames: Iterable[np.ndarray],
    paint: Paint,
    keep: float,
    between: Callable[[np.ndarray, np.ndarray], motion.Motion] | None = None,
) -> Iterator[np.ndarray]:
    """Paints each of `frames`, uint8 `[height, width, 3]`: float32 in [-1, 1]. Holds two frames, whatever comes.

    A stylizer answers to noise that nobody sees, and its brush strokes jump from frame to frame. So of the frame
    before, `keep` (0 to 1) is kept where the film does not change, and less and less of it as it changes more.
    With `between`, `data.motion.between`, strokes are carried along with what moves, and what came to light is
    painted anew (Ruder et al. 2016, arXiv:1604.08610). `paint` is given the frame before as it was painted, carried
    along where it is, or None at the first of a shot.
    """
    last = painted = None
    for frame in frames:
        still = carried = None
        if last is not None and last.shape == frame.shape:
            still, carried = _kept(last, frame, painted, between)
        same_shot = still is not None and still.mean() > CUT
        image = to_float(frame)
        new = paint(image, carried if same_shot else None)
        if same_shot and carried.shape == new.shape:
            share = keep * resize_map(still, new.shape[:2])[..., None]  # of super-resolution, larger than the film
            if new.shape == image.shape:  # what the painter leaves alone stays the film's
                share = share * _over_colors(np.logical_or, new != image)[..., None]
            new = new + share * (carried - new)
        last, painted = frame, new
        yield painted


def _kept(
    last: np.ndarray, frame: np.ndarray, painted: np.ndarray, between: Callable | None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns how much of the frame before is to be kept, `[height, width]`, and what there is of it to be kept."""
    if between is None or not motion.fits(*frame.shape[:2]):
        return stillness(last, frame), painted
    found = between(last, frame)
    still = stillness(found.carry(last), frame) * found.visible
    carried = found.carry(painted)
    if carried.shape == frame.shape:  # what came to light has no strokes yet: it starts from the film
        visible = found.visible[..., None]
        carried = visible * carried + (1 - visible) * to_float(frame)
    return still, carried


def stillness(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Where two frames, uint8 `[height, width, 3]`, are the same: float32 `[height, width]`, 1 there, else less."""
    change = _over_colors(np.maximum, np.abs(after.astype(np.int16) - before)).astype(np.uint8)
    change = np.asarray(Image.fromarray(change).filter(ImageFilter.GaussianBlur(BLUR)), np.float32)
    return np.exp(-np.square(change / np.float32(STILL)))


def _over_colors(function: np.ufunc, image: np.ndarray) -> np.ndarray:
    """Reduces the last axis by a numpy function of two, four times as fast as numpy reduces a short axis."""
    return functools.reduce(function, np.moveaxis(image, -1, 0))
