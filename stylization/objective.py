"""The objective of one level of Gatys's optimisation, and its gradient, tile by tile."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from data.picture import MIN_SIDE, pad_to_min, scale_sides
from models.networks import vgg
from models.perceptual import Features, Perceptual
from stylization.resizing import resize_lanczos
from stylization.tiling import tiles

Tensor = tf.Tensor

MARGIN = 128  # px: the deepest layer of VGG19 sees 118 to each side
STRIDE = 16  # px between the places of the deepest layers


@dataclass(frozen=True)
class Style:
    """A picture float32 `[height, width, 3]` in [-1, 1], its weight beside other styles', and its regions.

    `masks`, float32 `[regions, height, width]` in 0..1: what of it each region of the content is to look like.
    """

    image: np.ndarray
    weight: float = 1.0
    masks: np.ndarray | None = None


class Problem:
    """The objective of one level: `__call__(image)` gives its terms, and the gradient of their sum."""

    def __init__(
        self,
        objective: Perceptual,
        content: np.ndarray,
        styles: Sequence[Style],
        masks: np.ndarray | None,
        style_side: float,
        strength: float,
        tile: int,
    ):
        self.objective = objective
        self.strength = tf.constant(strength, tf.float32)
        self.view = View(objective, content.shape[:2], masks, tile)
        self.content = [objective.content(features) for features in self.view.features(content)]
        total = sum(style.weight for style in styles)
        self.style = dict.fromkeys(objective.style_layers, 0.0)
        for style in styles:
            image = pad_to_min(
                resize_lanczos(style.image, scale_sides(style.image.shape[:2], style_side)), MIN_SIDE
            )
            for name, gram in View(objective, image.shape[:2], style.masks, tile).grams(image).items():
                self.style[name] += style.weight / total * gram

    def __call__(self, image: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
        view = self.view
        # Tiles give what the whole picture would: the Gram matrices of all are added up first, and each tile's
        # gradient is then taken with its own part of them, the others' being constant.
        grams = view.grams(image) if len(view.tiles) > 1 else None
        terms, gradient = {"content": 0.0, "style": 0.0}, np.zeros_like(image)
        for i, tile in enumerate(view.tiles):
            content, style, part = _evaluate(
                self.objective, *view.cut(image, i), self.content[i], self.style, grams, view.masks[i],
                view.shares[i], self.strength,
            )  # fmt: skip
            top, bottom, left, right = tile.outer
            gradient[top:bottom, left:right] += part.numpy()[0]
            terms = {"content": terms["content"] + float(content), "style": float(style)}
        if self.objective.smoothness:
            pixels = tf.constant(image[None])
            with tf.GradientTape() as tape:
                tape.watch(pixels)
                loss = self.objective.smoothness_loss(pixels)
            gradient += tape.gradient(loss, pixels).numpy()[0]
            terms["smoothness"] = float(loss)
        return terms, gradient


class View:
    """How the encoder sees pictures of one size: tile by tile, each with its masks and its shares of the whole."""

    def __init__(self, objective: Perceptual, size: tuple[int, int], masks: np.ndarray | None, side: int):
        self.objective = objective
        self.tiles = tiles(size, side, MARGIN, STRIDE)
        self.masks: list[Features | None] = []
        self.shares: list[Features] = []
        whole = {}
        for name in objective.style_layers:
            places = [max(1, length // vgg.stride(name)) for length in size]
            ones = np.ones((1, *places, 1), np.float32)
            whole[name] = ones if masks is None else tf.image.resize(masks[..., None], places, "area").numpy()
        for tile in self.tiles:
            top, bottom, left, right = tile.core
            shares = {"content": (bottom - top) * (right - left) / (size[0] * size[1])}
            parts = {}
            for name, mask in whole.items():
                top, bottom, left, right = (edge // vgg.stride(name) for edge in tile.core)
                parts[name] = mask[:, top:bottom, left:right]
                energy = [np.square(part).sum(axis=(1, 2)) for part in (parts[name], mask)]
                shares[name] = (energy[0] / np.maximum(energy[1], 1e-6))[..., None]
            self.shares.append({name: tf.constant(share, tf.float32) for name, share in shares.items()})
            self.masks.append(None if masks is None else {n: tf.constant(part) for n, part in parts.items()})

    def cut(self, image: np.ndarray, i: int) -> tuple[Tensor, Tensor | None]:
        """What the encoder is shown for tile i, `[1, height, width, 3]`, and the core's box in it if not all."""
        tile = self.tiles[i]
        top, bottom, left, right = tile.outer
        core = None if len(self.tiles) == 1 else tf.constant(tile.inside)
        return tf.constant(image[None, top:bottom, left:right]), core

    def features(self, image: np.ndarray) -> Iterator[Features]:
        """Activations of each tile's core."""
        for i in range(len(self.tiles)):
            yield _encode(self.objective.encoder, *self.cut(image, i))

    def grams(self, image: np.ndarray) -> Features:
        """Gram matrices of the whole picture."""
        sums = dict.fromkeys(self.objective.style_layers, 0.0)
        for features, masks, shares in zip(self.features(image), self.masks, self.shares, strict=True):
            for name, gram in self.objective.style(features, masks).items():
                sums[name] += shares[name] * gram
        return sums


# Functions of the module, not of a problem: traced once for all levels and all frames of a film.
@tf.function(reduce_retracing=True, autograph=False)
def _evaluate(
    objective: Perceptual,
    pixels: Tensor,
    core: Tensor | None,
    content: Features,
    target: Features,
    grams: Features | None,
    masks: Features | None,
    shares: Features,
    strength: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """A tile's part of the content loss, the style loss of the whole, and the gradient of their sum.

    `content` and `target` are what the two compare with; `grams` are the whole picture's if this is a part of it.
    """
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        features = _cropped(objective.encoder(pixels, training=False), core)
        style = objective.style(features, masks)
        if grams is not None:
            own = {name: shares[name] * gram for name, gram in style.items()}
            style = {name: grams[name] + gram - tf.stop_gradient(gram) for name, gram in own.items()}
        content_loss = shares["content"] * objective.content_loss(features, content)
        style_loss = strength * objective.style_loss(style, target)
        total = content_loss + style_loss
    return content_loss, style_loss, tape.gradient(total, pixels)


@tf.function(reduce_retracing=True, autograph=False)
def _encode(encoder: keras.Model, pixels: Tensor, core: Tensor | None) -> Features:
    return _cropped(encoder(pixels, training=False), core)


def _cropped(features: Features, core: Tensor | None) -> Features:
    if core is None:
        return features
    boxes = {name: tf.unstack(core // vgg.stride(name)) for name in features}
    return {name: features[name][:, top:bottom, left:right] for name, (top, bottom, left, right) in boxes.items()}
