"""Neural Neighbor Style Transfer (Kolkin et al. 2022, arXiv:2203.13215): each place of the content is painted as
the place of the style that an encoder finds most like it.

Where Gatys' objective compares statistics of whole pictures, here every place of the content is given one place of
the style to become: strokes stay whole, and what the style does not have is not invented. From coarse to fine; a
last pass looks for the nearest places of each layer anew at every step.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from core.errors import GessoError
from stylization.progress import Report

Tensor = tf.Tensor

LAYERS = tuple(f"block{block}_conv{i}" for block, count in enumerate((2, 2, 3, 3), 1) for i in range(1, count + 1))
DEPTH = 8  # levels of the pyramid whose coefficients are optimised
SHRINK = 4  # px between two hypercolumns
SAMPLES = 64  # places a side that the last pass compares in a layer
BLOCK = 2**25  # similarities held at a time: 64 MB in bfloat16
ROWS = 2**12  # hypercolumns that are normalised at a time: 44 MB
LEAST = 8  # px, shorter side of the coarsest level: VGG halves it three times
SELF_SIMILARITY_SIDE = 32  # px at which content and picture are compared with themselves


@dataclass(frozen=True)
class Level:
    """A size of the pictures: how many times halved, steps of Adam there, and whether the style is also turned."""

    halvings: int
    steps: int
    turned: bool


def schedule(side: int, steps: int) -> list[Level]:
    """Returns the levels from coarse to fine for pictures whose longer side is `side` px.

    The two coarsest take `steps` each, every finer one half as many as the one before, as its steps cost four times
    as much; the finest sees the style upright alone, as its places are many enough. There are four levels, for
    pictures of 1,024 px and more five, as in the authors' code; a level has 32 px or more.
    """
    count = max(1, min(5 if side >= 1024 else 4, side.bit_length() - 5))
    counts = [steps >> max(0, i - 1) for i in range(count)]
    return [Level(count - 1 - i, max(1, n), turned=i < count - 1 or count == 1) for i, n in enumerate(counts)]


def least_side(side: int) -> int:
    """Returns what all sides are to have at least, in px, where the content's longer one has `side`."""
    return LEAST << schedule(side, 1)[0].halvings


def levels_from(side: int, steps: int, reached: int | None) -> list[Level]:
    """Returns the levels for a picture that is begun: those from `reached` px on, or the finest; None: all."""
    levels = schedule(side, steps)
    return [level for level in levels if side >> level.halvings >= (reached or 0)] or levels[-1:]


def total_steps(side: int, steps: int, reached: int | None = None) -> int:
    """Returns how many steps `optimize` takes in all."""
    levels = levels_from(side, steps, reached)
    return sum(level.steps for level in levels) + levels[-1].steps


def optimize(
    content: np.ndarray,
    styles: Sequence[np.ndarray],
    encoder: keras.Model,
    alpha: float = 0.75,
    self_similarity: bool = False,
    steps: int = 200,
    learning_rate: float = 0.004,
    init: np.ndarray | None = None,
    reached: int | None = None,
    seed: int = 0,
    report: Report | None = None,
) -> np.ndarray:
    """Paints `content` with the places of `styles`: float32 `[height, width, 3]` in [-1, 1].

    Args:
        content, styles: float32 `[height, width, 3]` in [-1, 1], sides of `least_side` or more; the styles' places
            are put together.
        encoder: gives `LAYERS`; `models.networks.vgg.encoder`.
        alpha: how much of the content, beside the picture so far, the search for neighbors looks at: 1 keeps most
            of the content, 0 is freest.
        self_similarity: whether the picture's own places are also to resemble each other as the content's do.
        steps: of Adam at each of the two coarsest levels; `schedule`.
        init: a picture of the content's size to begin with, such as a film's last frame.
        reached: px, the longer side that it has been painted at: coarser levels are left out; None: all but the
            finest are.
        seed: of the places that the last pass looks at.
        report: called after each step with the loss and the picture as it is.

    Raises `GessoError` if the loss becomes NaN.
    """
    side = max(content.shape[:2])
    levels = levels_from(side, steps, None if init is None else reached or side)
    content_pyramid = decompose(tf.constant(content[None]), DEPTH)
    style_pyramids = [decompose(tf.constant(style[None]), DEPTH) for style in styles]
    if init is None:  # the content's large forms; fine ones are to be the style's
        blank = 2 if side >= 1024 else 3
        pyramid = [tf.zeros_like(part) if i < blank else part for i, part in enumerate(content_pyramid)]
    else:
        pyramid = decompose(tf.constant(init[None]), DEPTH)
    size = _small(content)
    likeness = _self_similarity(tf.constant(content[None]), size) if self_similarity else None
    painter = _Painter(encoder, learning_rate, likeness, size, report)
    for number, level in enumerate(levels):
        scale = level.halvings
        pictures = [synthesize(parts[scale:]) for parts in style_pyramids]
        source = synthesize(content_pyramid[scale:])
        share = 0.0 if number == 0 and init is None else 1.0 - alpha
        # The search sees the content's finest strokes, which the picture itself does not begin with.
        query = share * synthesize([content_pyramid[scale], *pyramid[scale + 1 :]]) + (1.0 - share) * source
        keys = tf.concat(
            [_places(hypercolumns(encoder, x)) for p in pictures for x in _turns(p, level.turned)], axis=0
        )
        query = hypercolumns(encoder, query)
        target = tf.reshape(nearest(_places(query), keys), tf.shape(query))
        pyramid = [*pyramid[:scale], *painter.towards(target, pyramid[scale:], level.steps)]
    pyramid = [*pyramid[:scale], *painter.anew(pictures, pyramid[scale:], level.steps, level.turned, seed)]
    return np.clip(synthesize(pyramid).numpy()[0], -1, 1)


