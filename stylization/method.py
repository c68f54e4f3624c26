"""What a method of stylization is: the keys that it uses, what it checks, and what it paints with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from core.network_metadata import Metadata

# A picture float32 `[height, width, 3]` in [-1, 1], of any size -> the same, painted. The second argument is for
# films: the frame before as it was painted, or None.
Paint = Callable[[np.ndarray, np.ndarray | None], np.ndarray]


@dataclass(frozen=True)
class Method:
    """One way to paint; `stylization.methods` lists them all.

    Attributes:
        keys: those of the command line, beside what every method uses, that it has a use for. Whoever gives another
            method's expects something of it, and is told that nothing comes of it.
        check: raises `GessoError` for a configuration that cannot be painted, with the network's metadata if it has
            one; before TensorFlow is imported.
        build: makes what paints of a configuration, and of the file of its network if it has one.
        trained_by: the `model=` of `train.py` that trains its networks; None: it needs none.
    """

    keys: tuple[str, ...]
    check: Callable[[DictConfig, Metadata | None], None]
    build: Callable[[DictConfig, Path | None], Paint]
    trained_by: str | None = None


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, or another end that is its cause, in the middle of a picture.

    `painted` is as far as it came, enlarged from a longer side of `side` px, that of the level it was at.
    """

    def __init__(self, painted: np.ndarray, side: int):
        super().__init__()
        self.painted, self.side = painted, side
