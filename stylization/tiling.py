"""Large pictures in tiles: each part is worked on with a margin of its surroundings, and only its core is kept."""

import itertools
import math
from dataclasses import dataclass

TILE = 1280  # px, side of the tiles of large pictures, unless asked otherwise

Box = tuple[int, int, int, int]  # top, bottom, left, right, in px


@dataclass(frozen=True)
class Tile:
    """Part of a picture: `outer` is what a network is shown, `core` what is kept of it."""

    outer: Box
    core: Box

    @property
    def inside(self) -> Box:
        """Where in `outer` the core lies."""
        top, left = self.outer[0], self.outer[2]
        return self.core[0] - top, self.core[1] - top, self.core[2] - left, self.core[3] - left


def tiles(size: tuple[int, int], side: int, margin: int, stride: int = 1) -> list[Tile]:
    """Cuts a picture of (height, width) into tiles whose cores cover it once.

    Args:
        side: of the largest core, in px, give or take a stride. A picture with no more pixels than a square of that
            side stays whole.
        margin: what tiles see beyond their cores; where it reaches as far as the network sees, no seam shows.
        stride: cores and margins start at multiples of it, so that a network that shrinks its picture by so much
            puts its cells where it would in the whole picture.
    """
    height, width = size
    if height * width <= side**2:
        return [Tile((0, height, 0, width), (0, height, 0, width))]
    margin = math.ceil(margin / stride) * stride
    return [
        Tile(
            (max(0, top - margin), min(height, bottom + margin), max(0, left - margin), min(width, right + margin)),
            (top, bottom, left, right),
        )
        for top, bottom in _parts(height, side, stride)
        for left, right in _parts(width, side, stride)
    ]


def _parts(length: int, side: int, stride: int) -> list[tuple[int, int]]:
    count = math.ceil(length / side)
    cuts = [round(length * i / count / stride) * stride for i in range(count)]
    return list(itertools.pairwise([*cuts, length]))
