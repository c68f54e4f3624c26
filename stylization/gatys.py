"""Style transfer by optimisation (Gatys, Ecker & Bethge 2016, "Image Style Transfer Using CNNs", CVPR).

The picture itself is what is trained: it starts as the content and is changed until an encoder sees the content's
objects in it and the style's textures. No training beforehand, any content, any style.
"""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from core.errors import GessoError
from data.picture import MIN_SIDE, pad_to_min, scale_sides
from models.networks import vgg
from models.perceptual import Features, Perceptual
from stylization.tiling import TILE, tiles

Tensor = tf.Tensor
Evaluation = Callable[[np.ndarray], tuple[float, np.ndarray]]
Report = Callable[[dict[str, float], np.ndarray], None]

MARGIN = 128  # px: the deepest layer of VGG19 sees 118 to each side
STRIDE = 16  # px between the places of the deepest layers
FEWEST = 20  # evaluations at a level


@dataclass(frozen=True)
class Style:
    """A picture float32 `[height, width, 3]` in [-1, 1], its weight beside other styles', and its regions.

    `masks`, float32 `[regions, height, width]` in 0..1: what of it each region of the content is to look like.
    """

    image: np.ndarray
    weight: float = 1.0
    masks: np.ndarray | None = None


def schedule(size: tuple[int, int], coarsest: int, steps: int) -> list[tuple[tuple[int, int], int]]:
    """Levels from coarse to fine: (height, width) and evaluations of the objective.

    `size` halved as long as its longer side stays at least `coarsest`, and its shorter one 16 px. The coarsest
    takes `steps`, each finer one half as many, but not fewer than 20.
    """
    sizes = [size]
    while max(sizes[0]) >= 2 * coarsest and min(sizes[0]) >= 2 * MIN_SIDE:
        sizes.insert(0, tuple(max(1, round(side / 2)) for side in sizes[0]))
    return [(size, max(steps // 2**level, min(steps, FEWEST))) for level, size in enumerate(sizes)]


def optimize(
    content: np.ndarray,
    styles: Sequence[Style],
    objective: Perceptual,
    masks: np.ndarray | None = None,
    strength: float = 1.0,
    style_scale: float = 1.0,
    optimizer: str = "lbfgs",
    learning_rate: float = 0.05,
    steps: int = 200,
    coarsest: int = 256,
    init: str | np.ndarray = "content",
    seed: int = 0,
    tile: int | None = None,
    lbfgs_pixels: int = 2_000_000,
    report: Report | None = None,
) -> np.ndarray:
    """The picture float32 `[height, width, 3]` in [-1, 1] that minimises the objective, from coarse to fine.

    Coarse levels make the large forms cheaply; each finer one starts from the one before, and has only the finer
    strokes to add.

    Args:
        content: `[height, width, 3]` in [-1, 1].
        styles: their Gram matrices are averaged by weight, which has the gradient of the average of their losses.
        masks: float32 `[regions, height, width]` of the content; each takes the styles' masks of that number.
        strength: of style beside content; 1 as the objective has it.
        style_scale: longer side of the style pictures over the content's; larger, larger strokes.
        optimizer: "lbfgs" (scipy's L-BFGS-B; keeping pixels within [-1, 1] halves the steps that it takes), or
            "adam" with `learning_rate`, which levels of more than `lbfgs_pixels` take anyway: L-BFGS keeps 25
            pictures in float64.
        steps: evaluations at the coarsest level; `schedule`.
        init: "content", "noise" with `seed`, or a picture to start from.
        tile: larger pictures are worked on in squares of so many px, with the same result; None: what 4 GB
            hold.
        report: called after each evaluation with the terms of the objective and the picture as it was.

    Raises `GessoError` if the objective becomes NaN.
    """

    def checked(problem: _Problem, image: np.ndarray) -> tuple[float, np.ndarray]:
        terms, gradient = problem(image)
        if not math.isfinite(sum(terms.values())) or not np.isfinite(gradient).all():
            raise GessoError("The objective is NaN or infinite. Try precision=float32, or gatys.optimizer=adam.")
        if report is not None:
            report(terms, image)
        return sum(terms.values()), gradient

    height, width = content.shape[:2]
    content = pad_to_min(content, MIN_SIDE)
    image = None
    for size, count in schedule(content.shape[:2], coarsest, steps):
        target = resize_lanczos(content, size)
        if image is not None:
            image = resize_lanczos(image, size)
        elif isinstance(init, np.ndarray):
            image = resize_lanczos(pad_to_min(init, MIN_SIDE), size)
        elif init == "noise":
            image = np.random.default_rng(seed).uniform(-1, 1, target.shape).astype(np.float32)
        else:
            image = target
        # A tile with its margins is to take no more memory than the largest picture that is not cut.
        side = tile or (TILE if math.prod(size) <= TILE**2 else TILE - 2 * MARGIN)
        problem = _Problem(objective, target, styles, masks, max(size) * style_scale, strength, side)
        image = np.clip(image, -1, 1)
        if optimizer == "lbfgs" and size[0] * size[1] <= lbfgs_pixels:
            image = _lbfgs(lambda x, problem=problem: checked(problem, x), image, count)
        else:
            image = _adam(lambda x, problem=problem: checked(problem, x), image, count, learning_rate)
    return image[:height, :width]


def resize_lanczos(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Float32 `[height, width, channels]` to another (height, width), smoothed where it shrinks."""
    if image.shape[:2] == tuple(size):
        return image
    return tf.image.resize(image, size, "lanczos3", antialias=True).numpy()


class _Problem:
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
        self.view = _View(objective, content.shape[:2], masks, tile)
        self.content = [objective.content(features) for features in self.view.features(content)]
        total = sum(style.weight for style in styles)
        self.style = dict.fromkeys(objective.style_layers, 0.0)
        for style in styles:
            image = pad_to_min(
                resize_lanczos(style.image, scale_sides(style.image.shape[:2], style_side)), MIN_SIDE
            )
            for name, gram in _View(objective, image.shape[:2], style.masks, tile).grams(image).items():
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


class _View:
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
@tf.function(reduce_retracing=True)
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


@tf.function(reduce_retracing=True)
def _encode(encoder: keras.Model, pixels: Tensor, core: Tensor | None) -> Features:
    return _cropped(encoder(pixels, training=False), core)


def _cropped(features: Features, core: Tensor | None) -> Features:
    if core is None:
        return features
    boxes = {name: tf.unstack(core // vgg.stride(name)) for name in features}
    return {name: features[name][:, top:bottom, left:right] for name, (top, bottom, left, right) in boxes.items()}


def _lbfgs(problem: Evaluation, image: np.ndarray, steps: int) -> np.ndarray:
    """The best picture of `steps` evaluations."""
    from scipy.optimize import Bounds, minimize

    best, done = (math.inf, image), 0

    def evaluate(flat: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal best, done
        if done == steps:
            raise _EnoughError
        here = flat.reshape(image.shape).astype(np.float32)
        loss, gradient = problem(here)
        best, done = min(best, (loss, here), key=lambda pair: pair[0]), done + 1
        return loss, gradient.astype(np.float64).ravel()

    with contextlib.suppress(_EnoughError):
        while done < steps:
            before = done
            minimize(
                evaluate, best[1].astype(np.float64).ravel(), jac=True, method="L-BFGS-B", bounds=Bounds(-1, 1),
                options={"maxcor": 10, "maxiter": steps, "maxfun": 2 * steps, "ftol": 0.0, "gtol": 0.0},
            )  # fmt: skip
            # A line search that fails, as rounding in bfloat16 may make it, is begun anew with no history.
            if done - before < 3:
                break
    return best[1]


class _EnoughError(Exception):
    pass


def _adam(problem: Evaluation, image: np.ndarray, steps: int, learning_rate: float) -> np.ndarray:
    """The last picture of `steps` updates, of which the first is made from `image`; pixels stay in [-1, 1]."""
    variable = keras.Variable(image, dtype="float32")
    optimizer = keras.optimizers.Adam(learning_rate)
    optimizer.build([variable])
    for _ in range(steps):
        _, gradient = problem(variable.numpy())
        optimizer.apply([tf.constant(gradient)], [variable])
        variable.assign(keras.ops.clip(variable, -1, 1))
    return variable.numpy()
