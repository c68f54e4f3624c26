"""`method=nnst`: Neural Neighbor Style Transfer (Kolkin et al. 2022): as slow as Gatys, with whole strokes."""

import math
from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from core import color
from core.errors import GessoError
from core.files import expanded
from core.network_metadata import Metadata
from data import film, picture
from stylization import options
from stylization.method import Method, Paint

LARGEST = 1280  # px, longer side: every place is compared with every place of the style


def check(config: DictConfig, metadata: Metadata | None = None) -> None:
    """Raises `GessoError` for what cannot be painted."""
    options.check_paintings(config, options.WHOSE)
    options.check_init(config)
    options.check_drawn(config, "init")
    if config.tile is not None:
        raise GessoError("method=nnst compares all places with each other and paints no tiles. Leave tile= out.")
    if config.size is not None and config.size > LARGEST:
        raise GessoError(f"size={config.size}: method=nnst paints up to {LARGEST} px; method=gatys has no limit.")
    content = expanded(str(config.content))
    if content.is_file() and not film.is_film(content):
        check_sides(config, config.size or max(picture.sides(content)))


def check_sides(config: DictConfig, longest: int) -> None:
    """Raises `GessoError` where a picture of this longer side in px, or its styles, are too large to compare."""
    if longest > LARGEST:
        raise GessoError(f"{longest} px: method=nnst paints up to {LARGEST} px. Give size={LARGEST}.")
    scale = config.nnst.style_scale
    if longest * scale > LARGEST:
        most = f"nnst.style_scale={math.floor(100 * LARGEST / longest) / 100}"
        raise GessoError(f"nnst.style_scale={scale}: styles may have up to {LARGEST} px, here {most}.")


def painter(config: DictConfig, network: Path | None = None) -> Paint:
    """Makes what paints by `config.nnst`. Raises `GessoError` where files are missing or wrong."""
    from data.picture import MIN_SIDE, pad_to_min, scale_sides
    from models.networks import vgg
    from stylization import neural_neighbors
    from stylization.optimization import not_in_float16
    from stylization.progress import watched
    from stylization.resizing import resize_lanczos

    not_in_float16("nnst")
    begun = options.read_init(config)
    own, preserve = config.nnst, options.preserved(config)
    encoder = vgg.encoder(neural_neighbors.LAYERS, config.weights)
    paintings = [options.read_picture(file) for file in options.listed(config.style)]

    def paint(image: np.ndarray, before: np.ndarray | None) -> np.ndarray:
        nonlocal begun
        height, width = image.shape[:2]
        check_sides(config, max(height, width))
        least = max(MIN_SIDE, neural_neighbors.least_side(max(height, width)))
        side = max(height, width) * own.style_scale
        sized = (resize_lanczos(style, scale_sides(style.shape[:2], side)) for style in paintings)
        styles = [pad_to_min(style, least) for style in sized]
        styles = [color.prepared(style, image, preserve) for style in styles]
        steps = config.steps if before is None else max(1, config.steps // 4)
        content = pad_to_min(image, least)
        start, begun = begun if before is None else before, None  # a film's later shots begin as usual
        if start is not None:
            options.check_shape("init", start.shape[:2], image.shape[:2])
        init = None if start is None else pad_to_min(resize_lanczos(start, (height, width)), least)
        reached = None if start is None else max(start.shape)

        def finished(painted: np.ndarray) -> np.ndarray:
            return color.finished(image, painted[:height, :width], preserve)

        def optimize(report) -> np.ndarray:
            return neural_neighbors.optimize(
                content, styles, encoder, alpha=own.alpha, self_similarity=own.self_similarity, steps=steps,
                learning_rate=own.learning_rate, init=init, reached=reached, seed=config.seed, report=report,
            )  # fmt: skip

        total = neural_neighbors.total_steps(max(content.shape[:2]), steps, reached)
        return watched(optimize, content, total, finished)

    return paint


METHOD = Method(
    keys=("style", "preserve_color", "steps", "seed", "weights", "init", "save_every", "nnst"),
    check=check,
    build=painter,
)
