"""Ways in for noise and conditions, and out for a discriminator's opinion: the same for all architectures.

Conditions:

- `none`: pictures from noise alone.
- `concat`: the label, one-hot, is joined to the generator's latent and, as planes, to the discriminator's image
  (conditional GAN, Mirza & Osindero 2014, arXiv:1411.1784).
- `projection`: conditional batch normalisation in the generator (Dumoulin et al. 2017, arXiv:1610.07629); the
  discriminator adds the inner product of its features with an embedding of the label (Miyato & Koyama 2018,
  arXiv:1802.05637).
- `auxiliary`: the generator as in `concat`; the discriminator does not see the label but is asked for it (ACGAN,
  Odena et al. 2017, arXiv:1610.09585), and learns it from real pictures alone.
- `text`: in place of the label comes the vector of a sentence, float `[batch, num_classes]`. As in DF-GAN (Tao et
  al. 2022, arXiv:2008.05865) latent and sentence scale and shift the features in each block of the generator,
  wherever `projection` has the label do so. The discriminator projects on the sentence, and on that of another
  picture, which does not belong to it; and it is asked for the sentence, as in `auxiliary`.
"""

import math
from collections.abc import Callable

import keras
from keras import layers, ops

Tensor = keras.KerasTensor

CONDITIONS = ("none", "concat", "projection", "auxiliary")  # by labels; and there is text
MODULATION = 256  # length of what latent and label or sentence are brought to, to scale and shift features
PRIORS = ("normal", "uniform")


def generator_inputs(
    latent_dim: int, num_classes: int = 0, condition: str = "none", prior: str = "normal"
) -> tuple[Tensor | list[Tensor], Tensor, Tensor | None]:
    """Makes a generator's inputs, what its first layer takes, and the label for conditional normalisation, if any.

    Inputs are the latent `[batch, latent_dim]`, standard normal whatever the prior is, and with a condition the
    label, int32 `[batch]`; with `text` a sentence's vector, float32 `[batch, num_classes]`, and in place of the
    label for normalisation comes float `[batch, MODULATION]`. `prior="uniform"` sends the latent to uniform in (-1,
    1) by `erf(z / sqrt 2)`, so that everything that draws latents or walks between them is the same for both.

    Raises `ValueError` for an unknown condition or prior, or a condition without classes.
    """
    _check(num_classes, condition)
    if prior not in PRIORS:
        raise ValueError(f"prior={prior}: it must be one of {', '.join(PRIORS)}.")
    latent = keras.Input((latent_dim,), name="latent")
    x = ops.erf(latent / math.sqrt(2)) if prior == "uniform" else latent
    if condition == "none":
        return latent, x, None
    if condition == "text":
        sentence = keras.Input((num_classes,), name="sentence")
        x = layers.Concatenate(name="latent_and_sentence")([x, sentence])
        return [latent, sentence], x, _modulation(x)
    label = keras.Input((), dtype="int32", name="label")
    if condition == "projection":
        return [latent, label], x, label
    return [latent, label], joined(x, label, num_classes), None


def self_modulation(
    latent: Tensor, label: Tensor | None = None, num_classes: int = 0, label_dim: int = 0
) -> Tensor:
    """Makes what batch normalisation is conditional on: of the latent, and of the label if there is one.

    Self-modulation (Chen et al. 2019, arXiv:1810.01365): the latent scales and shifts the features in each block,
    and not only the first layer's. Of a latent `[batch, latent_dim]` and a label, int32 `[batch]`, it is `[batch,
    MODULATION]`; what `text` gives in the label's place knows the latent already. The label is one-hot, one among a
    hundred numbers of a latent, or a vector of `label_dim` numbers like the latent's, which is heard better.
    """
    if label is not None and not label.dtype.startswith("int"):
        return label
    if label is not None:
        latent = joined(latent, label, num_classes, label_dim)
    return _modulation(latent)


def joined(latent: Tensor, label: Tensor, num_classes: int, label_dim: int = 0, deviation: float = 1.0) -> Tensor:
    """Joins a label, int32 `[batch]`, to a latent: one-hot, or a vector of `label_dim` numbers, which is learned.

    These begin as normal ones of that standard `deviation`.
    """
    if not label_dim:
        return layers.Concatenate(name="latent_and_label")([latent, ops.one_hot(label, num_classes)])
    normal = keras.initializers.RandomNormal(stddev=deviation)
    embedded = layers.Embedding(num_classes, label_dim, normal, name="label_embedding")(label)
    return layers.Concatenate(name="latent_and_label")([latent, embedded])


def _modulation(x: Tensor) -> Tensor:
    return layers.LeakyReLU(0.2, name="modulation_relu")(layers.Dense(MODULATION, name="modulation")(x))


