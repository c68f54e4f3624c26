"""Thumbnails of styles: one small landscape, in each manner that a network has learned."""

import numpy as np

from core.images import to_float, to_uint8
from data import paintings
from page.networks import Network

SIDE = 160  # px
LANDSCAPE = (4, 5)  # fields below a blue sky, of the built-in paintings
KEPT = 16  # networks whose thumbnails are in memory

_kept: dict[tuple, list[tuple[np.ndarray, str]]] = {}


def of(network: Network) -> list[tuple[np.ndarray, str]]:
    """Paints the landscape in each style of a stylizer that has learned several; returns them with their names."""
    names = network.metadata.styles
    if network.metadata.method != "fast" or len(names) < 2:
        return []
    key = (network.path, network.path.stat().st_mtime_ns)
    if key not in _kept:
        from core import hardware

        hardware.load_tensorflow()
        from models import trained
        from stylization.feedforward import Feedforward

        loaded, metadata = trained.load(network.path, "stylizer")
        run = Feedforward(loaded, metadata.geometry)
        image = to_float(paintings.paint(*LANDSCAPE, SIDE))
        weights = np.eye(len(names), dtype=np.float32)
        _kept[key] = [
            (to_uint8(run(image, {"weights": own})), name) for own, name in zip(weights, names, strict=True)
        ]
        while len(_kept) > KEPT:
            del _kept[next(iter(_kept))]
    return _kept[key]
