"""Pictures decoded as they are streamed, in TensorFlow: nothing waits for Python's lock."""

import tensorflow as tf

FACTORS = (1, 2, 4, 8)  # by which JPEG's decoder may shrink


def squares(
    content: tf.Tensor, offsets: tf.Tensor, files: tf.Tensor, sides: tf.Tensor, corners: tf.Tensor, side: int
) -> tf.Tensor:
    """Cuts a square out of each of these files: uint8 `[batch, side, side, 3]`.

    `content` uint8 `[bytes]` has all files; `offsets` int64 `[batch]`, `files` int64 `[batch, 6]` as
    `data.encoded.EncodedStore` has them; `sides` `[batch, 2]` are the height and width to resize to, `corners`
    `[batch, 2]` where in that the squares begin. Antialiased bicubic, as Pillow, but in floats and in one step.
    """

    def square(one: tuple[tf.Tensor, ...]) -> tf.Tensor:
        offset, file, target, corner = one
        length, factor, box = file[0], file[1], tf.cast(file[2:], tf.float32)
        # The only way in TensorFlow from bytes to a string: at the end of what the bytes are serialised to.
        packed = tf.io.serialize_tensor(tf.slice(content, [offset], [length]))
        text = tf.strings.substr(packed, -length, length)
        branch = tf.reduce_sum(tf.cast(factor >= tf.constant([1, 2, 4, 8], tf.int64), tf.int32))
        image = tf.switch_case(branch, [lambda: tf.io.decode_png(text, 3), *(_jpeg(text, by) for by in FACTORS)])
        image = tf.cast(image, tf.float32)[None]
        height, width = box[3] - box[1], box[2] - box[0]
        scale = tf.stack([tf.cast(target[0], tf.float32) / height, tf.cast(target[1], tf.float32) / width])
        resized = tf.raw_ops.ScaleAndTranslate(
            images=image, size=tf.cast(target, tf.int32), scale=scale,
            translation=-tf.stack([box[1], box[0]]) * scale, kernel_type="keyscubic", antialias=True,
        )  # fmt: skip
        cut = tf.slice(resized[0], [corner[0], corner[1], 0], [side, side, 3])
        return tf.cast(tf.clip_by_value(tf.round(cut), 0.0, 255.0), tf.uint8)

    spec = tf.TensorSpec([side, side, 3], tf.uint8)
    return tf.map_fn(square, (offsets, files, sides, corners), fn_output_signature=spec)


def _jpeg(text: tf.Tensor, factor: int):
    return lambda: tf.io.decode_jpeg(text, channels=3, ratio=factor, dct_method="INTEGER_ACCURATE")
