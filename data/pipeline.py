"""The training stream: any step of it can be had directly, so a resumed run sees what it would have seen."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.errors import GessoError
from core.images import to_float
from data.store import Store

if TYPE_CHECKING:
    import tensorflow as tf

# What a random number is for: each has its own stream (the lowest two bits of a seed's third word).
ORDER, FLIP, DOWN, RIGHT = range(4)
BITS = 24


@dataclass(frozen=True, eq=False)
class Dataset:
    """Pictures of one size, with or without classes.

    `images` is uint8 [n, height, width, channels], in memory or on disk (`Store`); `labels` int32 [n] are
    numbers of `class_names`, both None where there are no classes. `flip`: half of the pictures are mirrored
    when streamed. `balance`: the classes are streamed in turn, each as often however many pictures it has.
    `skipped`: "relative path: reason" of the files that could not be read. `keys`: of the pictures in a batch.

    Raises `GessoError` if it is to be balanced and has no classes.
    """

    name: str
    images: np.ndarray | Store
    labels: np.ndarray | None
    class_names: tuple[str, ...] | None
    image_shape: tuple[int, int, int]
    flip: bool
    balance: bool = False
    skipped: tuple[str, ...] = ()
    keys: tuple[str, ...] = ("image",)

    def __post_init__(self) -> None:
        if self.balance and self.labels is None:
            raise GessoError(
                f"dataset.balance=true, but the data set '{self.name}' has no classes that could come equally "
                "often. Give dataset.balance=false, or pictures in one subfolder a class."
            )

    def __len__(self) -> int:
        return len(self.images)

    def stream(self, batch_size: int, seed: int, start_step: int = 0) -> "tf.data.Dataset":
        """Endless batches: "image" float32 [batch, height, width, channels] in [-1, 1], "label" int32 [batch].

        "label" only where there are classes. Each epoch is a permutation of all pictures, and batches run on
        across epochs, so all have `batch_size` pictures. With `balance`, the classes take turns, and each has
        epochs of its own: any stretch of the stream shows all classes equally often, give or take two. What a
        step gives depends on `seed` and the number of the step alone: `start_step=k` starts with what step k
        of a stream from 0 gives, bit for bit.

        Raises `GessoError` if a batch is larger than the data set.
        """
        import tensorflow as tf

        n = len(self)
        if not 1 <= batch_size <= n:
            raise GessoError(
                f"batch_size={batch_size}, but the data set '{self.name}' has {n} pictures: "
                f"a batch must be from 1 to {n}."
            )
        first, heights, widths = (tf.constant(column, tf.int64) for column in self._layout())
        labels = None if self.labels is None else tf.constant(self.labels, tf.int32)
        groups = self._groups()
        members = tf.constant(np.concatenate(groups), tf.int64)
        counts = tf.constant([len(group) for group in groups], tf.int64)
        begins = tf.cumsum(counts, exclusive=True)
        side = tf.range(self.image_shape[0], dtype=tf.int64)

        def batch(step: "tf.Tensor", pixels: "tf.Tensor") -> dict[str, "tf.Tensor"]:
            position = step * batch_size + tf.range(batch_size, dtype=tf.int64)
            turn = position // len(groups)
            # Each turn starts one group later: else the first part of every batch may be of the same classes.
            group = (position + turn + turn // len(groups)) % len(groups)
            count = tf.gather(counts, group)
            epoch = turn // count * len(groups) + group  # a number for each epoch of each group
            place = _shuffle(turn % count, count, seed, epoch, ORDER)
            index = tf.gather(members, tf.gather(begins, group) + place)
            width = tf.gather(widths, index)
            top = _somewhere(tf.gather(heights, index) - len(side), seed, position, DOWN)
            left = _somewhere(width - len(side), seed, position, RIGHT)
            columns = left[:, None] + side
            if self.flip:
                mirrored = uniform(seed, position, FLIP) < 0.5
                columns = tf.where(mirrored[:, None], columns[:, ::-1], columns)
            rows = tf.gather(first, index)[:, None] + (top[:, None] + side) * width[:, None]
            image = tf.gather(pixels, rows[:, :, None] + columns[:, None, :])
            element = {"image": tf.cast(image, tf.float32) / 127.5 - 1.0}
            if labels is not None:
                element["label"] = tf.gather(labels, index)
            return element

        # The pixels go in beside the steps, and `tf.data` must not optimise: it would copy them all.
        steps = tf.data.Dataset.counter(start_step)
        pixels = tf.data.Dataset.from_tensors(self._pixels()).repeat()
        stream = tf.data.Dataset.zip(steps, pixels).map(batch, num_parallel_calls=4, deterministic=True)
        options = tf.data.Options()
        options.experimental_optimization.apply_default_optimizations = False
        options.autotune.enabled = False  # would fill a share of all memory with batches
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
        return stream.prefetch(4).with_options(options)

    def _groups(self) -> list[np.ndarray]:
        """Numbers of the pictures that are shuffled with each other: those of a class, or all.

        Classes without pictures have no group: they could not take their turn.
        """
        if not self.balance:
            return [np.arange(len(self))]
        return [np.flatnonzero(self.labels == label) for label in np.unique(self.labels)]

    def _pixels(self) -> "tf.Tensor":
        """All pixels, one picture after the other: uint8 [pixels, channels].

        Where they are in a file it is mapped, so that they take no memory but the system's page cache, which
        it takes back when it needs it. Not read by a `tf.numpy_function`: when Python exits while an iterator
        is alive, TensorFlow's threads wait for Python's lock, and the process hangs for ever.
        """
        import tensorflow as tf

        channels, file = self.image_shape[2], self._file()
        with tf.device("CPU:0"):
            if file is None:
                return tf.constant(np.reshape(self.images, (-1, channels)))
            path, start = file
            # Copy on write, as DLPack, which hands the map to TensorFlow as it is, wants arrays to be writable.
            mapped = np.memmap(path, np.uint8, mode="c", offset=start).reshape(-1, channels)
            return tf.experimental.dlpack.from_dlpack(mapped.__dlpack__())

    def _file(self) -> tuple[Path, int] | None:
        """The file that holds the pixels, and where in it they start; None if they are in memory."""
        if isinstance(self.images, Store):
            return self.images.path, 0
        if isinstance(self.images, np.memmap) and self.images.flags.c_contiguous:
            path, start = Path(self.images.filename), self.images.offset
            if path.stat().st_size == start + self.images.nbytes:  # all of the file, not a part
                return path, start
        return None

    def _layout(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """int64 [n] each: number of the first pixel, height, width of each picture."""
        if isinstance(self.images, Store):
            return self.images.offsets // self.image_shape[2], self.images.heights, self.images.widths
        n, height, width = self.images.shape[:3]
        return np.arange(n) * (height * width), np.full(n, height), np.full(n, width)

    def examples(self, num: int, seed: int = 0, start: int = 0) -> dict[str, np.ndarray]:
        """Under "image" float32 [num, height, width, channels] in [-1, 1]: distinct pictures drawn at random.

        Their centres, where they are larger. Fewer than `num` where the data set has fewer. `start`: how many of
        that draw to leave out at its beginning.
        """
        return {"image": to_float(self.images[self.drawn(num, seed, start)])}

    def drawn(self, num: int, seed: int = 0, start: int = 0) -> np.ndarray:
        """Which pictures `examples` takes: int64 [num]."""
        return np.random.default_rng(seed).permutation(len(self))[start : start + num]


def _shuffle(index: "tf.Tensor", n: "tf.Tensor", seed: int, stream: "tf.Tensor", purpose: int) -> "tf.Tensor":
    """Where a permutation of 0..n-1 sends `index`: int64 [batch] to int64 [batch], O(1) each.

    `n` int64 is [batch] or one for all; `stream` int64 [batch] numbers the permutations of a seed and purpose.
    Not by `tf.random.experimental.index_shuffle`: it takes no seed per element, and its 4 rounds are too few
    (on 60,000 pictures, the orders of successive epochs correlate by 0.8; with 16 rounds, by 0.00).
    """
    import tensorflow as tf

    words = [seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF, purpose]
    mixed = tf.cast(stream, tf.uint32)
    for word in words:
        mixed = _mixed(mixed ^ tf.constant(word, tf.uint32))
    # The shuffle of a short range looks at the lowest 8 bits of each word only: each is to depend on all there is.
    seeds = [_mixed(mixed ^ tf.constant(word, tf.uint32)) for word in (1, 2, 3)]
    return tf.raw_ops.RandomIndexShuffle(index=index, seed=tf.stack(seeds, axis=1), max_index=n - 1, rounds=16)


def _mixed(words: "tf.Tensor") -> "tf.Tensor":
    """uint32 to uint32, one to one, every bit of the result depending on every bit (Wellons, "lowbias32")."""
    import tensorflow as tf

    for shift, factor in ((16, 0x21F0AAAD), (15, 0x735A2D97)):
        words ^= tf.bitwise.right_shift(words, tf.constant(shift, tf.uint32))
        words *= tf.constant(factor, tf.uint32)
    return words ^ tf.bitwise.right_shift(words, tf.constant(15, tf.uint32))


def _somewhere(room: "tf.Tensor", seed: int, position: "tf.Tensor", purpose: int) -> "tf.Tensor":
    """int64 [batch] from 0 to `room`, each as likely."""
    import tensorflow as tf

    share = uniform(seed, position, purpose)
    return tf.cast(share * tf.cast(room + 1, tf.float64), tf.int64)


def uniform(seed: int, position: "tf.Tensor", purpose: int) -> "tf.Tensor":
    """float64 [batch] in [0, 1), a function of its arguments alone."""
    import tensorflow as tf

    number = _shuffle(position % 2**BITS, tf.constant(2**BITS, tf.int64), seed, position // 2**BITS, purpose)
    return tf.cast(number, tf.float64) / 2**BITS
