"""Pictures of any size through a trained stylizer: whole, or in tiles that share their statistics."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from core.network_metadata import Geometry
from data.picture import MIN_SIDE
from models.layers.normalization import InstanceNormalization
from stylization.tiling import TILE, Box, Tile, tiles

Tensor = tf.Tensor
log = logging.getLogger(__name__)

SAMPLE = 64  # px, side of the squares that statistics are estimated from: many small ones see more of a picture
LARGE = 3_000_000  # px that take a CPU a minute or more
LEAST = 2**17  # px of them together, at least: small tiles are for little memory, not for other colours


class Feedforward:
    """Calls a network from pictures to pictures on one after another: a stylizer or a translator."""

    def __init__(self, network: keras.Model, geometry: Geometry, tile: int | None = None):
        """`tile`: px, side of the tiles of large results; None: the geometry's, or the usual."""
        self.network = network
        self.geometry = geometry
        tile = tile or geometry.tile or TILE
        self.tile = max(geometry.stride, tile // geometry.scale)  # it is the large picture that takes the memory
        self.run = _compiled(network)
        self.normalized = any(isinstance(layer, InstanceNormalization) for layer in network.layers)
        self.shared: _Shared | None = None  # made when it is first needed
        self.said = False  # that pictures are large

    def __call__(self, image: np.ndarray, conditions: Mapping[str, np.ndarray] | None = None) -> np.ndarray:
        """Float32 `[height, width, channels]`, any size, and the network's other inputs, each for one picture.

        The result has the same sides, or as many times larger ones as the network makes. A picture, or result, with
        more pixels than a square of `tile` px is painted in tiles. Instance normalisation looks at the whole
        picture, and tiles with statistics of their own would differ in colour and contrast. They share them
        instead, estimated from a sample of the picture that goes through the network as one batch. So no seam
        shows, but the picture is another than it would be in one piece: `tile` is best as large as memory allows.
        """
        height, width = image.shape[:2]
        conditions = {name: tf.constant(value[None], tf.float32) for name, value in (conditions or {}).items()}
        stride, edge = self.geometry.stride, self.geometry.edge
        padded = _padded(image, stride, edge)
        parts = tiles(padded.shape[:2], self.tile, self.geometry.reach, stride)
        if height * width > LARGE and not self.said:
            log.info("%.0f megapixels: size=1024, or another, is quicker.", height * width / 1e6)
            self.said = True
        if len(parts) == 1:
            painted = self.run(tf.constant(padded[None]), conditions).numpy()[0]
        else:
            painted = self._in_tiles(padded, parts, conditions)
        scale = painted.shape[0] // padded.shape[0]
        return painted[_box((edge, edge + height, edge, edge + width), scale)]

    def _in_tiles(self, image: np.ndarray, parts: list[Tile], conditions: dict[str, Tensor]) -> np.ndarray:
        run = self.run
        if self.normalized:
            self.shared = self.shared or _Shared(self.network)
            if len(self.shared.statistics) == 1:  # depends on no others: a pass over all tiles is exact
                self.shared.measure(image, parts, conditions)
            else:
                self.shared.estimate(
                    _sample(image, max(LEAST, self.tile**2 // 2), self.geometry.stride), conditions
                )
            run = self.shared.run
        painted = None
        for part in tqdm(parts, unit="tile", leave=False, disable=None):
            tile = run(_cut(image, part), conditions).numpy()[0]
            scale = tile.shape[0] // (part.outer[1] - part.outer[0])
            if painted is None:
                painted = np.empty((scale * image.shape[0], scale * image.shape[1], tile.shape[2]), np.float32)
            painted[_box(part.core, scale)] = tile[_box(part.inside, scale)]
        return painted


def _cut(image: np.ndarray, tile: Tile) -> Tensor:
    """What a network is shown for a tile: `[1, height, width, channels]`."""
    return tf.constant(image[_box(tile.outer)][None])


def _box(box: Box, scale: int = 1) -> tuple[slice, slice]:
    top, bottom, left, right = (scale * edge for edge in box)
    return slice(top, bottom), slice(left, right)


def _sample(image: np.ndarray, pixels: int, stride: int) -> np.ndarray:
    """Squares from all over a picture, evenly spread, of at most so many pixels together: `[n, side, side, 3]`.

    Their sides are multiples of `stride`.
    """
    height, width = image.shape[:2]
    side = max(1, min(SAMPLE, height, width, math.isqrt(pixels)) // stride) * stride
    count = max(1, pixels // side**2)
    rows = min(count, max(1, round((count * height / width) ** 0.5)))
    tops, lefts = (
        ((np.arange(number) + 0.5) / number * length - side / 2).clip(0, length - side).astype(int)
        for length, number in ((height, rows), (width, count // rows))
    )
    return np.stack([image[top : top + side, left : left + side] for top in tops for left in lefts])


def _padded(image: np.ndarray, stride: int, edge: int) -> np.ndarray:
    """Grown by its mirror image: by `edge` px all round, then at the bottom and right to multiples of `stride`."""
    least = max(MIN_SIDE, stride)
    sides = (max(side + 2 * edge, least) for side in image.shape[:2])
    height, width = (side + -side % stride for side in sides)
    rows, columns = (edge, height - edge - image.shape[0]), (edge, width - edge - image.shape[1])
    return np.pad(image, (rows, columns, (0, 0)), "symmetric")


def _compiled(network: keras.Model, signature: Sequence | None = None) -> Callable:
    @tf.function(reduce_retracing=True, autograph=False, input_signature=signature)
    def run(image: Tensor, conditions: dict[str, Tensor]) -> Tensor:
        return network({"image": image, **conditions} if conditions else image, training=False)

    return run


class _Shared:
    """A copy of a network whose instance normalisations take statistics measured before, over all tiles.

    What they do is decided where they are traced: a function for each of the three ways to run it.
    """

    def __init__(self, network: keras.Model):
        self.statistics: list[_Statistics] = []
        self.core = tf.Variable([0, 0, 0, 0])  # of what is measured, in px of it
        self.height = tf.Variable(0)
        copy = keras.models.clone_model(network, clone_function=self._copied)
        copy.set_weights(network.get_weights())
        self.run = self._way(copy, own=False, adding=False)
        self._run_and_add = self._way(copy, own=False, adding=True)
        self._run_alone = self._way(copy, own=True, adding=True)

    def _way(self, network: keras.Model, own: bool, adding: bool) -> Callable:
        spec = {tensor.name: tf.TensorSpec((1, *tensor.shape[1:])) for tensor in network.inputs}
        image = spec.pop("image").shape
        run = _compiled(network, (tf.TensorSpec((None, *image[1:])), spec))  # traced once, for tiles of all sizes

        def with_statistics(*inputs):
            for statistics in self.statistics:
                statistics.own, statistics.adding = own, adding
            return run(*inputs)

        return with_statistics

    def _copied(self, layer: keras.Layer) -> keras.Layer:
        copy = type(layer).from_config(layer.get_config())
        if isinstance(layer, InstanceNormalization):
            self.statistics.append(_Statistics(self, layer.output.shape[-1], layer.epsilon))
            copy.scaled = self.statistics[-1].scaled
        return copy

    def estimate(self, sample: np.ndarray, conditions: dict[str, Tensor]) -> None:
        """Takes the statistics of a sample, squares `[n, side, side, 3]`, as those of the whole picture."""
        self._look_at(sample.shape[1], (0, sample.shape[1], 0, sample.shape[2]))
        self._run_alone(tf.constant(sample), conditions)
        self._settle()

    def measure(self, image: np.ndarray, parts: Sequence[Tile], conditions: dict[str, Tensor]) -> None:
        """Takes those of all tiles, run with the statistics of before."""
        for part in parts:
            self._look_at(part.outer[1] - part.outer[0], part.inside)
            self._run_and_add(_cut(image, part), conditions)
        self._settle()

    def _look_at(self, height: int, core: Sequence[int]) -> None:
        self.height.assign(height)
        self.core.assign(core)

    def _settle(self) -> None:
        for statistics in self.statistics:
            statistics.settle()


class _Statistics:
    """Of one instance normalisation: those it uses, and those that are added up for the next time.

    `own`: it uses the picture's own instead. `adding`: it adds them up.
    """

    def __init__(self, tiling: _Shared, channels: int, epsilon: float):
        self.tiling = tiling
        self.epsilon = epsilon
        self.own = self.adding = False
        self.mean, self.variance = (tf.Variable(tf.zeros(channels)) for _ in range(2))
        self.count = tf.Variable(0.0, dtype=tf.float64)
        self.sums = tf.Variable(tf.zeros((2, channels), tf.float64))  # of values and of their squares

    def scaled(self, inputs: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        """As `InstanceNormalization.scaled`."""
        moments = self._add(inputs) if self.adding else None
        mean, variance = moments if self.own else (self.mean, self.variance)
        return tf.raw_ops.FusedBatchNormV3(
            x=inputs, scale=gamma[0], offset=beta[0], mean=mean, variance=variance, epsilon=self.epsilon,
            is_training=False,
        ).y  # fmt: skip

    def _add(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        shape = tf.shape(inputs)
        top, bottom, left, right = tf.unstack(self.tiling.core // (self.tiling.height // shape[1]))
        core = tf.cast(inputs[:, top:bottom, left:right], tf.float32)
        mean, variance = tf.nn.moments(core, [0, 1, 2])
        count = tf.cast(shape[0] * (bottom - top) * (right - left), tf.float64)
        wide, spread = tf.cast(mean, tf.float64), tf.cast(variance, tf.float64)
        self.count.assign_add(count)
        self.sums.assign_add(count * tf.stack([wide, spread + wide**2]))
        return mean, variance

    def settle(self) -> None:
        """Takes the mean and variance of all that was added up, and begins anew."""
        mean, square = tf.unstack(self.sums / self.count)
        self.mean.assign(tf.cast(mean, tf.float32))
        self.variance.assign(tf.cast(square - mean**2, tf.float32))
        self.count.assign(0.0)
        self.sums.assign(tf.zeros_like(self.sums))
