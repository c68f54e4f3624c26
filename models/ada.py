"""ADA's transformations (Karras et al. 2020, arXiv:2006.06676, appendix B): pixel blitting, geometry, colour.

The first three of the paper's six groups, which it found to help (`bgc` in the authors' code); cutout, of a fourth,
is in `models/augmentation.py`. Each group is `part(images, seed, probability)`: images are float `[batch, size,
size, channels]` in [-1, 1] of one or three channels, the seed int `[2]`. Every transformation of a group is
applied to an image with that probability, apart from the others, with a strength of its own. Colours may leave
[-1, 1].

Numbers are made of drawn integers: they are a function of the seed alone, with XLA or without. Each group is linear
in the images but for a constant, and so can be differentiated any number of times.

Departures from the authors' code: blitting is exact, and not part of the one resampling of the geometry, whose
filter would blur a flip; mirrored borders are found by mirroring coordinates, not by making the pictures larger, so
that shapes are known beforehand.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

Tensor = tf.Tensor

# The low-pass filter of the symlet of order 6, with a sum of one.
LOW_PASS = np.array(
    [
        0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633, 0.4910559419267466,
        0.787641141030194, 0.3379294217276218, -0.07263752278646252, -0.021060292512300564, 0.04472490177066578,
        0.0017677118642428036, -0.007800708325034148,
    ]
) / np.sqrt(2)  # fmt: skip
REACH = len(LOW_PASS) // 4  # px that the filter reaches beyond a picture, at its own size
# px by which enlarging moves a picture, since the filter is not symmetric; making it smaller moves it back.
AHEAD = (len(LOW_PASS) / 2 - 0.5 - LOW_PASS @ np.arange(len(LOW_PASS))) / 2


def blit(images: Tensor, seed: Tensor, probability: Tensor) -> Tensor:
    """Flips left to right, turns by multiples of 90 degrees, and shifts by whole pixels, up to 1/8 of the size.

    Half of the flips and a quarter of the turns change nothing, as in the paper. Mirror images flow in at the
    borders. Pixels are moved by matrices of zeros and ones, whose gradients are products, not scatters.
    """
    size = _size(images)
    flip, turn, right, down, *chosen = _uniform(images, seed, 7)
    flips, turns, shifts = (draw < probability for draw in chosen)
    flips &= flip < 0.5
    turn = tf.where(turns, tf.floor(4 * turn), 0.0)  # counter-clockwise
    right, down = (tf.where(shifts, tf.round((2 * draw - 1) * (size / 8)), 0.0) for draw in (right, down))
    # A turn is a transposition, then a reversal of rows, of both, of columns; a flip before that reverses columns,
    # and so, once they are transposed, rows.
    transposed = (turn == 1) | (turn == 3)
    upside_down = (turn == 1) | (turn == 2)
    mirrored = (turn == 2) | (turn == 3)
    rows = _moves(images, down, tf.math.logical_xor(upside_down, flips & transposed), size)
    columns = _moves(images, right, tf.math.logical_xor(mirrored, flips & ~transposed), size)
    turned = tf.where(_wide(transposed), tf.transpose(images, [0, 2, 1, 3]), images)
    return tf.einsum("bij,bjkc,blk->bilc", rows, turned, columns)


def geometry(images: Tensor, seed: Tensor, probability: Tensor) -> Tensor:
    """Scales, rotates, scales along one axis, rotates again and shifts by fractions of pixels, by one resampling.

    Scales are 2^N(0, 0.2^2), of width and height in opposite directions the second time; angles are uniform,
    either rotation having such a chance that `probability` is that of any; shifts are N(0, 1/8^2) of the size.
    The picture, mirrored at its borders, is enlarged twice by the filter of a wavelet, sampled bilinearly, and made
    smaller by the same filter, which gives back what has not moved.
    """
    size = _size(images)
    scale, before, stretch, after, right, down, *chosen = _uniform(images, seed, 11)
    either = 1 - tf.sqrt(1 - probability)
    limits = (probability, either, probability, either, probability)
    scales, turns, stretches, turns_again, shifts = (draw < p for draw, p in zip(chosen, limits, strict=True))
    scale, stretch = (
        tf.where(applies, 2 ** (0.2 * _normal(draw)), 1.0)
        for applies, draw in ((scales, scale), (stretches, stretch))
    )
    before, after = (
        tf.where(applies, (2 * draw - 1) * np.pi, 0.0) for applies, draw in ((turns, before), (turns_again, after))
    )
    right, down = (tf.where(shifts, size / 8 * _normal(draw), 0.0) for draw in (right, down))
    # From a place in the result back to one in the picture, from the middle: (x, y) -> A (x - right, y - down).
    axes = tf.stack([1 / (scale * stretch), stretch / scale], axis=-1)
    back = _rotation(before) @ (axes[:, :, None] * _rotation(after))
    moved = resample(images, back, tf.stack([right, down], axis=-1))
    return tf.where(_wide(scales | turns | stretches | turns_again | shifts), moved, images)


def resample(images: Tensor, back: Tensor, shift: Tensor) -> Tensor:
    """Transforms images `[batch, size, size, c]` by what leads back: (x, y) -> `back` ((x, y) - `shift`).

    `back` is float32 `[batch, 2, 2]`, `shift` `[batch, 2]`; x is to the right, y down, in pixels from the middle.
    """
    size = _size(images)
    channels = images.shape[3]
    enlarge = tf.constant(_enlarging(size), tf.float32)  # [2 size, size]
    large = tf.einsum("ij,bjkc,lk->bilc", enlarge, tf.cast(images, tf.float32), enlarge)
    # Where samples are taken: two a pixel, and as many more beyond the borders as the filter needs.
    places = (np.arange(2 * (size + 2 * REACH)) + 0.5) / 2 - REACH - size / 2
    x, y = np.meshgrid(places.astype("float32"), places.astype("float32"))
    moved = tf.constant(np.stack([x.ravel(), y.ravel()]))[None] - shift[:, :, None]  # [batch, 2, places]
    last = size - 1
    position = tf.math.floormod(back @ moved + (last / 2 + AHEAD), 2.0 * last)  # mirrored, it repeats itself
    position = 2 * (last - tf.abs(position - last) - AHEAD) + 0.5  # in the enlarged picture
    corner = tf.minimum(tf.floor(position), 2 * size - 2.0)
    part = position - corner
    column, row = tf.unstack(tf.cast(corner, tf.int32), axis=1)
    # Four neighbours side by side: one gather instead of four, whose gradients are scatters.
    sides = [large[:, i : i + 2 * size - 1, j : j + 2 * size - 1] for i in (0, 1) for j in (0, 1)]
    around = tf.reshape(tf.concat(sides, axis=3), [-1, (2 * size - 1) ** 2, 4, channels])
    around = tf.gather(around, row * (2 * size - 1) + column, batch_dims=1)
    (right, below), (left, above) = tf.unstack(part, axis=1), tf.unstack(1 - part, axis=1)
    weights = tf.stack([above * left, above * right, below * left, below * right], axis=-1)
    sampled = tf.reduce_sum(around * weights[..., None], axis=2)
    sampled = tf.reshape(sampled, [-1, len(places), len(places), channels])
    reduce = tf.constant(_reducing(size), tf.float32)  # [size, places]
    return tf.cast(tf.einsum("ij,bjkc,lk->bilc", reduce, sampled, reduce), images.dtype)


def recolor(images: Tensor, seed: Tensor, probability: Tensor) -> Tensor:
    """Changes brightness and contrast, turns lightness round, rotates hues and changes saturation, in this order.

    Brightness adds N(0, 0.2^2), contrast multiplies by 2^N(0, 0.5^2), half of the lightness flips and all hues are
    drawn from a circle, saturation multiplies by 2^N(0, 1). Of grey pictures the first three.
    """
    brightness, contrast, flip, hue, saturation, *chosen = _uniform(images, seed, 10)
    changes = [draw < probability for draw in chosen]
    brightness = tf.where(changes[0], 0.2 * _normal(brightness), 0.0)
    contrast = tf.where(changes[1], 2 ** (0.5 * _normal(contrast)), 1.0)
    lightness = tf.where(changes[2] & (flip < 0.5), -1.0, 1.0)
    hue = tf.where(changes[3], (2 * hue - 1) * np.pi, 0.0)
    saturation = tf.where(changes[4], 2 ** _normal(saturation), 1.0)
    # All five keep the axis of greys and the plane across it apart, so that their product is short: along the axis
    # what lightness does, across it a rotation and a factor, over all the contrast.
    if images.shape[3] == 1:
        changes, matrix = changes[:3], (contrast * lightness)[:, None, None]
    else:
        gray = tf.fill([3, 3], 1 / 3)
        across = tf.constant([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / np.sqrt(3).astype("float32")
        cosine, sine = (saturation * turn(hue) for turn in (tf.cos, tf.sin))
        lightness_, cosine, sine = (factor[:, None, None] for factor in (lightness, cosine, sine))
        matrix = contrast[:, None, None] * (lightness_ * gray + cosine * (tf.eye(3) - gray) + sine * across)
    matrix, constant = (tf.cast(x, images.dtype) for x in (matrix, _wide(contrast * lightness * brightness)))
    changed = tf.einsum("bij,bhwj->bhwi", matrix, images) + constant
    return tf.where(_wide(tf.reduce_any(changes, axis=0)), changed, images)


PARTS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "blit": blit,
    "geometry": geometry,
    "recolor": recolor,
}


def _size(images: Tensor) -> int:
    _, height, width, _ = images.shape
    if height != width:
        raise ValueError(f"ADA's transformations turn square pictures, not {height}x{width}.")
    return height


def _uniform(images: Tensor, seed: Tensor, num: int) -> list[Tensor]:
    """Draws `num` numbers in [0, 1) for each image, float32 `[batch]` each."""
    # Under XLA, TensorFlow draws other floats, and other integers by negative seeds.
    seed = tf.bitwise.bitwise_and(seed, tf.int32.max)
    drawn = tf.random.stateless_uniform([num, tf.shape(images)[0]], seed, 0, 2**24, tf.int32)
    return tf.unstack(tf.cast(drawn, tf.float32) / 2**24, num)


def _normal(uniform: Tensor) -> Tensor:
    """Makes uniform numbers in [0, 1) standard normal."""
    return tf.math.ndtri(tf.clip_by_value(uniform, 2.0**-24, 1 - 2.0**-24))


def _wide(numbers: Tensor) -> Tensor:
    return numbers[:, None, None, None]


def _moves(images: Tensor, shift: Tensor, reversed_: Tensor, size: int) -> Tensor:
    """Makes matrices `[batch, size, size]` of what place of a line a place is taken from."""
    source = tf.range(size)[None] - tf.cast(shift, tf.int32)[:, None]
    source = size - 1 - tf.abs(size - 1 - tf.abs(source))  # mirrored, the border not repeated
    source = tf.where(reversed_[:, None], size - 1 - source, source)
    return tf.one_hot(source, size, dtype=images.dtype)


def _rotation(angle: Tensor) -> Tensor:
    cosine, sine = tf.cos(angle), tf.sin(angle)
    return tf.reshape(tf.stack([cosine, -sine, sine, cosine], axis=-1), [-1, 2, 2])


def _enlarging(size: int) -> np.ndarray:
    """Makes the matrix `[2 size, size]` that doubles a line, mirrored at its ends, by the filter."""
    matrix = np.zeros((2 * size, size))
    for i in range(2 * size):
        for k, value in enumerate(LOW_PASS):
            place = i + len(LOW_PASS) // 2 - 1 - k  # among the line's values with zeros between them
            if place % 2 == 0:
                place = abs(place // 2) % (2 * size - 2)
                matrix[i, min(place, 2 * size - 2 - place)] += 2 * value
    return matrix


def _reducing(size: int) -> np.ndarray:
    """Makes the matrix `[size, 2 (size + 2 REACH)]` that halves a line which is longer at both ends by `REACH`."""
    matrix = np.zeros((size, 2 * (size + 2 * REACH)))
    for i in range(size):
        matrix[i, 2 * i + 1 : 2 * i + 1 + len(LOW_PASS)] = LOW_PASS
    return matrix
