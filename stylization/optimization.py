"""Style transfer by optimisation (Gatys, Ecker & Bethge 2016, "Image Style Transfer Using CNNs", CVPR).

The picture itself is what is trained: it starts as the content and is changed until an encoder sees the content's
objects in it and the style's textures. No training beforehand, any content, any style.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import keras
import numpy as np

from core import color
from core.errors import GessoError
from data.picture import MIN_SIDE, pad_to_min
from models.perceptual import Perceptual
from stylization.method import Paint
from stylization.objective import MARGIN, Problem, Style
from stylization.optimizers import adam, lbfgs
from stylization.options import check_shape
from stylization.progress import Curves, Report, watched
from stylization.resizing import resize_lanczos
from stylization.tiling import TILE

log = logging.getLogger(__name__)

FEWEST = 20  # evaluations at a level


def not_in_float16(method: str) -> None:
    """Has all that follows run in float32 where it was to run in float16, and says so."""
    if keras.config.dtype_policy().name == "mixed_float16":
        log.info("method=%s runs in float32: its gradients are none for float16.", method)
        keras.config.set_dtype_policy("float32")


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

    def checked(problem: Problem, image: np.ndarray) -> tuple[float, np.ndarray]:
        terms, gradient = problem(image)
        if not math.isfinite(sum(terms.values())) or not np.isfinite(gradient).all():
            other = ", or gatys.optimizer=adam" if optimizer == "lbfgs" else ", or a lower gatys.learning_rate"
            raise GessoError(f"The objective is NaN or infinite. Try precision=float32{other}.")
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
        problem = Problem(objective, target, styles, masks, max(size) * style_scale, strength, side)
        image = np.clip(image, -1, 1)
        if optimizer == "lbfgs" and size[0] * size[1] > lbfgs_pixels:
            log.info("%dx%d px are too many for L-BFGS, which keeps 25 pictures: Adam goes on.", size[1], size[0])
            optimizer = "adam"
        judge = partial(checked, problem)
        if optimizer == "lbfgs":
            image = lbfgs(judge, image, count)
        else:
            image = adam(judge, image, count, learning_rate)
    return image[:height, :width]


def painter(
    objective: Perceptual,
    styles: Sequence[Style],
    preserve_color: str,
    steps: int,
    curves: Curves | None = None,
    **options,
) -> Paint:
    """Makes what paints by Gatys et al. 2016; `steps` and `options` as `optimize` takes them, with a progress bar.

    In a film, a frame starts from the one before and takes a quarter of the steps. From a picture, `init`, start
    one picture, or a film's first frame: from the level of its size on, with the steps that the levels have anyway.
    Ctrl-C raises `Interrupted`. Masks, and a picture to start from, of another shape raise `GessoError`.
    """
    begun = options["init"] if isinstance(options.get("init"), np.ndarray) else None
    if begun is not None:
        options["init"] = "content"

    def paint(image: np.ndarray, before: np.ndarray | None) -> np.ndarray:
        nonlocal begun
        if options["strength"] == 0:
            return image
        if options.get("masks") is not None:
            check_shape("gatys.content_masks", options["masks"][0].shape, image.shape[:2])
        used = [replace(style, image=color.prepared(style.image, image, preserve_color)) for style in styles]
        how = {"steps": steps, **options}
        if before is not None:
            how |= {"steps": max(1, steps // 4), "init": before, "coarsest": max(image.shape)}
        elif begun is not None:  # its strokes are there already, as fine as it has them
            check_shape("init", begun.shape[:2], image.shape[:2])
            levels = schedule(image.shape[:2], how["coarsest"], steps)
            sizes = [max(size) for size, _ in levels]
            first = next((i for i, side in enumerate(sizes) if side >= max(begun.shape)), len(levels) - 1)
            coarsest = sizes[first] if first + 1 == len(levels) else sizes[first + 1] // 2  # makes it the first
            how |= {"init": begun, "coarsest": coarsest, "steps": levels[first][1]}
        begun = None  # a film's later shots begin as usual

        def finished(painted: np.ndarray) -> np.ndarray:
            return color.finished(image, painted[: image.shape[0], : image.shape[1]], preserve_color)

        total = sum(count for _, count in schedule(image.shape[:2], how["coarsest"], how["steps"]))
        run = partial(optimize, image, used, objective, **how)
        padded = pad_to_min(image, MIN_SIDE)
        return watched(lambda report: run(report=report), padded, total, finished, curves)

    return paint
