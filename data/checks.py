"""Checks of values that several data sets take. All raise `GessoError`."""

import numpy as np

from core.errors import GessoError
from data.decode import CROPS


def check_options(image_size: int, limit: int | None, crop: str = "center") -> None:
    """Refuses values that no data set can have."""
    check_whole("image_size", image_size, "a whole number of pixels")
    if limit is not None:
        check_whole("dataset.limit", limit, "null or a number of pictures")
    if crop not in CROPS:
        raise GessoError(f"dataset.crop={crop}: must be one of {', '.join(CROPS)}.")


def check_whole(key: str, value: object, of: str, least: int = 1) -> None:
    """Refuses what is no whole number of at least `least`; `of` says what it counts: "a number of pictures"."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise GessoError(f"{key}={value}: must be {of}, {least} or more.")


def check_pictures(name: str, images: np.ndarray, labels: np.ndarray | None, classes: int) -> None:
    """Refuses pictures that are not uint8 `[n, height, width, channels]`, and labels that do not number `classes`.

    `images` may be a `Store`, which is always so.
    """
    kind = getattr(images, "dtype", np.uint8)
    if kind != np.uint8:
        raise GessoError(f"The pictures of the data set '{name}' are {kind}: they must be uint8, from 0 to 255.")
    if len(images.shape) != 4:
        raise GessoError(
            f"The pictures of the data set '{name}' are an array {tuple(images.shape)}: it must be "
            "[n, height, width, channels]."
        )
    if labels is None:
        return
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise GessoError(
            f"The labels of the data set '{name}' are {labels.dtype} {labels.shape}: they must be int32 "
            f"({len(images)},), a number for each picture."
        )
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise GessoError(
            f"The labels of the data set '{name}' are from {labels.min()} to {labels.max()}: it has {classes} "
            "class_names, which are numbered from 0."
        )


def check_batch(name: str, num: int, batch_size: int, worker: int, workers: int) -> None:
    """Refuses a batch that the data set `name`, of `num` pictures, cannot give its workers."""
    if not 1 <= batch_size <= num:
        raise GessoError(
            f"batch_size={batch_size}, but the data set '{name}' has {num} pictures: "
            f"a batch must be from 1 to {num}."
        )
    if not 0 <= worker < workers:
        raise GessoError(f"There is no worker {worker} of {workers}: they are numbered from 0.")
    if batch_size % workers:
        raise GessoError(
            f"batch_size={batch_size} is shared by {workers} workers, but is no multiple of {workers}. "
            f"Try batch_size={max(1, batch_size // workers) * workers}."
        )
