"""StyleGAN2 (Karras et al. 2020, arXiv:1912.04958), configuration F, as in the authors' code of 2020 and 2021.

A mapping network turns the latent into a style, and the style scales the channels of every convolution of a
synthesis network, which begins with a learned constant. Pictures of all sizes are summed up ("skip" generator); the
discriminator is residual and sees how much the pictures of a batch differ. All learning rates are equalised.

The generator has two layers that are networks themselves, `mapping`: latent (and label) -> styles
`[batch, layers, latent_dim]`, and `synthesis`: styles -> image. With `width=512, fmaps=1, mapping_layers=8` and a
latent of 512 they have as many parameters as the authors' at any size: 30,034,338 at 256 px, and the discriminator
28,864,129 (github.com/NVlabs/stylegan2-ada-pytorch). Departures:

- Style mixing takes the second latent from the next picture of the batch, and each picture is cut elsewhere.
- Pictures are cut off at -1 and 1 once training is over; in training they are any number, as the authors'.
- Activations are not clamped in float16.
- Labels are embedded without a bias, which the normalisation after it would divide out again but for its direction.
"""

import math

import keras
from keras import layers

from models.layers.equalized import (
    NORMAL,
    EqualizedConv2D,
    EqualizedDense,
    EqualizedEmbedding,
    MinibatchStddev,
    PixelNorm,
    ScaledLeakyReLU,
)
from models.layers.fir import Blur2D, SmoothUpsampling2D
from models.layers.modulated import LearnedConstant, ModulatedConv2D, Picture
from models.layers.noise import NoiseInjection
from models.layers.styles import NextInBatch, Styles
from models.networks.condition import discriminator_head, discriminator_inputs, generator_inputs
from models.networks.sizes import square

Tensor = keras.KerasTensor

SIZES = [2**i for i in range(3, 11)]
SLOWNESS = 100  # how much more slowly mapping networks learn


def generator(
    image_shape: tuple[int, int, int],
    latent_dim: int = 512,
    width: int = 512,
    fmaps: float | None = None,
    mapping_layers: int = 8,
    style_mixing: float = 0.9,
    num_classes: int = 0,
    condition: str = "none",
    prior: str = "normal",
) -> keras.Model:
    """Draws pictures from noise: latent `[batch, latent_dim]` (and label) -> image `[batch, size, size, channels]`.

    Images are float32, in [-1, 1] outside of training. Styles are as long as latents. `width` and `fmaps` are of
    `channels_at`; `style_mixing` is the share of pictures that have two styles in training. Conditions and priors:
    `models/networks/condition.py`; with `projection` the mapping network takes an embedding of the label, as the
    authors', with `text` one of the sentence. Raises `ValueError` unless `image_shape` is square with a power of
    two from 8 to 1024 px.
    """
    size, channels = square("StyleGAN2", image_shape, SIZES)
    inputs, x, label = generator_inputs(latent_dim, num_classes, condition, prior)
    number = 2 * int(math.log2(size)) - 2
    latent = x[:, :latent_dim] if x.shape[1] > latent_dim else x
    given = x[:, latent_dim:] if x.shape[1] > latent_dim else None  # a label, one-hot
    if label is not None:
        given = _embedded(inputs[1], num_classes, latent_dim, "label")
    norm = PixelNorm(dtype="float32", name="latent_norm")
    perceptron = _perceptron(latent_dim, mapping_layers, "map")

    def style(x: Tensor, name: str) -> Tensor:
        x = norm(x)
        if given is not None:
            x = layers.Concatenate(dtype="float32", name=f"{name}_with_label")([x, given])
        for layer in perceptron:
            x = layer(x)
        return x

    second = style(NextInBatch(dtype="float32", name="second_latent")(latent), "second_latent")
    styles = Styles(number, style_mixing, dtype="float32", name="styles")(style(latent, "latent"), second)
    mapping = keras.Model(inputs, styles, name="mapping")
    filters = {r: channels_at(r, size, width, fmaps) for r in _resolutions(size)}
    synthesis = _synthesis(filters, (number, latent_dim), channels)
    return keras.Model(inputs, synthesis(mapping(inputs)), name="generator")


