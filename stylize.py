"""Paints pictures, folders and films in the manner of a painting: `python stylize.py content=a.jpg style=b.jpg`."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from PIL import Image, ImageChops
from tqdm import tqdm

from core import images
from core.cli import main
from core.errors import GessoError
from core.files import unfinished
from core.images import to_float, to_uint8
from core.instantiate import build
from core.run import Run
from data import film, film_writer, picture
from models import trained
from stylization.arguments import check, find_contents, listed, outputs, refuse_unused

log = logging.getLogger(__name__)

FILES = ("content", "style", "model", "output", "weights", "mask")  # keys


@main("stylize", files=FILES, aliases={"model": "stylizer"})  # Hydra takes `model` for a group
def stylize(config: DictConfig) -> None:
    check(config)
    jobs = outputs(find_contents(config), config)

    from core import hardware  # TensorFlow takes seconds to import: not before all of this is right

    hardware.set_up(config)
    paint = make_painter(config)
    chunks = provenance(config)
    failures = []
    for content, output in tqdm(jobs, unit="file", disable=True if len(jobs) == 1 else None):
        try:
            (paint_film if film.is_film(content) else paint_picture)(content, output, paint, config, chunks)
            log.info("%s", output)
        except Exception as error:  # whatever is wrong with one file must not stop the others
            if len(jobs) == 1:
                raise
            known = isinstance(error, GessoError)
            failures.append(str(error) if known else f"{content}: {type(error).__name__}: {error}".split("\n")[0])
            log.error("%s", failures[-1], exc_info=not known)
    if failures:
        raise GessoError(f"{len(failures)} of {len(jobs)} could not be painted:\n  " + "\n  ".join(failures))


def provenance(config: DictConfig) -> dict[str, str]:
    """PNG text chunks: of a trained network those of its run, else this configuration."""
    if config.stylizer is None:
        return images.provenance("gatys", config, config.seed)
    return trained.provenance(trained.network_file(config.stylizer), config.seed)


def make_painter(config: DictConfig):
    """The `stylization.methods.Paint` of a configuration. Raises `GessoError` where files are missing or wrong."""
    from stylization import methods

    color, weights = config.preserve_color, config.style_weights and list(config.style_weights)
    if config.stylizer is None:
        refuse_unused(config, "gatys")
        return _optimization(config, weights)
    file = trained.network_file(config.stylizer)
    if config.method == "translate" or file.name.startswith("translator"):
        return _translation(config, file)
    network = trained.load_stylizer(file)
    kind = {"transformer": "fast", "adain": "adain"}[network.name]
    if config.method not in (None, kind):
        raise GessoError(f"method={config.method}, but {config.stylizer} is a network for method={kind}.")
    refuse_unused(config, kind)
    if config.strength > 1:
        raise GessoError(f"strength={config.strength}: for method={kind} it goes from 0 to 1.")
    if kind == "fast":
        styles = network.inputs[1].shape[-1] if len(network.inputs) > 1 else 1
        if styles > 1 and weights is None:
            weights = [1.0] + [0.0] * (styles - 1)
            log.info("This network knows %d styles and paints in the first; style_weights= blends them.", styles)
        _check_weights(weights, styles)
        return methods.fast(network, weights if styles > 1 else None, color, config.strength, config.tile)
    if not config.style:
        raise GessoError("This network paints in any manner: style=<painting> says in which.")
    images = [_read(file, config.style_size) for file in listed(config.style)]
    _check_weights(weights, len(images))
    return methods.arbitrary(network, images, weights, color, config.strength, config.tile)


def _optimization(config: DictConfig, weights: list[float] | None):
    import keras

    from stylization import gatys, methods

    if keras.config.dtype_policy().name == "mixed_float16":
        log.info("Optimisation runs in float32: its gradients are too large for float16.")
        keras.config.set_dtype_policy("float32")
    files, options = listed(config.style), config.gatys
    masks, style_masks = _masks(listed(options.content_masks)), _masks(listed(options.style_masks))
    if len(listed(options.content_masks)) != len(listed(options.style_masks)):
        raise GessoError("gatys.content_masks and gatys.style_masks are pairs: give as many of each.")
    _check_weights(weights, len(files))
    weights = weights or [1.0] * len(files)
    styles = [gatys.Style(_read(file), w, style_masks) for file, w in zip(files, weights, strict=True)]
    return methods.optimization(
        build(options.objective), styles, config.preserve_color, config.steps,
        log_every=options.log_every, folder=Path(HydraConfig.get().runtime.output_dir),
        masks=masks, strength=config.strength, style_scale=options.style_scale, optimizer=options.optimizer,
        learning_rate=options.learning_rate, coarsest=options.coarsest, init=options.init, seed=config.seed,
        tile=config.tile,
    )  # fmt: skip


def _translation(config: DictConfig, file: Path):
    from stylization import methods

    if config.method not in (None, "translate"):
        raise GessoError(f"method={config.method}, but {config.stylizer} is a network for method=translate.")
    refuse_unused(config, "translate")
    made = Run(file.parent).translation()
    task = made.get("task")
    if task == "inpaint" and config.mask is None:
        raise GessoError("This network fills holes: mask=<picture, white where the holes are>.")
    if task != "inpaint" and config.mask is not None:
        raise GessoError("mask= is for networks that fill holes; this one does not.")
    hole = None if config.mask is None else _masks([config.mask])[0][..., None]
    return methods.translation(trained.load_translator(file), task, made.get("image_size"), hole, config.tile)


def _masks(files: Sequence[str]) -> np.ndarray | None:
    """Float32 `[regions, height, width]` in 0..1, all of the first one's size."""
    if not files:
        return None
    first, *others = [_mask(Path(file).expanduser()) for file in files]
    return np.stack([np.asarray(mask.resize(first.size), np.float32) / 255 for mask in (first, *others)])