def discriminator_inputs(
    image_shape: tuple[int, int, int], num_classes: int = 0, condition: str = "none", flat: bool = False
) -> tuple[Tensor | list[Tensor], Tensor, Tensor | None]:
    """Makes a discriminator's inputs, what its first layer takes, and the label to project on, if any.

    Inputs are the image `[batch, height, width, channels]` and, for `concat` and `projection`, the label, int32
    `[batch]`; for `text` a sentence's vector, float32 `[batch, num_classes]`, in its place. With `flat` the first
    layer takes `[batch, pixels]`. Raises `ValueError` as `generator_inputs`.
    """
    _check(num_classes, condition)
    image = keras.Input(image_shape, name="image")
    x = layers.Flatten(name="pixels")(image) if flat else image
    if condition in ("none", "auxiliary"):
        return image, x, None
    if condition == "text":
        sentence = keras.Input((num_classes,), name="sentence")
        return [image, sentence], x, sentence
    label = keras.Input((), dtype="int32", name="label")
    if condition == "projection":
        return [image, label], x, label
    one_hot = ops.one_hot(label, num_classes)
    if not flat:
        one_hot = ops.tile(one_hot[:, None, None, :], (1, *image_shape[:2], 1))
    return [image, label], layers.Concatenate(name="image_and_label")([x, one_hot]), None


def discriminator_head(
    features: Tensor,
    label: Tensor | None = None,
    num_classes: int = 0,
    condition: str = "none",
    dense: Callable[..., layers.Layer] = layers.Dense,
    embedding: Callable[..., layers.Layer] = layers.Embedding,
    use_bias: bool = True,
    initializer: str | dict = "glorot_uniform",
    embedding_initializer: str | dict | None = None,
) -> Tensor | dict[str, Tensor]:
    """Makes a discriminator's last layer: features `[batch, dim]` -> logits, float32 `[batch]`.

    With `projection` the label counts in; with `auxiliary` the result is a dictionary of "logits" and of
    "class_logits", float32 `[batch, num_classes]`; with `text` of "logits" and what `sentence_outputs` has. `dense`
    and `embedding` are the classes of the layers, for their spectrally normalised forms; the labels' vectors begin
    as the layers do, unless there is an `embedding_initializer`.
    """
    # In float32 throughout: bfloat16 has 8 bits, and critics' logits may be anywhere, with small differences.
    options = {"kernel_initializer": initializer, "dtype": "float32"}
    logits = dense(1, use_bias=use_bias, name="judge", **options)(features)
    if condition == "text":
        return sentence_outputs(logits, features, label, dense, initializer)
    if condition == "projection":
        embedded = embedding(
            num_classes, features.shape[-1], embeddings_initializer=embedding_initializer or initializer,
            dtype="float32", name="label_embedding",
        )(label)  # fmt: skip
        agreement = layers.Dot(axes=1, dtype="float32", name="projection")([features, embedded])
        logits = layers.Add(dtype="float32", name="judge_and_projection")([logits, agreement])
    logits = layers.Reshape((), dtype="float32", name="logits")(logits)
    if condition != "auxiliary":
        return logits
    classes = dense(num_classes, name="classify", **options)(features)
    return {"logits": logits, "class_logits": layers.Identity(dtype="float32", name="class_logits")(classes)}


def sentence_outputs(
    logits: Tensor,
    features: Tensor,
    sentence: Tensor,
    dense: Callable[..., layers.Layer] = layers.Dense,
    initializer: str | dict = "glorot_uniform",
) -> dict[str, Tensor]:
    """Makes a discriminator's outputs of pictures with sentences, a dictionary of float32 tensors.

    - "logits" `[batch, ...]`: `logits` `[batch, 1]` or `[batch, height, width]` of the picture alone, and the inner
      product of the features `[batch, dim]` with a projection of the sentence `[batch, length]`;
    - "mismatched_logits": the same with the sentence of the picture before, which may be anything; they cost no
      second look at the picture;
    - "sentence" `[batch, length]`: a unit vector, which sentence the discriminator takes it for.
    """
    options = {"kernel_initializer": initializer, "dtype": "float32"}
    embedded = dense(features.shape[-1], use_bias=False, name="sentence_projection", **options)(sentence)
    outputs = {}
    for name, vectors in (("logits", embedded), ("mismatched_logits", ops.roll(embedded, 1, axis=0))):
        agreement = layers.Dot(axes=1, dtype="float32", name=f"agreement_of_{name}")([features, vectors])
        agreement = ops.reshape(agreement, (-1,) + (1,) * (len(logits.shape) - 1))
        both = layers.Add(dtype="float32", name=f"judge_and_{name}")([logits, agreement])
        outputs[name] = ops.squeeze(both, axis=1) if both.shape[1:] == (1,) else both
    told = dense(sentence.shape[-1], name="tell", **options)(features)
    return outputs | {"sentence": layers.UnitNormalization(dtype="float32", name="sentence_told")(told)}


def _check(num_classes: int, condition: str) -> None:
    if condition not in (*CONDITIONS, "text"):
        raise ValueError(f"condition={condition}: it must be one of {', '.join(CONDITIONS)}, text.")
    if condition != "none" and num_classes < 2:
        raise ValueError(f"condition={condition} needs at least two classes, not {num_classes}.")
