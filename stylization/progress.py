"""An optimisation that a person watches: a bar, curves in TensorBoard, and what is done if it is interrupted."""

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from core.run import Run
from stylization.method import Interrupted
from stylization.resizing import resize_lanczos

Report = Callable[[dict[str, float], np.ndarray], None]

# Given what makes the picture as it would be if this were the end, float32 `[height, width, 3]` in [-1, 1], of
# how many evaluations this is one, and the longer side of the level, in px; it may raise `KeyboardInterrupt`.
Watcher = Callable[[Callable[[], np.ndarray], int, int], None]
_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watching(watcher: Watcher | None) -> Iterator[None]:
    """Has `watcher`, or nobody, shown all that is optimised meanwhile, in this thread."""
    before = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(before)


@contextmanager
def changed(change: Callable[[np.ndarray], np.ndarray]) -> Iterator[None]:
    """Has watchers, and who catches `Interrupted`, get what `change` makes of what is optimised meanwhile."""
    watcher = _watcher.get()
    with watching(watcher and (lambda picture, *of: watcher(lambda: change(picture()), *of))):
        try:
            yield
        except Interrupted as interrupted:
            raise Interrupted(change(interrupted.painted), interrupted.side) from interrupted.__cause__


class Curves:
    """Losses and pictures of every `every`-th evaluation in a run directory, one picture's after the other's."""

    def __init__(self, run: Run, every: int):
        self.every = every
        self.writer = tf.summary.create_file_writer(str(run.tensorboard))
        self.evaluations = itertools.count(1)

    def __call__(self, terms: dict[str, float], image: np.ndarray) -> None:
        step = next(self.evaluations)
        if step % self.every:
            return
        with self.writer.as_default():
            for name, value in terms.items():
                tf.summary.scalar(f"losses/{name}", value, step=step)
            tf.summary.image("picture", (image[None] + 1) / 2, step=step)


def watched(
    optimize: Callable[[Report], np.ndarray],
    image: np.ndarray,
    total: int,
    finished: Callable[[np.ndarray], np.ndarray],
    curves: Curves | None = None,
) -> np.ndarray:
    """Returns what `optimize(report)` paints, `finished`; `report` is to be called at each of `total` evaluations.

    Ctrl-C, and what else ends the script, raise `Interrupted` with the best picture so far of the finest level
    reached, at the size of `image` and `finished`; where terms of other names are reported, by these alone. Before
    the first report it is what it was.
    """

    def whole(picture: np.ndarray) -> np.ndarray:
        return finished(np.clip(resize_lanczos(picture, image.shape[:2]), -1, 1))

    best, part, watcher = (math.inf, image), None, _watcher.get()
    with tqdm(total=total, unit="step", leave=False, disable=None) as bar:

        def report(terms: dict[str, float], picture: np.ndarray) -> None:
            nonlocal best, part
            loss, before, part = sum(terms.values()), part, (*terms, *picture.shape)
            if loss < best[0] or part != before:  # a finer level, and another loss, begin anew
                best = loss, picture
            bar.set_postfix(objective=f"{loss:.4g}", refresh=False)
            bar.update()
            if curves is not None:
                curves(terms, picture)
            if watcher is not None:
                watcher(lambda: whole(picture), total, max(picture.shape[:2]))

        try:
            return finished(optimize(report))
        except (KeyboardInterrupt, SystemExit) as error:
            if part is None:  # nothing has been painted
                raise
            raise Interrupted(whole(best[1]), max(best[1].shape[:2])) from error
