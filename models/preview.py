"""Pictures of unlike sizes and channels on one sheet, as `preview` of a system and a grid of the data show them."""

import tensorflow as tf

Tensor = tf.Tensor

ROWS = 16  # of a sheet, at most: of many classes or styles, some are shown


def shown(count: int, rows: int = ROWS) -> list[int]:
    """Returns numbers from 0 to `count` - 1, all or as many as there are `rows` for, evenly spread."""
    rows = min(count, rows)
    return [i * count // rows for i in range(rows)]


def fit_to(source: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Returns pictures `[batch, height, width, channels]` at the size of `shape`, and with no other channels.

    Of a picture with a mask, the mask is left out; grey becomes as many channels as `shape` has.
    """
    source = source[..., :3]
    if source.shape[-1] < shape[-1]:
        source = tf.repeat(source[..., :1], shape[-1], axis=-1)
    return tf.image.resize(source, shape[1:3], "nearest")
