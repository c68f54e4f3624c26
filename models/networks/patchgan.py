"""PatchGAN (Isola et al. 2017, arXiv:1611.07004): judges each patch of a picture on its own.

Whether a whole picture is right is for other losses to say; texture is a matter of patches, and a network that sees
no more has fewer parameters, and works on any size.
"""

import keras
from keras import layers, ops

from models.layers.convolution import Conv2D
from models.layers.initializers import CONV_INIT
from models.layers.normalization import InstanceNormalization, batch_norm
from models.layers.spectral import SpectralConv2D, SpectralEmbedding

# Patch side in px by the number of halvings: two more convolutions follow.
RECEPTIVE_FIELDS = {16: 1, 34: 2, 70: 3, 142: 4, 286: 5}
NORMALIZATIONS = ("batch", "instance", "none")


def discriminator(
    image_shape: tuple[int, int, int],
    source_shape: tuple[int, int, int] | None = None,
    receptive_field: int = 70,
    width: int = 64,
    normalization: str = "batch",
    spectral: bool = False,
    num_classes: int = 0,
) -> keras.Model:
    """Judges patches: `[batch, height, width, channels]` (and source, of that size) -> `[batch, rows, columns, 1]`.

    Each logit sees `receptive_field` px: 16, 34, 70 (the paper's), 142 or 286. Channels start at `width` and double
    with each halving up to 8 times. With a `source_shape` it judges whether the image is right for the source, the
    second input. With `num_classes` a label, int32 `[batch]`, is the last input, and each patch's features are
    projected on its embedding (Miyato & Koyama 2018, arXiv:1802.05637). Raises `ValueError` for other receptive
    fields and normalisations, and for pictures that are too small.
    """
    if receptive_field not in RECEPTIVE_FIELDS:
        raise ValueError(f"receptive_field={receptive_field}: it must be one of {tuple(RECEPTIVE_FIELDS)}.")
    if normalization not in NORMALIZATIONS:
        raise ValueError(f"normalization={normalization}: it must be one of {', '.join(NORMALIZATIONS)}.")
    convolution = SpectralConv2D if spectral else Conv2D
    inputs = x = keras.Input((None, None, image_shape[-1]), name="image")
    if source_shape is not None:
        inputs = [x, keras.Input((None, None, source_shape[-1]), name="source")]
        x = layers.Concatenate(name="image_and_source")(inputs)
    halvings = RECEPTIVE_FIELDS[receptive_field]
    least = 3 * 2**halvings  # px: two convolutions follow that lose a row each
    if None not in image_shape[:2] and min(image_shape[:2]) < least:
        raise ValueError(f"receptive_field={receptive_field} is for pictures of {least} px or more.")
    for i in range(halvings + 1):
        name, last = f"conv_{i}", i == halvings
        normalized = i > 0 and normalization != "none"
        if last:  # the reference pads by 1 whatever the stride, so that a 4x4 kernel loses a row
            x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
        x = convolution(
            width * min(2**i, 8), 4, strides=1 if last else 2, padding="valid" if last else "same",
            use_bias=not normalized, kernel_initializer=CONV_INIT, name=name,
        )(x)  # fmt: skip
        if normalized:
            x = _normalized(x, normalization, f"{name}_norm")
        x = layers.LeakyReLU(0.2, name=f"{name}_relu")(x)
    features = x
    x = layers.ZeroPadding2D(1, name="judge_pad")(x)
    x = convolution(1, 4, kernel_initializer=CONV_INIT, dtype="float32", name="judge")(x)
    if num_classes:
        label = keras.Input((), dtype="int32", name="label")
        inputs = [*inputs, label] if isinstance(inputs, list) else [inputs, label]
        kind = SpectralEmbedding if spectral else layers.Embedding
        embedded = kind(num_classes, features.shape[-1], embeddings_initializer=CONV_INIT, name="label_embedding")(
            label
        )
        embedded = layers.Reshape((1, 1, -1), name="label_of_patches")(embedded)
        agreement = layers.Multiply(dtype="float32", name="agreement")([features, embedded])
        agreement = ops.sum(agreement, axis=-1, keepdims=True)
        # The judge's kernel takes a row and a column more than the features have.
        x = layers.Add(dtype="float32", name="judge_and_projection")([x, agreement[:, :-1, :-1]])
    logits = layers.Activation("linear", dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="patchgan")


def _normalized(x, normalization: str, name: str):
    if normalization == "instance":
        return InstanceNormalization(name=name)(x)
    return batch_norm(x, name=name, momentum=0.9, epsilon=1e-5)
