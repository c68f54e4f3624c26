"""Thumbnails of styles: one small landscape, in each manner that a network has learned."""

import numpy as np

from core.images import to_float, to_uint8
from data import paintings
from page.kept import kept
from page.networks import Network

SIDE = 160  # px
LANDSCAPE = (4, 5)  # fields below a blue sky, of the built-in paintings
KEPT = 16  # networks whose thumbnails are in memory

_kept: dict[tuple, list[tuple[np.ndarray, str]]] = {}


def known(network: Network) -> list[tuple[np.ndarray, str]] | None:
    """Returns the thumbnails of a network if they are painted, none of one without styles; else None."""
    if network.metadata.method != "fast" or len(network.metadata.styles) < 2:
        return []
    return _kept.get(_key(network))


def of(network: Network) -> list[tuple[np.ndarray, str]]:
    """Paints the landscape in each style of a stylizer that has learned several; returns them with their names."""
    if (there := known(network)) is not None:
        return there
    return kept(_kept, _key(network), lambda: _painted(network), KEPT)


def _painted(network: Network) -> list[tuple[np.ndarray, str]]:
    from core import hardware

    hardware.load_tensorflow()
    from models import trained
    from stylization.feedforward import Feedforward

    loaded, metadata = trained.load(network.path, "stylizer")
    run = Feedforward(loaded, metadata.geometry)
    image, names = to_float(paintings.paint(*LANDSCAPE, SIDE)), network.metadata.styles
    weights = np.eye(len(names), dtype=np.float32)
    return [(to_uint8(run(image, {"weights": own})), name) for own, name in zip(weights, names, strict=True)]


def _key(network: Network) -> tuple:
    return network.path, network.path.stat().st_mtime_ns
