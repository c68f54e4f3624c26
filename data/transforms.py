"""What sources are made from pictures by, in TensorFlow: grey, with holes, smaller, drawn.

Images are float32 `[batch, height, width, channels]` in [-1, 1]. What is random is a function of (seed, position).
"""

import math
from collections.abc import Callable
from itertools import islice

import numpy as np
import tensorflow as tf

from core.color import LUMINANCE
from core.errors import GessoError
from data.stream import uniform

BLUR = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)  # a Gaussian of one pixel
SMOOTH, SLOPE = (1 / 4, 2 / 4, 1 / 4), (-1 / 2, 0, 1 / 2)  # Sobel's filter is the one across the other
DARKEST = 0.05  # share of the pixels that may be steeper than what is drawn as a line for certain
FAINTEST = 0.03  # what is less steep everywhere, as in a blank picture, gives no line

APART = 2**33  # from the seeds that order the pictures: no training seed is that large
RECTANGLES, STROKES, PIECES = 2, 3, 4  # of a mask; pieces of a stroke
NUMBERS = 64  # random ones for a mask; at least as many as it takes
SMALLEST, LARGEST = 0.13, 0.43  # share of the picture, before overlaps

Draw = Callable[..., tf.Tensor]


def sources(
    task: str, images: tf.Tensor | np.ndarray, seed: int, positions: tf.Tensor | np.ndarray, factor: int = 1
) -> tf.Tensor:
    """The sources from which `images` are to be made in the task of this name: float32 `[batch, ...]` in [-1, 1].

    `positions`, int64 `[batch]`, and `seed` decide what is random; `factor` is super-resolution's.
    """
    with tf.device("CPU:0"):  # where the stream's are made: the same to the bit
        images = tf.convert_to_tensor(images)
        if task == "inpaint":
            return inpaint(images, masks(seed, positions, *images.shape[1:3]))
        if task == "super_resolution":
            return reduce(images, factor)
        return {"colorize": colorize, "edges": edges}[task](images)


def colorize(images: tf.Tensor) -> tf.Tensor:
    """The luminance of float32 [batch, height, width, 3] in [-1, 1]: [batch, height, width, 1] in [-1, 1]."""
    red, green, blue = (weight * images[..., i : i + 1] for i, weight in enumerate(LUMINANCE))
    return tf.clip_by_value(red + green + blue, -1.0, 1.0)  # of rounding: the weights sum to one


def inpaint(images: tf.Tensor, holes: tf.Tensor) -> tf.Tensor:
    """Pictures with holes: float32 [batch, height, width, 4], of [.., 3] in [-1, 1] and `holes` [.., 1], 1 or 0.

    The first three channels are 0, a middle grey, in the holes; the fourth is `holes` (see `masks`).
    """
    return tf.concat([images * (1.0 - holes), holes], axis=-1)


