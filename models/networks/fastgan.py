"""FastGAN (Liu et al. 2021, arXiv:2101.04775): for large pictures, few of them and little time.

A light generator whose small features weigh the channels of its large ones, and a discriminator that must also
rebuild the picture from what it has seen. At 256 px with `width=64` the layers are those of the authors' code
(github.com/odegeasslbc/FastGAN-pytorch); smaller pictures leave out the blocks of the larger ones. Departures:

- No noise is injected into the generator, unless `noise_injection` asks for it: a picture is a function of its
  latent alone, and the export needs no class of ours. With it, noise stored with the weights takes the place of
  drawn noise once the generator is trained.
- Batches are judged by the hinge loss that `loss=` names; the authors' random margins are
  `loss.discriminator_loss.least_margin=0.8`, as in `experiment=fastgan_wikiart`.
- No spectral norm in the generator and the decoders. Where batch normalisation follows, as it does for all but the
  excitations and the last layers, it divides the weights' scale out anyhow; and the export needs no class of ours.
- No second discriminator for pictures of 128 px: it would ask the generator for a second picture.
- The error of rebuilding is the absolute difference, not LPIPS, which needs a pretrained network, and counts once,
  where theirs is summed over a batch of 8 and all decoders (`reconstruction_weight=16`, which is worse with it:
  docs/results.md). The small picture to rebuild has averages for pixels, not every second pixel. Which quarter is
  rebuilt is not drawn at random.
"""

from functools import partial

import keras
import tensorflow as tf
from keras import layers, ops

from models.layers.convolution import Conv2D
from models.layers.initializers import CONV_INIT, SCALE_INIT
from models.layers.noise import NoiseInjection
from models.layers.normalization import batch_norm
from models.layers.spectral import SpectralConv2D, SpectralDense, SpectralEmbedding
from models.networks.condition import discriminator_inputs, generator_inputs, sentence_outputs
from models.networks.sizes import square

Tensor = keras.KerasTensor

# Channels as multiples of `width`, by the size of the picture.
GENERATOR = {4: 16, 8: 8, 16: 4, 32: 2, 64: 2, 128: 1, 256: 0.5}  # and twice the decoders'
DISCRIMINATOR = {8: 8, 16: 4, 32: 2, 64: 1, 128: 0.5, 256: 0.25}
SIZES = (32, 64, 128, 256)


