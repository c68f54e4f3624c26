"""Paints one picture, one film, or one file after another."""

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from tqdm import tqdm

from core.errors import GessoError
from core.files import unfinished
from core.images import state_of, to_float, to_uint8, to_uint16
from core.overrides import typed
from data import film, film_writer, picture, picture_writer
from data.motion import between
from stylization import options
from stylization.method import Interrupted, Paint
from stylization.progress import changed, watching
from stylization.resizing import resize_frame, resize_lanczos, resize_map
from stylization.temporal import stabilize

log = logging.getLogger(__name__)


def paint_all(
    jobs: Sequence[tuple[Path, Path]],
    paint: Paint,
    chunks: Mapping[str, str],
    size: int | None = None,
    temporal_consistency: float = 0.0,
    motion: str = "still",
    save_every: int | None = None,
    depth: int = 8,
) -> None:
    """Paints files, each content to its output, with `chunks` as provenance, pictures with `depth` bits a colour.

    The provenance also says which state of the content it was.

    Of films, what is kept from frame to frame is what stands still, or with `motion` flow also what moves.

    Whatever is wrong with one of several files does not stop the others: a `GessoError` at the end names it.
    """
    failures = []
    for content, output in tqdm(jobs, unit="file", disable=True if len(jobs) == 1 else None):
        try:
            noted = {**chunks, **state_of(content)}
            if film.is_film(content):
                paint_film(content, output, paint, noted, size, temporal_consistency, motion)
            else:
                paint_picture(content, output, paint, noted, size, save_every, depth)
            log.info("%s", output)
        except Interrupted as interrupted:
            raise interrupted.__cause__ or interrupted from None  # with the exit code that it has
        except Exception as error:
            if len(jobs) == 1:
                raise
            known = isinstance(error, GessoError)
            failures.append(str(error) if known else f"{content}: {type(error).__name__}: {error}".split("\n")[0])
            log.error("%s", failures[-1], exc_info=not known)
    if failures:
        raise GessoError(f"{len(failures)} of {len(jobs)} could not be painted:\n  " + "\n  ".join(failures))


def paint_picture(
    content: Path,
    output: Path,
    paint: Paint,
    chunks: Mapping[str, str],
    size: int | None = None,
    save_every: int | None = None,
    depth: int = 8,
) -> None:
    """Paints a picture, read and written with `depth` bits a colour, 8 or 16; transparency goes along.

    On Ctrl-C, and after each `save_every` evaluations of an optimisation, <name>.partial.png is what is done.
    """
    source = picture.read(content, size, depth)
    partial, evaluations = unfinished(output.with_suffix(".png")), itertools.count(1)
    rounded = to_uint16 if depth == 16 else to_uint8

    def keep(painted: np.ndarray, side: int) -> None:
        state = {**chunks, "State": "unfinished", options.LEVEL: f"{side} px"}
        picture_writer.write(partial, rounded(painted), state, like=source)

    def save(forming: Callable[[], np.ndarray], total: int, side: int) -> None:
        if next(evaluations) % save_every == 0:
            keep(forming(), side)

    try:
        with nullcontext() if save_every is None else watching(save):
            painted = checked(paint(to_float(source.pixels), None), content)
    except Interrupted as interrupted:  # minutes of work
        keep(interrupted.painted, interrupted.side)
        both = f"{typed('content', content)} {typed('init', partial)}"
        log.info("As far as it came: %s. The same command with %s goes on there.", partial, both)
        raise
    picture_writer.write(output, rounded(painted), chunks, like=source)
    if save_every is not None:
        partial.unlink(missing_ok=True)


def paint_film(
    content: Path,
    output: Path,
    paint: Paint,
    chunks: Mapping[str, str],
    size: int | None = None,
    temporal_consistency: float = 0.0,
    motion: str = "still",
) -> None:
    """Paints a film frame by frame; its sound and its frames' times stay as they are."""
    source = film.open(content)

    def frames(decoded: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        bar = tqdm(decoded, total=source.frames, unit="frame", desc=content.name, disable=None)
        sized = (resize_frame(frame, size) for frame in bar)
        for frame in stabilize(sized, paint, temporal_consistency, between if motion == "flow" else None):
            yield to_uint8(checked(frame, content))

    film_writer.write(content, output, frames, chunks)


def within(region: np.ndarray, paint: Paint) -> Paint:
    """Paints where `region`, float32 `[height, width]` in 0..1, is 1, and less as it is less.

    Raises `GessoError` for pictures of another shape.
    """

    def part(image: np.ndarray, before: np.ndarray | None) -> np.ndarray:
        options.check_shape("region", region.shape, image.shape[:2])

        def blend(painted: np.ndarray) -> np.ndarray:
            whole = resize_lanczos(image, painted.shape[:2])  # of super-resolution, larger
            return whole + resize_map(region, painted.shape[:2])[..., None] * (painted - whole)

        with changed(blend):
            return blend(paint(image, before))

    return part


def checked(painted: np.ndarray, content: Path) -> np.ndarray:
    """Returns `painted` itself. Raises `GessoError` if it is no picture."""
    if not np.isfinite(painted).all():
        raise GessoError(f"{content}: what was painted is not a number in places. Try precision=float32.")
    return painted
