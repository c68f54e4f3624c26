"""Holes to paint in: rectangles and brush strokes, a function of (seed, position) alone."""

import math
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING

from data.pipeline import uniform

if TYPE_CHECKING:
    import tensorflow as tf

APART = 2**33  # from the seeds that order the pictures: no training seed is that large
RECTANGLES, STROKES, PIECES = 2, 3, 4  # of a mask; pieces of a stroke
NUMBERS = 64  # random ones for a mask; at least as many as it takes
SMALLEST, LARGEST = 0.13, 0.43  # share of the picture, before overlaps

Draw = Callable[..., "tf.Tensor"]


def masks(seed: int, positions: "tf.Tensor", height: int, width: int) -> "tf.Tensor":
    """float32 [batch, height, width, 1]: 1 in holes, else 0; a mask for each of `positions`, int64 [batch].

    A quarter of them are two rectangles, a quarter are brush strokes (bent, with round ends), and half are both.
    They cover about 10 to 40 per cent.
    """
    import tensorflow as tf

    numbers = tf.cast(positions, tf.int64)[:, None] * NUMBERS + tf.range(NUMBERS, dtype=tf.int64)
    chances = uniform(seed + APART, tf.reshape(numbers, [-1]), 0)
    columns = iter(tf.unstack(tf.cast(tf.reshape(chances, [-1, NUMBERS]), tf.float32), axis=1))

    def draw(low: float, high: float, count: int = 1) -> "tf.Tensor":
        """[batch, count, 1, 1] numbers between the two."""
        return (low + (high - low) * tf.stack(list(islice(columns, count)), axis=1))[..., None, None]

    area, kind = draw(SMALLEST, LARGEST) * height * width, draw(0.0, 1.0)
    boxes = area * tf.where(kind < 0.25, 0.0, tf.where(kind > 0.75, 1.0, draw(0.3, 0.7)))
    y = tf.range(height, dtype=tf.float32)[:, None] + 0.5
    x = tf.range(width, dtype=tf.float32)[None, :] + 0.5
    holes = tf.logical_or(_rectangles(draw, boxes, y, x), _strokes(draw, area - boxes, y, x))
    return tf.cast(holes, tf.float32)[..., None]


def _rectangles(draw: Draw, area: "tf.Tensor", y: "tf.Tensor", x: "tf.Tensor") -> "tf.Tensor":
    """bool [batch, height, width]; two that share `area`, [batch, 1, 1, 1] in pixels."""
    import tensorflow as tf

    height, width, part = y.shape[0], x.shape[1], draw(0.2, 0.8)
    area *= tf.concat([part, 1.0 - part], axis=1)
    high = tf.minimum(tf.sqrt(area) * tf.exp(draw(-0.4, 0.4, RECTANGLES)), 0.9 * height)
    wide = tf.minimum(area / tf.maximum(high, 1.0), 0.9 * width)
    top, left = draw(0.0, 1.0, RECTANGLES) * (height - high), draw(0.0, 1.0, RECTANGLES) * (width - wide)
    inside = (y >= top) & (y < top + high) & (x >= left) & (x < left + wide)
    return tf.reduce_any(inside, axis=1)


def _strokes(draw: Draw, area: "tf.Tensor", y: "tf.Tensor", x: "tf.Tensor") -> "tf.Tensor":
    """bool [batch, height, width]: as wide as it takes to cover `area`, [batch, 1, 1, 1] in pixels."""
    import tensorflow as tf

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