def reduce(images: tf.Tensor, factor: int) -> tf.Tensor:
    """`factor` times smaller: float32 [batch, height / factor, width / factor, channels], clipped to [-1, 1].

    Antialiased bicubic, as MATLAB's imresize, that super-resolution is compared by, and Pillow's. Raises
    `GessoError` if the sides are no multiples of `factor`.
    """
    height, width = images.shape[1:3]
    if height % factor or width % factor:
        raise GessoError(
            f"Pictures of {width}x{height} px cannot be {factor} times smaller: it does not divide them."
        )
    small = tf.image.resize(images, (height // factor, width // factor), "bicubic", antialias=True)
    return tf.clip_by_value(small, -1.0, 1.0)


def edges(images: tf.Tensor) -> tf.Tensor:
    """A drawing of float32 [batch, height, width, 3] in [-1, 1]: [batch, height, width, 1], lines -1, paper 1.

    Lines are where the luminance, a little blurred, is steep (Sobel), compared with the rest of the picture.
    """
    light = _filter(_filter(colorize(images), BLUR, 1), BLUR, 2)
    down = _filter(_filter(light, SLOPE, 1), SMOOTH, 2)
    right = _filter(_filter(light, SLOPE, 2), SMOOTH, 1)
    steep = tf.sqrt(down**2 + right**2)
    pixels = tf.reshape(steep, [-1, steep.shape[1] * steep.shape[2]])
    steepest = tf.math.top_k(pixels, max(1, int(DARKEST * pixels.shape[1]))).values[:, -1]
    relative = steep / tf.maximum(steepest, FAINTEST)[:, None, None, None]
    ink = tf.clip_by_value((relative - 0.3) / 0.5, 0.0, 1.0)
    return 1.0 - 2.0 * ink**2 * (3.0 - 2.0 * ink)  # a soft threshold


def _filter(images: tf.Tensor, taps: tuple[float, ...], axis: int) -> tf.Tensor:
    """Correlation along one axis, mirrored at the border. By sums, not convolutions: the same bits everywhere."""
    reach, shape = len(taps) // 2, tf.shape(images)
    wider = tf.pad(images, [[reach, reach] if i == axis else [0, 0] for i in range(4)], "REFLECT")
    starts = [[shift if i == axis else 0 for i in range(4)] for shift in range(len(taps))]
    return tf.add_n([tap * tf.slice(wider, start, shape) for tap, start in zip(taps, starts, strict=True) if tap])


def masks(seed: int, positions: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """float32 [batch, height, width, 1]: 1 in holes, else 0; a mask for each of `positions`, int64 [batch].

    A quarter of them are two rectangles, a quarter are brush strokes (bent, with round ends), and half are both.
    They cover about 10 to 40 per cent.
    """
    numbers = tf.cast(positions, tf.int64)[:, None] * NUMBERS + tf.range(NUMBERS, dtype=tf.int64)
    chances = uniform(seed + APART, tf.reshape(numbers, [-1]), 0)[0]
    columns = iter(tf.unstack(tf.cast(tf.reshape(chances, [-1, NUMBERS]), tf.float32), axis=1))

    def draw(low: float, high: float, count: int = 1) -> tf.Tensor:
        """[batch, count, 1, 1] numbers between the two."""
        return (low + (high - low) * tf.stack(list(islice(columns, count)), axis=1))[..., None, None]

    area, kind = draw(SMALLEST, LARGEST) * height * width, draw(0.0, 1.0)
    boxes = area * tf.where(kind < 0.25, 0.0, tf.where(kind > 0.75, 1.0, draw(0.3, 0.7)))
    y = tf.range(height, dtype=tf.float32)[:, None] + 0.5
    x = tf.range(width, dtype=tf.float32)[None, :] + 0.5
    holes = tf.logical_or(_rectangles(draw, boxes, y, x), _strokes(draw, area - boxes, y, x))
    return tf.cast(holes, tf.float32)[..., None]


def _rectangles(draw: Draw, area: tf.Tensor, y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """bool [batch, height, width]; two that share `area`, [batch, 1, 1, 1] in pixels."""
    height, width, part = y.shape[0], x.shape[1], draw(0.2, 0.8)
    area *= tf.concat([part, 1.0 - part], axis=1)
    high = tf.minimum(tf.sqrt(area) * tf.exp(draw(-0.4, 0.4, RECTANGLES)), 0.9 * height)
    wide = tf.minimum(area / tf.maximum(high, 1.0), 0.9 * width)
    top, left = draw(0.0, 1.0, RECTANGLES) * (height - high), draw(0.0, 1.0, RECTANGLES) * (width - wide)
    inside = (y >= top) & (y < top + high) & (x >= left) & (x < left + wide)
    return tf.reduce_any(inside, axis=1)


def _strokes(draw: Draw, area: tf.Tensor, y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """bool [batch, height, width]: as wide as it takes to cover `area`, [batch, 1, 1, 1] in pixels."""
    height, width = y.shape[0], x.shape[1]
    unit = math.sqrt(height * width)
    start_y, start_x = draw(0.1, 0.9, STROKES) * height, draw(0.1, 0.9, STROKES) * width
    angle, length = draw(0.0, 2 * math.pi, STROKES), 0.0
    nearest = math.inf
    for _ in range(PIECES):
        angle, step = angle + draw(-1.2, 1.2, STROKES), draw(0.12, 0.32, STROKES) * unit
        down, right = step * tf.sin(angle), step * tf.cos(angle)
        # At the border it turns round: else many would run along it.
        down = tf.where(tf.abs(start_y + down - height / 2) > height / 2, -down, down)
        right = tf.where(tf.abs(start_x + right - width / 2) > width / 2, -right, right)
        angle = tf.atan2(down, right)
        from_y, from_x = y - start_y, x - start_x
        along = tf.clip_by_value(from_y * (down / step**2) + from_x * (right / step**2), 0.0, 1.0)
        nearest = tf.minimum(nearest, (from_y - along * down) ** 2 + (from_x - along * right) ** 2)
        start_y, start_x = start_y + down, start_x + right
        length += tf.reduce_sum(step, axis=1, keepdims=True)
    # Ribbons and their round ends: 2 r length + strokes pi r^2 = area.
    radius = area / (length + tf.sqrt(length**2 + STROKES * math.pi * area))
    return tf.reduce_any(nearest < radius**2, axis=1)