def generator(
    image_shape: tuple[int, int, int],
    latent_dim: int = 256,
    width: int = 64,
    num_classes: int = 0,
    condition: str = "none",
    prior: str = "normal",
    noise_injection: bool = False,
    normalized_latent: bool = False,
) -> keras.Model:
    """Draws pictures from noise: latent `[batch, latent_dim]` (and label) -> image `[batch, size, size, channels]`.

    A 4x4 seed, doubled until `size` by blocks of two and one convolutions in turn. From 64 px on, the features of
    a 16th of the size weigh the channels (skip-layer excitation): 4 to 64, 8 to 128, 16 to 256 px; where 32 px is
    the picture's size, 4 to 32. Images are in [-1, 1]. With `projection` the batch normalisation is conditional;
    with `noise_injection` noise follows the convolutions of the blocks that have two, as in the authors' code;
    with `normalized_latent` latents are brought to a mean square of 1 first, as Projected GAN has it.
    Conditions and priors: `models/networks/condition.py`.
    Raises `ValueError` unless `image_shape` is square and of 32, 64, 128 or 256 px.
    """
    size, channels = square("FastGAN", image_shape, SIZES)
    filters = {s: _times(width, multiple) for s, multiple in GENERATOR.items()}

    inputs, x, label = generator_inputs(latent_dim, num_classes, condition, prior)
    norm = partial(_norm, label=label, num_classes=num_classes)

    def noisy(x: Tensor, name: str) -> Tensor:
        return norm(NoiseInjection(name=name.replace("norm", "noise"))(x), name)

    if normalized_latent:
        own, others = x[:, :latent_dim], x[:, latent_dim:]  # of a label or a sentence
        own = own * ops.rsqrt(ops.mean(ops.square(own), axis=1, keepdims=True) + 1e-8)
        x = ops.concatenate([own, others], axis=1) if others.shape[1] else own
    # A transposed convolution of a 1x1 picture is a matrix product.
    x = layers.Dense(4 * 4 * 2 * filters[4], use_bias=False, kernel_initializer=CONV_INIT, name="seed")(x)
    x = layers.Reshape((4, 4, 2 * filters[4]), name="seed_4")(x)
    features = {4: ops.glu(norm(x, "seed_norm"))}
    s = 4
    while s < size:
        x, s = features[s], 2 * s
        twice = s in (8, 32, 128)
        follows = noisy if twice and noise_injection else norm
        x = _up(x, filters[s], f"up_{s}", follows)
        if twice:
            x = _conv(2 * filters[s], 3, name=f"up_{s}_2")(x)
            x = ops.glu(follows(x, f"up_{s}_2_norm"))
        if s >= 64 or s == size:
            x = _excite(x, features[max(4, s // 16)], f"excite_{s}")
        features[s] = x
    x = _conv(channels, 3, name="to_image")(features[size])
    image = layers.Activation("tanh", dtype="float32", name="image")(x)
    return keras.Model(inputs, image, name="generator")


def discriminator(
    image_shape: tuple[int, int, int],
    width: int = 64,
    num_classes: int = 0,
    condition: str = "none",
    spectral: bool = True,
    reconstruction_weight: float = 1.0,
) -> keras.Model:
    """Judges patches of pictures and rebuilds the pictures: image (and label) -> a dictionary of float32 tensors.

    Image is `[batch, size, size, channels]` in [-1, 1]. The result:

    - "logits" `[batch, 5, 5]`;
    - "reconstruction_error" `[batch]`: `reconstruction_weight` times the mean absolute difference of two decoders'
      pictures, one of all the picture at half its size, out of the 8x8 features, one of a quarter of it, out of
      that quarter of the 16x16 features; for a loss on real pictures. Whoever does not use it does not pay for it
      in a graph;
    - "class_logits" `[batch, num_classes]` with `auxiliary`, and with `text` what `sentence_outputs` has.

    Blocks halve the picture to 8x8. The features of eight times their size weigh the channels of those of 8x8,
    16x16 and 32x32 where there are any; at 32 px those of 32x32 weigh 8x8. With `projection` the inner product of
    the label's embedding and the mean of the 8x8 features is added to all logits of a picture. `spectral`
    normalises all weights but the decoders'.
    Raises `ValueError` unless `image_shape` is square and of 32, 64, 128 or 256 px.
    """
    size, channels = square("FastGAN", image_shape, SIZES)
    filters = {s: _times(width, multiple) for s, multiple in DISCRIMINATOR.items()}
    conv = partial(_conv, spectral=spectral)

    inputs, x, label = discriminator_inputs(image_shape, num_classes, condition)
    image = inputs[0] if isinstance(inputs, list) else inputs
    features = {size: layers.LeakyReLU(0.2, name="stem_relu")(conv(filters[size], 3, name="stem")(x))}
    s = size
    while s > 8:
        x, s = features[s], s // 2
        x = _down(x, filters[s], f"down_{s}", conv)
        if s == 8 or 8 * s <= size:
            x = _excite(x, features[min(8 * s, size)], f"excite_{s}", conv)
        features[s] = x
    x = _norm_relu(conv(16 * width, 1, name="patches")(features[8]), "patches")
    logits = conv(1, 4, padding="valid", dtype="float32", name="judge")(x)
    logits = layers.Reshape((5, 5), dtype="float32", name="logits")(logits)

    outputs = {}
    pooled = layers.GlobalAveragePooling2D(dtype="float32", name="pooled")(features[8])
    if condition == "projection":
        embedding = SpectralEmbedding if spectral else layers.Embedding
        embedded = embedding(
            num_classes, filters[8], embeddings_initializer=CONV_INIT, dtype="float32", name="label_embedding"
        )(label)
        agreement = layers.Dot(axes=1, dtype="float32", name="projection")([pooled, embedded])
        logits = logits + ops.reshape(agreement, (-1, 1, 1))
    elif condition == "text":
        dense = SpectralDense if spectral else layers.Dense
        outputs |= sentence_outputs(logits, pooled, label, dense, CONV_INIT)
        logits = outputs["logits"]
    elif condition == "auxiliary":
        dense = SpectralDense if spectral else layers.Dense
        outputs["class_logits"] = dense(
            num_classes, kernel_initializer=CONV_INIT, dtype="float32", name="class_logits"
        )(pooled)
    outputs["logits"] = logits

    half = layers.AveragePooling2D(2, dtype="float32", name="half")(image)
    quarter = Quarter(dtype="float32", name="quarter")(image)
    whole = _decoder(features[8], size // 2, channels, width, "decode_whole")
    part = _decoder(Quarter(name="quarter_16")(features[16]), size // 2, channels, width, "decode_quarter")
    errors = [ops.mean(ops.abs(made - true), axis=(1, 2, 3)) for made, true in ((whole, half), (part, quarter))]
    outputs["reconstruction_error"] = reconstruction_weight * (errors[0] + errors[1]) / 2
    return keras.Model(inputs, outputs, name="discriminator")


@keras.saving.register_keras_serializable(package="gesso")
class Quarter(layers.Layer):
    """A layer that keeps quarter `i % 4` of picture i: `[batch, 2h, 2w, c]` -> `[batch, h, w, c]`.

    The quarters are upper left, upper right, lower left, lower right. The order of the pictures is random, so
    that all quarters of each are seen in training, without randomness here; in batches of less than four only the
    first ones.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        _, height, width, channels = inputs.shape
        chosen = tf.one_hot(tf.range(tf.shape(inputs)[0]) % 4, 4, dtype=inputs.dtype)
        chosen = tf.reshape(chosen, [-1, 2, 1, 2, 1, 1])
        quarters = tf.reshape(inputs, [-1, 2, height // 2, 2, width // 2, channels])
        return tf.reduce_sum(quarters * chosen, axis=(1, 3))  # a gather's gradient scatters, which is slow


@keras.saving.register_keras_serializable(package="gesso")
class BatchStatistics(layers.Layer):
    """Batch normalisation by the statistics of the batch at hand, always.

    A decoder's pictures are of use in training only. Moving averages of the statistics would have to be updated
    at every call, so that TensorFlow could not leave a decoder out of a graph that has no use for its pictures.
    """

    def build(self, input_shape: tuple) -> None:
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(shape, keras.initializers.get(SCALE_INIT), autocast=False, name="gamma")
        self.beta = self.add_weight(shape, "zeros", autocast=False, name="beta")

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        none = tf.constant([])
        return tf.raw_ops.FusedBatchNormV3(
            x=inputs, scale=self.gamma, offset=self.beta, mean=none, variance=none, epsilon=1e-5, is_training=True
        ).y


def _times(width: int, multiple: float) -> int:
    return max(1, int(width * multiple))


def _conv(filters: int, size: int, spectral: bool = False, padding: str = "same", **options) -> layers.Layer:
    kind = SpectralConv2D if spectral else Conv2D
    return kind(filters, size, padding=padding, use_bias=False, kernel_initializer=CONV_INIT, **options)


def _norm(x: Tensor, name: str, label: Tensor | None = None, num_classes: int = 0) -> Tensor:
    # PyTorch's momentum of 0.1 is 0.9 here; its epsilon is 1e-5.
    return batch_norm(x, label, num_classes, name, gamma_initializer=SCALE_INIT, momentum=0.9, epsilon=1e-5)


def _norm_relu(x: Tensor, name: str) -> Tensor:
    return layers.LeakyReLU(0.2, name=f"{name}_relu")(_norm(x, f"{name}_norm"))


def _up(x: Tensor, filters: int, name: str, norm) -> Tensor:
    """Doubles: `[batch, h, w, c]` -> `[batch, 2h, 2w, filters]`. Gated linear units halve the channels."""
    x = layers.UpSampling2D(name=f"{name}_double")(x)
    x = _conv(2 * filters, 3, name=name)(x)
    return ops.glu(norm(x, f"{name}_norm"))


def _down(x: Tensor, filters: int, name: str, conv) -> Tensor:
    """Halves: `[batch, h, w, c]` -> `[batch, h/2, w/2, filters]`, by the mean of two paths."""
    main = _norm_relu(conv(filters, 4, strides=2, name=name)(x), name)
    main = _norm_relu(conv(filters, 3, name=f"{name}_2")(main), f"{name}_2")
    direct = layers.AveragePooling2D(2, name=f"{name}_halve")(x)
    direct = _norm_relu(conv(filters, 1, name=f"{name}_direct")(direct), f"{name}_direct")
    return layers.Average(name=f"{name}_mean")([main, direct])


def _excite(x: Tensor, source: Tensor, name: str, conv=_conv) -> Tensor:
    """Weighs the channels of `x` by numbers in (0, 1) that are read off 4x4 means of `source`."""
    if source.shape[1] > 4:
        source = layers.AveragePooling2D(source.shape[1] // 4, name=f"{name}_pool")(source)
    source = conv(x.shape[-1], 4, padding="valid", name=f"{name}_squeeze")(source)
    source = layers.Activation("silu", name=f"{name}_silu")(source)
    source = conv(x.shape[-1], 1, name=f"{name}_weights")(source)
    return layers.Multiply(name=name)([x, layers.Activation("sigmoid", name=f"{name}_sigmoid")(source)])


def _decoder(x: Tensor, size: int, channels: int, width: int, name: str) -> Tensor:
    """Rebuilds a picture: features `[batch, 8, 8, c]` -> `[batch, size, size, channels]`, float32 in [-1, 1]."""
    while x.shape[1] < size:
        s = 2 * x.shape[1]
        x = _up(x, _times(width, GENERATOR[s] / 2), f"{name}_{s}", lambda x, name: BatchStatistics(name=name)(x))
    x = _conv(channels, 3, name=f"{name}_to_image")(x)
    return layers.Activation("tanh", dtype="float32", name=name)(x)
