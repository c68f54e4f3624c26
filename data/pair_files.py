"""Two pictures that belong together as one of six channels, which is cut, mirrored and cached as one."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from data.decode import TURNS, as_bytes, cut, loaded, orientation, plain, same_shape
from data.folder import PictureFile
from data.strips import converted

COPIES = 3  # of all pixels of a picture: converted, turned, and its halves


def side_by_side(path: str | Path, size: int, crop: str) -> np.ndarray:
    """The left and the right half of the picture in file `path`: uint8 [height, width, 6], 0 to 255.

    Each is cut and resized as `data.decode.decode` does it. Raises an `Exception` with a readable reason for
    anything that is not a whole picture of even width.
    """
    with loaded(path, shrinks=lambda sides: False, copies=COPIES) as (image,):
        image = _upright(image)
        width, height = image.size
        if width % 2:
            raise ValueError(f"is {width} px wide; two pictures side by side are an even number of pixels wide")
        middle = width // 2
        # Cut first: resizing would let each half see over the seam.
        halves = [image.crop((0, 0, middle, height)), image.crop((middle, 0, width, height))]
        return _stack(halves, size, crop)


def load_pair(path: str | Path, other: str | Path, size: int, crop: str) -> np.ndarray:
    """The pictures in two files, as `side_by_side`.

    They may differ in size, but not in shape: nobody knows which part of the one the other would show.
    """
    with loaded(path, other, shrinks=lambda sides: False, copies=COPIES) as both:
        images = [_upright(image) for image in both]
        if not same_shape(*(image.size for image in images)):
            shapes = " and ".join(f"{image.width}x{image.height}" for image in images)
            raise ValueError(f"the two pictures differ in shape: {shapes}")
        return _stack(images, size, crop)


def match(
    first: Sequence[PictureFile], second: Sequence[PictureFile]
) -> tuple[list[tuple[PictureFile, PictureFile]], list[PictureFile], list[PictureFile]]:
    """Those with the same path but for the suffix; and those of the first and of the second without partner.

    Of several files of one folder with the same path but for the suffix, the first has the partner.
    """
    partners: dict[str, PictureFile] = {}
    for picture in second:
        partners.setdefault(_stem(picture), picture)
    pairs, alone = [], []
    for picture in first:
        partner = partners.pop(_stem(picture), None)
        if partner is None:
            alone.append(picture)
        else:
            pairs.append((picture, partner))
    taken = {partner.path for _, partner in pairs}
    return pairs, alone, [picture for picture in second if picture.path not in taken]


def _stem(picture: PictureFile) -> str:
    return str(PurePosixPath(picture.path).with_suffix(""))


def _upright(image: Image.Image) -> Image.Image:
    turn, image = orientation(image), converted(image, plain(image, channels=3))
    return image.transpose(TURNS[turn]) if turn in TURNS else image


def _stack(images: Sequence[Image.Image], size: int, crop: str) -> np.ndarray:
    largest = max(images, key=lambda image: image.width)
    target, box = cut(largest.size, size, crop)
    parts = []
    for image in images:
        down, right = image.height / largest.height, image.width / largest.width
        part = (box[0] * right, box[1] * down, box[2] * right, box[3] * down)
        parts.append(as_bytes(image.resize(target, Image.Resampling.BICUBIC, part, reducing_gap=3.0), channels=3))
    return np.concatenate(parts, axis=-1)