def _mask(file: Path) -> Image.Image:
    """Grey; what is transparent is out."""
    drawn = picture.read(file)
    mask = Image.fromarray(drawn.pixels).convert("L")
    if drawn.alpha is not None:
        mask = ImageChops.multiply(mask, Image.fromarray(drawn.alpha))
    return mask


def _read(file: str, size: int | None = None) -> np.ndarray:
    return to_float(picture.read(Path(file).expanduser(), size).pixels)


def _check_weights(weights: list[float] | None, styles: int) -> None:
    if weights is not None and (len(weights) != styles or min(weights) < 0 or sum(weights) <= 0):
        raise GessoError(f"style_weights={weights}: {styles} are needed, none negative, not all zero.")


def paint_picture(content: Path, output: Path, paint, config: DictConfig, chunks: dict[str, str]) -> None:
    """One picture; transparency and colour profile go along. On Ctrl-C, <name>.partial<suffix> is what is done."""
    source = picture.read(content, config.size)
    try:
        painted = checked(paint(to_float(source.pixels), None), content)
    except KeyboardInterrupt as interrupted:  # of minutes of work
        if (so_far := getattr(interrupted, "painted", None)) is not None:
            partial = unfinished(output)
            picture.write(partial, to_uint8(so_far), chunks, like=source)
            log.info("As far as it came: %s", partial)
        raise
    picture.write(output, to_uint8(painted), chunks, like=source)


def checked(painted: np.ndarray, content: Path) -> np.ndarray:
    """`painted` itself. Raises `GessoError` if it is no picture."""
    if not np.isfinite(painted).all():
        raise GessoError(f"{content}: what was painted is not a number in places. Try precision=float32.")
    return painted


def paint_film(content: Path, output: Path, paint, config: DictConfig, chunks: dict[str, str]) -> None:
    """One film, frame by frame; its sound and its frames' times stay as they are."""
    from stylization.temporal import stabilize

    source = film.open(content)

    def frames(decoded: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        bar = tqdm(decoded, total=source.frames, unit="frame", desc=content.name, disable=None)
        sized = (_scaled(frame, config.size) for frame in bar)
        for frame in stabilize(sized, paint, config.temporal_consistency):
            yield to_uint8(checked(frame, content))

    film_writer.write(content, output, frames, chunks)


def _scaled(frame: np.ndarray, size: int | None) -> np.ndarray:
    """A frame with its longer side of `size` px, and even sides, as most players want."""
    if size is None:
        return frame
    height, width = (max(2, round(side * size / max(frame.shape) / 2) * 2) for side in frame.shape[:2])
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS))


if __name__ == "__main__":
    stylize()
