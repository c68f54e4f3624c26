"""The methods of style transfer as one kind of thing: a function from a picture to that picture, painted.

Pictures are float32 `[height, width, 3]` in [-1, 1], of any size. The second argument is for films: the frame
before as it was painted, or None.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from core import color
from core.errors import GessoError
from core.run import Run
from data import transforms
from data.decode import same_shape
from data.picture import MIN_SIDE, pad_to_min
from losses import perceptual
from models.networks import adain
from models.perceptual import Perceptual
from stylization import gatys
from stylization.feedforward import Feedforward
from stylization.gatys import resize_lanczos

Paint = Callable[[np.ndarray, np.ndarray | None], np.ndarray]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in the middle of a picture; `painted` is as far as it came."""

    def __init__(self, painted: np.ndarray):
        super().__init__()
        self.painted = painted


def optimization(
    objective: Perceptual,
    styles: Sequence[gatys.Style],
    preserve_color: str,
    steps: int,
    log_every: int | None = None,
    folder: Path = Path(),
    **options,
) -> Paint:
    """Gatys et al. 2016; `steps` and `options` as `gatys.optimize` takes them, with a progress bar.

    In a film, a frame starts from the one before and takes a quarter of the steps. With `log_every`, so many
    evaluations apart, losses and pictures go to TensorBoard in `folder`. Ctrl-C raises `Interrupted`.
    """
    writer = tf.summary.create_file_writer(str(Run(folder).tensorboard)) if log_every else None
    evaluations = itertools.count(1)  # of all pictures: one curve after the other

    def paint(image: np.ndarray, before: np.ndarray | None) -> np.ndarray:
        if options["strength"] == 0:
            return image
        used, how = styles, {"steps": steps, **options}
        if preserve_color == "histogram":
            used = [replace(style, image=color.match_colors(style.image, image)) for style in styles]
        if before is not None:
            how |= {"steps": max(1, steps // 4), "init": before, "coarsest": max(image.shape)}
        best = (math.inf, image)

        def finished(painted: np.ndarray) -> np.ndarray:
            return color.with_luminance(image, painted) if preserve_color == "luminance" else painted

        total = sum(count for _, count in gatys.schedule(image.shape[:2], how["coarsest"], how["steps"]))
        with tqdm(total=total, unit="step", leave=False, disable=None) as bar:

            def report(terms: dict[str, float], image: np.ndarray) -> None:
                nonlocal best
                loss = sum(terms.values())
                if loss < best[0] or image.shape != best[1].shape:  # a finer level begins anew
                    best = loss, image
                bar.set_postfix(objective=f"{loss:.4g}", refresh=False)
                bar.update()
                if writer is not None and (evaluation := next(evaluations)) % log_every == 0:
                    _log(writer, evaluation, terms, image)

            try:
                return finished(gatys.optimize(image, used, objective, report=report, **how))
            except KeyboardInterrupt as error:
                so_far = np.clip(resize_lanczos(best[1], image.shape[:2]), -1, 1)
                raise Interrupted(finished(so_far)) from error

    return paint


def _log(writer: tf.summary.SummaryWriter, step: int, terms: dict[str, float], image: np.ndarray) -> None:
    with writer.as_default():
        for name, value in terms.items():
            tf.summary.scalar(f"losses/{name}", value, step=step)
        tf.summary.image("picture", (image[None] + 1) / 2, step=step)


def fast(
    network: keras.Model, weights: Sequence[float] | None, preserve_color: str, strength: float, tile: int | None
) -> Paint:
    """A trained `transformer`; `weights` blend its styles. `strength` mixes what it paints with the content."""
    run = Feedforward(network, tile)
    conditions = {} if weights is None else {"weights": np.asarray(weights, np.float32) / np.sum(weights)}

    def paint(image: np.ndarray, before: np.ndarray | None) -> np.ndarray:
        painted = np.clip(run(image, conditions), -1, 1)
        if preserve_color == "histogram":
            painted = color.match_colors(painted, image)
        if preserve_color == "luminance":
            painted = color.with_luminance(image, painted)
        return image + np.float32(strength) * (painted - image)

    return paint


def arbitrary(
    network: keras.Model,
    styles: Sequence[np.ndarray],
    weights: Sequence[float] | None,
    preserve_color: str,
    strength: float,
    tile: int | None,
) -> Paint:
    """A trained `adain.stylizer`; of several styles, it paints the average of their moments by `weights`."""
    run = Feedforward(network, tile)
    encode = tf.function(adain.encoder(network), reduce_retracing=True)
    shares = np.ones(len(styles)) if weights is None else np.asarray(weights, float)

    def moments(images: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        images = [tf.constant(pad_to_min(image, MIN_SIDE)[None]) for image in images]
        found = [perceptual.moments(encode(image)[adain.BOTTLENECK]) for image in images]
        parts = zip(("mean", "deviation"), zip(*found, strict=True), strict=True)
        return {name: np.average([np.ravel(x) for x in part], 0, shares) for name, part in parts}

    known = moments(styles) if preserve_color != "histogram" else None

    def paint(image: np.ndarray, before: np.ndarray | None) -> np.ndarray:
        style = known or moments([color.match_colors(style, image) for style in styles])
        painted = run(image, {**style, "strength": np.array([strength])})
        return color.with_luminance(image, painted) if preserve_color == "luminance" else painted

    return paint


def translation(
    network: keras.Model, task: str | None, size: int | None, hole: np.ndarray | None, tile: int | None
) -> Paint:
    """A trained translator: `unet`, `transformer` or `srresnet`.

    `task` is what its sources were made by: None where pictures are sources as they are, else colorize, inpaint,
    edges or super_resolution (`data.tasks`). Inpainting fills `hole`, float32 `[height, width, 1]` of 0 and 1, and
    leaves the rest as it is; a hole of another shape than the picture raises `GessoError`. Super-resolution makes
    the picture larger. Colours are guessed at `size`, px of the shorter side, the pictures' that the network
    learned from, and laid over the picture's own light and dark.
    """
    run = Feedforward(network, tile)

    def paint(image: np.ndarray, before: np.ndarray | None) -> np.ndarray:
        source = tf.constant(image[None])
        if task == "inpaint":
            (rows, columns), (height, width) = hole.shape[:2], image.shape[:2]
            if not same_shape((rows, columns), (height, width)):
                raise GessoError(f"mask= is {columns}x{rows} px, and the picture {width}x{height}: another shape.")
            mask = resize_lanczos(hole, image.shape[:2]) > 0.5
            painted = run(transforms.inpaint(source, tf.constant(mask[None], tf.float32)).numpy()[0])
            return np.where(mask, painted, image)
        if task == "colorize":
            scale = min(1.0, (size or math.inf) / min(image.shape[:2]))
            small = resize_lanczos(image, tuple(round(scale * side) for side in image.shape[:2]))
            painted = run(transforms.colorize(tf.constant(small[None])).numpy()[0])
            return color.with_luminance(resize_lanczos(painted, image.shape[:2]), image)
        if task == "edges":
            source = transforms.edges(source)
        return np.clip(run(source.numpy()[0]), -1, 1)

    return paint
