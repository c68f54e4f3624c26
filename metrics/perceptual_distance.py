"""Perceptual distance of pairs of pictures on VGG16's activations (LPIPS, Zhang et al. 2018, arXiv:1801.03924).

At every place the activations are brought to length 1 over the channels, so that it counts what a network sees
there, not how strongly; squared differences, weighted per channel, are averaged over places and added up over
layers. The weights ("heads") of LPIPS are fitted to people's judgements. They belong to one network: the published
ones to the VGG16 of torchvision, whose weights are not those of Keras, so only on that network is it LPIPS in
numbers. Without heads it is the unweighted distance, to be reported as such.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from keras import ops

from core import hardware

SMALLEST = 16  # px: four times halved, one is left
LAYERS = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3")


def perceptual_distance(
    encoder: Callable,
    images_a: np.ndarray,
    images_b: np.ndarray,
    heads: Mapping[str, np.ndarray] | None = None,
    batch_size: int = 8,
) -> np.ndarray:
    """Compares pictures in [-1, 1], `[n, height, width, 3]` each: float64 `[n]`, 0 for copies.

    `encoder` is `models.networks.vgg.encoder(LAYERS)`, in float32; `heads` are weights `[channels]` by layer, all 1
    if None. Raises `ValueError` for pictures of two shapes, and for layers or weights that are missing.
    """
    if np.shape(images_a) != np.shape(images_b) or np.ndim(images_a) != 4:
        shapes = f"{np.shape(images_a)} with {np.shape(images_b)}"
        raise ValueError(f"Compare pictures of one shape [n, height, width, 3], not {shapes}.")
    found = [np.zeros(0)]
    for i in range(0, len(images_a), batch_size):
        a, b = images_a[i : i + batch_size], images_b[i : i + batch_size]
        with hardware.full_float32():
            pairs = encoder(np.concatenate([a, b]).astype(np.float32), training=False)
            pairs = {name: ops.convert_to_numpy(values) for name, values in pairs.items()}
        if missing := [name for name in LAYERS if name not in pairs]:
            raise ValueError(f"The encoder does not give {', '.join(missing)}.")
        total = sum(_layer(pairs[name], _weights(heads, name, pairs[name].shape[-1])) for name in LAYERS)
        found.append(np.asarray(ops.convert_to_numpy(total), np.float64))
    return np.concatenate(found)


def on_vgg16(
    weights: str | Path | None = None, heads: str | Path | None = None
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Compares uint8 pictures, `[n, height, width, 1 or 3]` each, by `perceptual_distance` on ImageNet's VGG16.

    `weights` as `models.networks.vgg.encoder` takes it, `heads` a file as `load_heads` does. `ValueError`
    for pictures of less than `SMALLEST` px.
    """
    from core.images import to_float
    from metrics.features import in_float32
    from models.networks import vgg

    encoder = in_float32(lambda: vgg.encoder(LAYERS, weights))
    loaded = None if heads is None else load_heads(heads)

    def measure(images: np.ndarray, references: np.ndarray) -> np.ndarray:
        if min(np.shape(images)[1:3]) < SMALLEST:
            raise ValueError(f"VGG16 sees pictures of {SMALLEST} px or larger, not {np.shape(images)[1:3]}.")
        pair = (to_float(np.repeat(x, 3, axis=-1) if x.shape[-1] == 1 else x) for x in (images, references))
        return perceptual_distance(encoder, *pair, heads=loaded)

    return measure


def load_heads(path: str | Path) -> dict[str, np.ndarray]:
    """Loads an `.npz` with an array `[channels]`, none negative, for each of `LAYERS`; `ValueError` for another.

    The published ones, `lpips/weights/v0.1/vgg.pth` of the authors' package, are `lin0.model.1.weight`
    `[1, channels, 1, 1]` to `lin4…`, in this order.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            heads = {name: np.asarray(arrays[name], np.float32).reshape(-1) for name in LAYERS if name in arrays}
    except (OSError, EOFError, BadZipFile, TypeError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as .npz: {error}") from error
    if len(heads) < len(LAYERS) or min(head.min() for head in heads.values()) < 0:
        raise ValueError(f"{path} does not hold weights, 0 or more, of {', '.join(LAYERS)}.")
    return heads


def _weights(heads: Mapping[str, np.ndarray] | None, name: str, channels: int) -> np.ndarray:
    if heads is None:
        return np.ones(channels, np.float32)
    if np.shape(heads.get(name)) != (channels,):
        raise ValueError(f"The head of {name} is {np.shape(heads.get(name))}, not ({channels},).")
    return np.asarray(heads[name], np.float32)


def _layer(pairs, weights: np.ndarray):
    """Compares activations `[2 n, height, width, channels]` of first and second pictures: `[n]`."""
    x = ops.cast(pairs, "float32")
    x = x / (ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True)) + 1e-10)
    a, b = ops.split(x, 2)
    return ops.mean(ops.sum(ops.square(a - b) * weights, axis=-1), axis=(1, 2))
