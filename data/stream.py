"""The training stream: any step of it can be had directly, so a resumed run sees what it would have seen.

This file, `data.decode_stream` and `data.transforms` hold all that needs TensorFlow in `data`, so that the rest is
imported at once.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from data.decode_stream import squares
from data.encoded import EncodedStore
from data.store import Store, layout, mapped_pixels

if TYPE_CHECKING:
    from data.image_dataset import ImageDataset

Stream = tf.data.Dataset
Batch = dict[str, tf.Tensor]
Change = Callable[[Batch, int, tf.Tensor], Batch]  # of a batch, the seed, and int64 [batch] positions

# What a random number is for: each has its own stream (the lowest bits of a seed's third word).
ORDER, FLIP, DOWN, RIGHT, WORDING = range(5)
BITS = 24


def batches(
    dataset: "ImageDataset",
    batch_size: int,
    seed: int,
    start_step: int,
    worker: int,
    workers: int,
    change: Change | None,
) -> Stream:
    """What `ImageDataset.stream` gives: `batch_size / workers` pictures a step, the part of `worker`.

    Position p of the stream is picture p % batch_size of step p // batch_size, and all that is random in it is a
    function of (seed, position): a worker computes its own positions, and none of the others'.
    """
    share = batch_size // workers
    first, heights, widths = (tf.constant(column, tf.int64) for column in layout(dataset.images))
    files = tf.constant(dataset.images.files) if isinstance(dataset.images, EncodedStore) else None
    labels = None if dataset.labels is None else tf.constant(dataset.labels, tf.int32)
    if dataset.captions is not None:
        sentences = tf.constant([wording for of_one in dataset.captions for wording in of_one])
        wordings = tf.constant([len(of_one) for of_one in dataset.captions], tf.int64)
        beginnings = tf.cumsum(wordings, exclusive=True)
    groups = dataset.groups()
    members = tf.constant(np.concatenate(groups), tf.int64)
    counts = tf.constant([len(group) for group in groups], tf.int64)
    begins = tf.cumsum(counts, exclusive=True)
    side = tf.range(dataset.spec.image_shape[0], dtype=tf.int64)

    def positions(step: tf.Tensor) -> tf.Tensor:
        return step * batch_size + worker * share + tf.range(share, dtype=tf.int64)

    def batch(step: tf.Tensor, pixels: tf.Tensor) -> Batch:
        position = positions(step)
        turn = position // len(groups)
        # Each turn starts one group later: else the first part of every batch may be of the same classes.
        group = (position + turn + turn // len(groups)) % len(groups)
        count = tf.gather(counts, group)
        epoch = turn // count * len(groups) + group  # a number for each epoch of each group
        place = _shuffle(turn % count, count, seed, epoch, ORDER)[0]
        index = tf.gather(members, tf.gather(begins, group) + place)
        height, width = tf.gather(heights, index), tf.gather(widths, index)
        down, right, mirror, words = tf.unstack(uniform(seed, position, DOWN, RIGHT, FLIP, WORDING))
        top, left = _somewhere(height - len(side), down), _somewhere(width - len(side), right)
        mirrored = (mirror < 0.5)[:, None] if dataset.flip else False
        if files is None:
            columns = left[:, None] + side
            columns = tf.where(mirrored, columns[:, ::-1], columns)
            rows = tf.gather(first, index)[:, None] + (top[:, None] + side) * width[:, None]
            image = tf.gather(pixels, rows[:, :, None] + columns[:, None, :])
        else:
            sides, corners = tf.stack([height, width], axis=1), tf.stack([top, left], axis=1)
            places = tf.gather(first, index), tf.gather(files, index)
            image = squares(tf.reshape(pixels, [-1]), *places, sides, corners, len(side))
            image = tf.where(mirrored[:, None, None] if dataset.flip else False, image[:, :, ::-1], image)
        element = {"image": tf.cast(image, tf.float32) / 127.5 - 1.0}
        if labels is not None:
            element["label"] = tf.gather(labels, index)
        if dataset.captions is not None:
            wording = words * tf.cast(tf.gather(wordings, index), tf.float64)
            element["text"] = tf.gather(sentences, tf.gather(beginnings, index) + tf.cast(wording, tf.int64))
        return element

    def changed(step: tf.Tensor, element: Batch) -> Batch:
        return change(element, seed, positions(step))

    # The pixels go in beside the steps, and `tf.data` must not optimise: it would copy them all.
    steps = tf.data.Dataset.counter(start_step)
    pixels = tf.data.Dataset.from_tensors(_pixels(dataset.images)).repeat()
    stream = _mapped(batch, steps, pixels)
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    options.autotune.enabled = False  # would fill a share of all memory with batches
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    stream = stream.with_options(options)
    # Not in the same function: TensorFlow would join its arithmetic with what comes before, and change last bits.
    return stream if change is None else _mapped(changed, steps, stream)


def _mapped(function: Callable[..., Batch], *streams: Stream) -> Stream:
    """In order, four batches at once and four in store."""
    function = tf.autograph.experimental.do_not_convert(function)  # which would take longer than to trace it
    return tf.data.Dataset.zip(*streams).map(function, num_parallel_calls=4, deterministic=True).prefetch(4)


def uniform(seed: int, position: tf.Tensor, *purposes: int) -> tf.Tensor:
    """float64 `[purposes, batch]` in [0, 1), a function of its arguments alone."""
    most = tf.constant(2**BITS, tf.int64)
    return tf.cast(_shuffle(position % most, most, seed, position // most, *purposes), tf.float64) / 2**BITS


def _pixels(images) -> tf.Tensor:
    """All pixels of an array or a `Store`, one picture after the other: uint8 `[pixels, channels]`.

    Where they are in files these are mapped, so that they take no memory but the system's page cache, which
    it takes back when it needs it. Not read by a `tf.numpy_function`: when Python exits while an iterator
    is alive, TensorFlow's threads wait for Python's lock, and the process hangs for ever.
    """
    mapped = mapped_pixels(images)
    channels = images.unit if isinstance(images, Store) else images.shape[3]
    with tf.device("CPU:0"):
        if mapped is None:
            return tf.constant(np.reshape(images, (-1, channels)))
        return tf.experimental.dlpack.from_dlpack(mapped.reshape(-1, channels).__dlpack__())


def _shuffle(index: tf.Tensor, n: tf.Tensor, seed: int, stream: tf.Tensor, *purposes: int) -> tf.Tensor:
    """Where permutations of 0..n-1 send `index`: int64 `[batch]` to int64 `[purposes, batch]`, O(1) each.

    `n` int64 is one for all, or, for one purpose, `[batch]`; `stream` int64 `[batch]` numbers the permutations of a
    seed and purpose. Not by `tf.random.experimental.index_shuffle`: it takes no seed per element, and its 4 rounds
    are too few (on 60,000 pictures, the orders of successive epochs correlate by 0.8; with 16 rounds, by 0.00).
    """
    mixed = tf.cast(stream, tf.uint32)
    for word in (seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF):
        mixed = _mixed(mixed ^ tf.constant(word, tf.uint32))
    mixed = _mixed(mixed ^ tf.constant(purposes, tf.uint32)[:, None])
    # The shuffle of a short range looks at the lowest 8 bits of each word only: each is to depend on all there is.
    seeds = tf.reshape(_mixed(mixed[..., None] ^ tf.constant([1, 2, 3], tf.uint32)), [-1, 3])
    index = tf.tile(index, [len(purposes)])
    shuffled = tf.raw_ops.RandomIndexShuffle(index=index, seed=seeds, max_index=n - 1, rounds=16)
    return tf.reshape(shuffled, [len(purposes), -1])


def _mixed(words: tf.Tensor) -> tf.Tensor:
    """uint32 to uint32, one to one, every bit of the result depending on every bit (Wellons, "lowbias32")."""
    for shift, factor in ((16, 0x21F0AAAD), (15, 0x735A2D97)):
        words ^= tf.bitwise.right_shift(words, tf.constant(shift, tf.uint32))
        words *= tf.constant(factor, tf.uint32)
    return words ^ tf.bitwise.right_shift(words, tf.constant(15, tf.uint32))


def _somewhere(room: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """int64 `[batch]` from 0 to `room`, each as likely, by `share` in [0, 1)."""
    return tf.cast(share * tf.cast(room + 1, tf.float64), tf.int64)
