"""Losses between pictures as a network sees them: of content, style and smoothness.

Pure functions of activations `[batch, height, width, channels]`, of any precision; sums over many values are
taken in float32 whatever comes in, as bfloat16 has three digits and a Gram matrix adds up a hundred thousand terms.
Which layers and which network give the activations is the caller's business (`models/networks/vgg.py`).
"""

import keras
from keras import ops

Tensor = keras.KerasTensor


def content_loss(features: Tensor, target: Tensor) -> Tensor:
    """Averages squared differences of activations `[batch, height, width, channels]` (Gatys et al. 2016)."""
    return ops.mean(ops.square(_float(features) - _float(target)))


def gram_matrix(features: Tensor, mask: Tensor | None = None) -> Tensor:
    """Computes which channels fire together, wherever they do: `[batch, channels, channels]`, float32.

    `F^T F / (height * width * channels)`, so that pictures of different sizes compare. With a `mask`, float
    `[1 or batch, height, width, 1]` in 0..1, only of the places that it covers (Gatys et al. 2017,
    arXiv:1611.07865): activations are multiplied by it, and the sum of its squares takes the place of the area.
    """
    batch, height, width, channels = ops.shape(features)
    features = _float(features)
    area = ops.cast(height * width, "float32")
    if mask is not None:
        features = features * mask
        area = ops.maximum(ops.sum(ops.square(mask), axis=(1, 2, 3)), 1e-6)[:, None, None]
    flat = ops.reshape(features, (batch, height * width, channels))
    return ops.matmul(ops.transpose(flat, (0, 2, 1)), flat) / (area * channels)


def gram_loss(gram: Tensor, target: Tensor) -> Tensor:
    """Computes the mean squared difference of Gram matrices: the style loss of Gatys et al. 2016, of one layer.

    With `gram_matrix`'s scale it is `sum((G - A)^2) / channels^4` for `G` a mean over places; the paper's is
    `channels^2 / 4` times that, which lets the deep layers, with their many channels, drown the others.
    """
    return ops.mean(ops.square(gram - target))


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Computes each channel's mean and deviation over all places: two of `[batch, 1, 1, channels]`, float32."""
    mean, variance = ops.moments(_float(features), axes=(1, 2), keepdims=True)
    return mean, ops.sqrt(variance + 1e-5)


def moments_loss(features: tuple[Tensor, Tensor], target: tuple[Tensor, Tensor]) -> Tensor:
    """Computes the mean squared differences of means and of deviations: AdaIN's style loss (arXiv:1703.06868)."""
    return sum(ops.mean(ops.square(a - b)) for a, b in zip(features, target, strict=True))


def strength(features: Tensor) -> Tensor:
    """Computes the mean square of activations: what losses of a layer are divided by, so that layers compare.

    VGG's blocks differ in scale: of distances in its own activations, block 1 has a hundredth. AdaIN's authors took
    a VGG whose channels were scaled to a mean of one. A target's, so that no gradient is asked for.
    """
    return ops.maximum(ops.mean(ops.square(_float(features))), 1e-6)


def adain(content: Tensor, style: tuple[Tensor, Tensor]) -> Tensor:
    """Gives `content` another's moments: adaptive instance normalisation (Huang & Belongie 2017, arXiv:1703.06868).

    `[batch, height, width, channels]` and the `moments` of a style's activations, `[1 or batch, 1, 1, channels]`.
    """
    mean, deviation = moments(content)
    return (_float(content) - mean) / deviation * style[1] + style[0]


def total_variation(images: Tensor) -> Tensor:
    """Averages squared differences of pixels from those below and to the right (Mahendran & Vedaldi 2015)."""
    images = _float(images)
    down = images[:, 1:] - images[:, :-1]
    right = images[:, :, 1:] - images[:, :, :-1]
    return ops.mean(ops.square(down)) + ops.mean(ops.square(right))


def _float(x: Tensor) -> Tensor:
    return ops.cast(x, "float32")