def decompose(image: Tensor, levels: int) -> list[Tensor]:
    """Returns the Laplacian pyramid of `[batch, height, width, 3]`: `levels` bands, finest first, and the rest.

    Bands stop early where a side would be less than one pixel. `synthesize` adds them up to the image again.
    """
    bands = []
    for _ in range(levels):
        height, width = image.shape[1:3]
        if min(height, width) < 2:
            break
        small = tf.image.resize(image, (height // 2, width // 2))
        bands.append(image - tf.image.resize(small, (height, width)))
        image = small
    return [*bands, image]


def synthesize(pyramid: Sequence[Tensor]) -> Tensor:
    """Adds up a Laplacian pyramid, finest band first: the image `[batch, height, width, 3]`."""
    image = pyramid[-1]
    for band in reversed(pyramid[:-1]):
        image = band + tf.image.resize(image, tf.shape(band)[1:3])
    return image


def hypercolumns(encoder: keras.Model, image: Tensor) -> Tensor:
    """Returns what all `LAYERS` see at each place: `[batch, height / 4, width / 4, channels]`, float32.

    Each layer is divided by its number of channels, so that wide ones do not outweigh the others.
    """
    size = tf.maximum(tf.shape(image)[1:3] // SHRINK, 1)
    found = encoder(image, training=False)
    parts = [tf.cast(found[name], tf.float32) / found[name].shape[-1] for name in LAYERS]
    return tf.concat([tf.image.resize(part, size) for part in parts], axis=-1)


def nearest(queries: Tensor, keys: Tensor) -> Tensor:
    """Replaces each of `queries` `[n, d]` by the nearest of `keys` `[m, d]`, by the cosine of their deviations.

    Each set is taken relative to its own mean. Products are in bfloat16, some rows at a time: memory does not grow
    with n times m.
    """
    mean, wanted_mean = (tf.reduce_mean(vectors, axis=0, keepdims=True) for vectors in (keys, queries))
    directions = tf.concat([tf.cast(_directions(part, mean), tf.bfloat16) for part in _parts(keys, ROWS)], axis=0)
    parts = [
        tf.argmax(
            tf.matmul(tf.cast(_directions(part, wanted_mean), tf.bfloat16), directions, transpose_b=True), axis=1
        )
        for part in _parts(queries, max(1, BLOCK // int(keys.shape[0])))
    ]
    return tf.gather(keys, tf.concat(parts, axis=0))


def _parts(vectors: Tensor, rows: int) -> list[Tensor]:
    return [vectors[i : i + rows] for i in range(0, int(vectors.shape[0]), rows)]


def _directions(vectors: Tensor, mean: Tensor) -> Tensor:
    return tf.math.l2_normalize(vectors - mean, axis=1, epsilon=1e-12)


def _places(features: Tensor) -> Tensor:
    return tf.reshape(features, (-1, features.shape[-1]))


def _turns(image: Tensor, turned: bool) -> list[Tensor]:
    return [tf.image.rot90(image, k) for k in range(4 if turned else 1)]


def _small(content: np.ndarray) -> tuple[int, int]:
    """Returns the sizes at which the content, and the picture at any level, are compared with themselves."""
    height, width = content.shape[:2]
    factor = max(1.0, max(height, width) / SELF_SIMILARITY_SIDE)
    return max(1, round(height / factor)), max(1, round(width / factor))


def _self_similarity(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Distances between all places of a picture made that small, `[places, places]`, in colours of 0..1."""
    small = tf.image.resize(image, size, antialias=True)
    flat = tf.reshape(small, (-1, 3)) / 2
    squares = tf.reduce_sum(flat**2, axis=1)
    return tf.sqrt(tf.maximum(squares[:, None] + squares - 2 * tf.matmul(flat, flat, transpose_b=True), 1e-8))


class _Painter:
    """Adam on the coefficients of a pyramid, by one of the two losses."""

    def __init__(
        self,
        encoder: keras.Model,
        learning_rate: float,
        likeness: Tensor | None,
        size: tuple[int, int],
        report: Report | None,
    ):
        self.encoder = encoder
        self.size = size
        self.learning_rate = learning_rate
        self.likeness = likeness
        self.report = report

    def towards(self, target: Tensor, pyramid: Sequence[Tensor], steps: int) -> list[Tensor]:
        """Moves hypercolumns to `target` `[1, height, width, channels]`, by their cosines."""
        target = tf.math.l2_normalize(target, axis=-1)

        def loss(image: Tensor) -> Tensor:
            found = tf.math.l2_normalize(hypercolumns(self.encoder, image), axis=-1)
            return 1.0 - tf.reduce_mean(tf.reduce_sum(found * target, axis=-1))

        return self._adam("matching", lambda image, step: loss(image), pyramid, steps, until=steps)

    def anew(
        self, styles: Sequence[Tensor], pyramid: Sequence[Tensor], steps: int, turned: bool, seed: int
    ) -> list[Tensor]:
        """Moves each layer's places to the nearest of that layer in the styles, found again at every step."""
        features = [self.encoder(x, training=False) for style in styles for x in _turns(style, turned)]

        def loss(image: Tensor, step: Tensor) -> Tensor:
            found, total = self.encoder(image, training=False), 0.0
            for i, name in enumerate(LAYERS):
                key = tf.stack([seed, i])
                keys = tf.concat([_some(x[name], tf.random.fold_in(key, step)) for x in features], axis=0)
                here = _some(found[name], tf.random.fold_in(key, step))
                here, keys = (_directions(x, tf.reduce_mean(x, axis=0, keepdims=True)) for x in (here, keys))
                cosines = tf.matmul(here, keys, transpose_b=True)
                total += 1.0 - tf.reduce_mean(tf.reduce_max(cosines, axis=1))
            return total

        return self._adam("layers", loss, pyramid, steps, until=steps // 2)

    def _adam(
        self,
        name: str,
        loss: Callable[[Tensor, Tensor], Tensor],
        pyramid: Sequence[Tensor],
        steps: int,
        until: int,
    ) -> list[Tensor]:
        """Takes `steps` of Adam, reported as `name`; self-similarity counts in the first `until` of them."""
        optimizer = keras.optimizers.Adam(self.learning_rate)
        weights = [keras.Variable(part, dtype="float32") for part in pyramid]
        optimizer.build(weights)

        @tf.function(reduce_retracing=True, autograph=False)
        def evaluate(step: Tensor, alike: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
            parts = [tf.convert_to_tensor(weight.value) for weight in weights]
            with tf.GradientTape() as tape:
                tape.watch(parts)
                image = synthesize(parts)
                total = loss(image, step)
                if self.likeness is not None:
                    total += alike * tf.reduce_mean(tf.abs(_self_similarity(image, self.size) - self.likeness))
            return total, image, tape.gradient(total, parts)

        for step in range(steps):
            total, image, gradients = evaluate(tf.constant(step, tf.int64), tf.constant(float(step < until)))
            if not np.isfinite(float(total) + float(tf.reduce_sum(image))):  # a ReLU makes 0 of NaN
                raise GessoError(
                    "The loss is NaN or infinite. Try precision=float32, or a lower nnst.learning_rate."
                )
            optimizer.apply(gradients, weights)
            if self.report is not None:
                self.report({name: float(total)}, image.numpy()[0])
        return [tf.convert_to_tensor(weight.value) for weight in weights]


def _some(features: Tensor, key: Tensor) -> Tensor:
    """Takes places `[n, channels]` of `[1, height, width, channels]`: all, or of many a grid at a random offset."""
    height, width, channels = features.shape[1:]
    features = tf.cast(features, tf.float32)
    stride = -(-max(height, width) // SAMPLES)
    if stride > 1:
        top, left = tf.unstack(tf.random.stateless_uniform([2], key, 0, stride, tf.int32))
        features = features[:, top::stride, left::stride]
    return tf.reshape(features, (-1, channels))