def discriminator(
    image_shape: tuple[int, int, int],
    width: int = 512,
    fmaps: float | None = None,
    num_classes: int = 0,
    condition: str = "none",
) -> keras.Model:
    """Judges pictures: image `[batch, size, size, channels]` in [-1, 1] (and label) -> logits `[batch]`.

    With `projection` the logit is the product of the features and what a mapping network makes of the label, as in
    the authors' code; other conditions: `models/networks/condition.py`. Raises `ValueError` as `generator`.
    """
    size, _ = square("StyleGAN2", image_shape, SIZES)
    filters = {r: channels_at(r, size, width, fmaps) for r in _resolutions(size)}
    inputs, x, label = discriminator_inputs(image_shape, num_classes, condition)
    x = EqualizedConv2D(filters[size], 1, name="from_image")(x)
    x = ScaledLeakyReLU(name="from_image_relu")(x)
    for resolution in reversed(filters):
        if resolution > 4:
            x = _halved(x, filters[resolution // 2], f"block_{resolution}")
    full = {"dtype": "float32"}  # bfloat16 has too few digits for what follows
    x = MinibatchStddev(**full, name="stddev_4")(x)
    x = EqualizedConv2D(filters[4], 3, **full, name="conv_4")(x)
    x = ScaledLeakyReLU(**full, name="conv_4_relu")(x)
    x = EqualizedDense(filters[4], **full, name="dense")(layers.Flatten(**full, name="flatten")(x))
    x = ScaledLeakyReLU(**full, name="dense_relu")(x)
    if condition != "projection":
        outputs = discriminator_head(x, label, num_classes, condition, EqualizedDense, initializer=NORMAL)
        return keras.Model(inputs, outputs, name="discriminator")
    x = EqualizedDense(filters[4], **full, name="judge")(x)
    mapped = _embedded(label, num_classes, filters[4], "label")
    for layer in _perceptron(filters[4], 8, "map_label"):
        mapped = layer(mapped)
    agreement = layers.Dot(axes=1, **full, name="projection")([x, mapped / math.sqrt(filters[4])])
    return keras.Model(inputs, layers.Reshape((), **full, name="logits")(agreement), name="discriminator")


def channels_at(resolution: int, size: int, width: int, fmaps: float | None = None) -> int:
    """Counts the channels of the layers of a resolution, in networks for pictures of `size` px.

    At most `width`, and with each doubling half as many from 64 `fmaps` px on: 32,768 `fmaps` / resolution for the
    authors' width of 512. Without `fmaps`, 1/2 below 512 px and 1 from there on, as their "auto".
    """
    if fmaps is None:
        fmaps = 1.0 if size >= 512 else 0.5
    return max(1, min(width, int(64 * fmaps * width / resolution)))


def _resolutions(size: int) -> list[int]:
    return [2**i for i in range(2, int(math.log2(size)) + 1)]


def _embedded(label: Tensor, num_classes: int, units: int, name: str) -> Tensor:
    """Embeds labels, int32 `[batch]`, or sentences' vectors, float32 `[batch, num_classes]`."""
    options = {"dtype": "float32", "name": f"{name}_embedding"}
    labels = label.dtype.startswith("int")
    embed = EqualizedEmbedding(num_classes, units, **options) if labels else EqualizedDense(units, **options)
    embedded = embed(label)
    return PixelNorm(dtype="float32", name=f"{name}_norm")(embedded)


def _perceptron(units: int, depth: int, name: str) -> list[layers.Layer]:
    """Makes the layers of a mapping network, to be applied one after the other."""
    made = []
    for i in range(depth):
        made += [
            EqualizedDense(units, slowness=SLOWNESS, dtype="float32", name=f"{name}_{i}"),
            ScaledLeakyReLU(dtype="float32", name=f"{name}_{i}_relu"),
        ]
    return made


def _synthesis(filters: dict[int, int], styles_shape: tuple[int, int], channels: int) -> keras.Model:
    """Paints: styles `[batch, *styles_shape]` -> image; `filters` are the channels by resolution, from 4 on.

    Layer i takes style i; a picture of a resolution ("toRGB") shares its style with the layer after it.
    """
    styles = keras.Input(styles_shape, name="styles")
    x, image, i = LearnedConstant(4, filters[4], name="constant")(styles[:, 0]), None, 0
    for resolution, count in filters.items():
        for name, up in (("up", True), ("conv", False)):
            if up and resolution == 4:
                continue
            x = ModulatedConv2D(count, upsample=up, name=f"{name}_{resolution}")(x, styles[:, i])
            x = NoiseInjection(name=f"{name}_{resolution}_noise")(x)
            x = ScaledLeakyReLU(name=f"{name}_{resolution}_relu")(x)
            i += 1
        painted = ModulatedConv2D(channels, 1, demodulate=False, name=f"to_image_{resolution}")(x, styles[:, i])
        if image is not None:
            image = SmoothUpsampling2D(dtype="float32", name=f"image_{resolution}_up")(image)
            painted = layers.Add(dtype="float32", name=f"image_{resolution}")([image, painted])
        image = painted
    image = Picture(dtype="float32", name="image")(image)
    return keras.Model(styles, image, name="synthesis")


def _halved(x: Tensor, filters: int, name: str) -> Tensor:
    """Halves: `[batch, n, n, c]` -> `[batch, n/2, n/2, filters]`, the sum of two paths divided by sqrt(2)."""
    direct = Blur2D(1, 2, name=f"{name}_direct_half")(x)
    direct = EqualizedConv2D(filters, 1, gain=0.5, use_bias=False, name=f"{name}_direct")(direct)
    x = EqualizedConv2D(x.shape[-1], 3, name=name)(x)
    x = ScaledLeakyReLU(name=f"{name}_relu")(x)
    x = Blur2D(2, name=f"{name}_blur")(x)
    x = EqualizedConv2D(filters, 3, strides=2, padding="valid", name=f"{name}_half")(x)
    x = layers.LeakyReLU(0.2, name=f"{name}_half_relu")(x)  # sqrt(2) / sqrt(2)
    return layers.Add(name=f"{name}_sum")([direct, x])
