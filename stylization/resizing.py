"""Pictures, frames and maps to other sizes."""

import numpy as np
import tensorflow as tf
from PIL import Image


def resize_lanczos(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes float32 `[height, width, channels]` to another (height, width), smoothed where it shrinks."""
    if image.shape[:2] == tuple(size):
        return image
    return tf.image.resize(image, size, "lanczos3", antialias=True).numpy()


def resize_frame(frame: np.ndarray, size: int | None) -> np.ndarray:
    """Resizes uint8 `[height, width, 3]` to a longer side of `size` px and even sides, as most players want.

    Without `size` it stays as it is.
    """
    if size is None:
        return frame
    height, width = (max(2, round(side * size / max(frame.shape) / 2) * 2) for side in frame.shape[:2])
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS))


def resize_map(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes float32 `[height, width]` to another (height, width), between neighbouring values linearly."""
    if values.shape == tuple(size):
        return values
    return np.asarray(Image.fromarray(values).resize(size[::-1], Image.Resampling.BILINEAR))
