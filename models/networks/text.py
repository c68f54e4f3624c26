"""Networks that bring sentences and pictures to one space of vectors, where what belongs together is near.

A sentence is read by a convolution, each word with its neighbours ("red circle"), then by one layer of a
transformer (Vaswani et al. 2017, arXiv:1706.03762), each word with all others; a picture by convolutions down to
4x4. Both end in unit vectors. All layers are Keras's own: files of them need no Gesso to load.
"""

import keras
from keras import layers, ops


def sentences(
    vocabulary_size: int, length: int, dimensions: int = 128, width: int = 64, heads: int = 4
) -> keras.Model:
    """Reads sentences: numbers of words int32 `[batch, length]`, 0 for none -> unit vectors `[batch, dimensions]`.

    Float32. `width` is that of a word, a multiple of `heads`.
    """
    tokens = keras.Input((length,), dtype="int32", name="tokens")
    there = ops.not_equal(tokens, 0)
    x = layers.Embedding(vocabulary_size, width, name="word")(tokens)
    place = ops.cumsum(ops.ones_like(tokens), axis=1) - 1
    x = x + layers.Embedding(length, width, name="place")(place)
    x = x * ops.cast(there, x.dtype)[:, :, None]
    x = x + layers.Conv1D(width, 3, padding="same", activation="relu", name="neighbors")(x)
    attention = layers.MultiHeadAttention(heads, width // heads, name="attention")
    normal = layers.LayerNormalization(name="attention_norm")(x)
    x = x + attention(normal, normal, attention_mask=there[:, None, :])
    normal = layers.LayerNormalization(name="thought_norm")(x)
    thought = layers.Dense(2 * width, activation="relu", name="thought")(normal)
    x = x + layers.Dense(width, name="thought_out")(thought)
    counts = ops.cast(there, x.dtype)[:, :, None]
    x = ops.sum(x * counts, axis=1) / ops.maximum(ops.sum(counts, axis=1), 1)
    x = layers.Dense(dimensions, dtype="float32", name="vector")(x)
    return keras.Model(tokens, layers.UnitNormalization(dtype="float32", name="unit")(x), name="sentences")


def pictures(image_shape: tuple[int, int, int], dimensions: int = 128, width: int = 16) -> keras.Model:
    """Looks at pictures: `[batch, height, width, channels]` in [-1, 1] -> unit vectors `[batch, dimensions]`.

    Float32. `width` channels at half the size, twice as many with each halving to 4x4, up to 8 times.
    """
    image = x = keras.Input(image_shape, name="image")
    filters = width
    while x.shape[1] > 4:
        size = x.shape[1] // 2
        x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False, name=f"down_{size}")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"down_{size}_norm")(x)
        x = layers.LeakyReLU(0.2, name=f"down_{size}_relu")(x)
        filters = min(2 * filters, 8 * width)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(dimensions, dtype="float32", name="vector")(x)
    return keras.Model(image, layers.UnitNormalization(dtype="float32", name="unit")(x), name="pictures")


def joined(sentences: keras.Model, pictures: keras.Model) -> keras.Model:
    """Joins the two, for one file: tokens and image -> a dictionary of their vectors, "sentence" and "picture"."""
    tokens, image = (
        keras.Input(n.input_shape[1:], dtype=n.inputs[0].dtype, name=n.inputs[0].name)
        for n in (sentences, pictures)
    )
    vectors = {"sentence": sentences(tokens), "picture": pictures(image)}
    return keras.Model([tokens, image], vectors, name="text_encoder")
