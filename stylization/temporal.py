"""Films without flicker: where nothing moves, a frame keeps most of how the frame before was painted."""

from collections.abc import Iterable, Iterator

import numpy as np
from PIL import Image, ImageFilter

from core.images import STILL, to_float
from stylization.method import Paint
from stylization.resizing import resize_map

BLUR = 2.0  # px: single noisy pixels do not move
CUT = 0.02  # mean stillness below which another shot begins


def stabilize(frames: Iterable[np.ndarray], paint: Paint, keep: float) -> Iterator[np.ndarray]:
    """Paints each of `frames`, uint8 `[height, width, 3]`: float32 in [-1, 1]. Holds two frames, whatever comes.

    A stylizer answers to noise that nobody sees, and its brush strokes jump from frame to frame. So of the frame
    before, `keep` (0 to 1) is kept where the film does not change, and less and less of it as it changes more.
    `paint` is given the frame before as it was painted, or None at the first of a shot.
    """
    last = painted = None
    for frame in frames:
        still = stillness(last, frame) if last is not None and last.shape == frame.shape else None
        same_shot = still is not None and still.mean() > CUT
        new = paint(to_float(frame), painted if same_shot else None)
        if same_shot and painted.shape == new.shape:
            share = keep * resize_map(still, new.shape[:2])[..., None]  # of super-resolution, larger than the film
            new = new + share * (painted - new)
        last, painted = frame, new
        yield painted


def stillness(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Where two frames, uint8 `[height, width, 3]`, are the same: float32 `[height, width]`, 1 there, else less."""
    change = np.abs(after.astype(np.int16) - before).max(axis=-1).astype(np.uint8)
    change = np.asarray(Image.fromarray(change).filter(ImageFilter.GaussianBlur(BLUR)), np.float32)
    return np.exp(-np.square(change / np.float32(STILL)))
