"""Baselines: pictures that need no training, in rows beside those that do, say what the numbers mean."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter
from scipy.ndimage import distance_transform_edt, gaussian_filter

from core.color import with_luminance
from core.images import to_uint8

Make = Callable[[np.ndarray, np.ndarray], np.ndarray]  # sources, targets, float32 in [-1, 1] -> pictures, uint8
BLUR = 3.0  # px
SMOOTHINGS = 50  # by 2 px each: as far as 14 px together
BLURRED, MEAN_COLOR = f"reals, blurred by {BLUR:g} px", "reals, mean colour"


def baselines(task: str | None, same_size: bool, tint: np.ndarray | None = None) -> dict[str, Make]:
    """Lists by name what needs no training, and what a translator is to beat.

    `same_size`: sources have the shape of targets; `tint`: the mean colour of all targets, float32 `[3]`.
    """
    if task == "super_resolution":
        return {
            "sources, bicubic": lambda sources, targets: _each(resize_bicubic, to_uint8(sources), targets.shape[1:])
        }
    simple = {
        BLURRED: lambda sources, targets: _each(blur, to_uint8(targets)),
        MEAN_COLOR: lambda sources, targets: _each(mean_color, to_uint8(targets)),
    }
    if same_size:
        simple["sources, untouched"] = lambda sources, targets: to_uint8(sources)
    if task == "colorize":
        simple["sources, left grey"] = lambda sources, targets: to_uint8(np.repeat(sources, 3, axis=-1))
        simple["sources, in the mean tint"] = lambda sources, targets: to_uint8(
            with_luminance(np.broadcast_to(tint, targets.shape), np.repeat(sources, 3, axis=-1))
        )
    if task == "inpaint":
        simple["holes, smoothly filled"] = lambda sources, targets: np.stack(
            [fill_smoothly(to_uint8(source[..., :3]), source[..., 3]) for source in sources]
        )
    return simple


def _each(change: Callable[..., np.ndarray], images: np.ndarray, *options) -> np.ndarray:
    return np.stack([change(image, *options) for image in images])


def blur(image: np.ndarray) -> np.ndarray:
    """Blurs a picture, uint8 `[height, width, 1 or 3]`, by a Gaussian of `BLUR` px."""
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(BLUR))).reshape(image.shape)


def mean_color(image: np.ndarray) -> np.ndarray:
    """Fills a picture with its mean colour."""
    return np.broadcast_to(np.rint(image.mean(axis=(0, 1), keepdims=True)).astype(np.uint8), image.shape)


def fill_smoothly(image: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Fills a picture where `holes` `[height, width]` are 1.

    There it gets the colour of the nearest pixel seen, blurred with what is around.
    """
    seen = (holes < 0.5)[..., None]
    if not seen.any():
        return np.full_like(image, 128)
    _, (down, right) = distance_transform_edt(~seen[..., 0], return_indices=True)
    smooth = image[down, right].astype(np.float32)
    for _ in range(SMOOTHINGS):
        smooth = np.where(seen, image, gaussian_filter(smooth, (2, 2, 0)))
    return np.rint(smooth).astype(np.uint8)


def resize_bicubic(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Resizes a picture to the height and width of `shape`, bicubically."""
    return np.asarray(Image.fromarray(image).resize((shape[1], shape[0]), Image.Resampling.BICUBIC))
