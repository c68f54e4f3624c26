"""Pairs made from any pictures: grey ones to colour, holes to fill, small ones to enlarge, drawings to paint.

python train.py model=pix2pix dataset=colorize dataset.root=<folder>
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import GessoError
from data import image_folder
from data.masks import masks
from data.pipeline import Dataset

if TYPE_CHECKING:
    import tensorflow as tf

LUMINANCE = (0.299, 0.587, 0.114)  # of ITU-R BT.601, as in JPEG and Pillow
BLUR = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)  # a Gaussian of one pixel
SMOOTH, SLOPE = (1 / 4, 2 / 4, 1 / 4), (-1 / 2, 0, 1 / 2)  # Sobel's filter is the one across the other
DARKEST = 0.05  # share of the pixels that may be steeper than what is drawn as a line for certain
FAINTEST = 0.03  # what is less steep everywhere, as in a blank picture, gives no line


@dataclass(frozen=True, eq=False)
class Task:
    """Pairs of a picture, the target, and the source made from it; otherwise as `Dataset`.

    `source(images, seed, positions)` makes float32 [batch, *source_shape] from float32 [batch, height, width, 3]
    in [-1, 1] in TensorFlow; what is random in it depends on `seed` and on int64 [batch] `positions` alone.
    """

    pictures: Dataset
    source: Callable[["tf.Tensor", int, "tf.Tensor"], "tf.Tensor"]
    source_shape: tuple[int, int, int]
    task: str  # what made the sources, by the name of its YAML
    class_names: None = None
    keys: tuple[str, str] = ("source", "target")

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def name(self) -> str:
        return self.pictures.name

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.pictures.image_shape

    @property
    def skipped(self) -> tuple[str, ...]:
        return self.pictures.skipped

    def stream(self, batch_size: int, seed: int, start_step: int = 0) -> "tf.data.Dataset":
        """Endless batches: "source" [batch, *source_shape], "target" [batch, *image_shape], float32 in [-1, 1].

        As `Dataset.stream`: what a step gives depends on `seed` and its number alone.
        """
        import tensorflow as tf

        def pair(step: "tf.Tensor", batch: dict[str, "tf.Tensor"]) -> dict[str, "tf.Tensor"]:
            positions = step * batch_size + tf.range(batch_size, dtype=tf.int64)
            return {"source": self.source(batch["image"], seed, positions), "target": batch["image"]}

        steps = tf.data.Dataset.counter(start_step)
        stream = tf.data.Dataset.zip(steps, self.pictures.stream(batch_size, seed, start_step))
        return stream.map(pair, num_parallel_calls=4, deterministic=True).prefetch(4)

    def examples(self, num: int, seed: int = 0, start: int = 0) -> dict[str, np.ndarray]:
        """Under "source" and "target", float32 [num, ...] in [-1, 1]; otherwise as `Dataset`'s."""
        import tensorflow as tf

        images = self.pictures.examples(num, seed, start)["image"]
        with tf.device("CPU:0"):  # where the stream's are made: the same to the bit
            positions = start + tf.range(len(images), dtype=tf.int64)
            source = self.source(tf.constant(images), seed, positions)
        return {"source": source.numpy(), "target": images}


def colorize(images: "tf.Tensor") -> "tf.Tensor":
    """The luminance of float32 [batch, height, width, 3] in [-1, 1]: [batch, height, width, 1] in [-1, 1]."""
    import tensorflow as tf

    red, green, blue = (weight * images[..., i : i + 1] for i, weight in enumerate(LUMINANCE))
    return tf.clip_by_value(red + green + blue, -1.0, 1.0)  # of rounding: the weights sum to one


def inpaint(images: "tf.Tensor", holes: "tf.Tensor") -> "tf.Tensor":
    """Pictures with holes: float32 [batch, height, width, 4], of [.., 3] in [-1, 1] and `holes` [.., 1], 1 or 0.

    The first three channels are 0, a middle grey, in the holes; the fourth is `holes` (see `data.masks`).
    """
    import tensorflow as tf

    return tf.concat([images * (1.0 - holes), holes], axis=-1)


def reduce(images: "tf.Tensor", factor: int) -> "tf.Tensor":
    """`factor` times smaller: float32 [batch, height / factor, width / factor, channels], clipped to [-1, 1].

    Antialiased bicubic, as MATLAB's imresize, that super-resolution is compared by, and Pillow's. Raises
    `GessoError` if the sides are no multiples of `factor`.
    """
    import tensorflow as tf

    height, width = images.shape[1:3]
    if height % factor or width % factor:
        raise GessoError(
            f"Pictures of {width}x{height} px cannot be {factor} times smaller: it does not divide them."
        )
    small = tf.image.resize(images, (height // factor, width // factor), "bicubic", antialias=True)
    return tf.clip_by_value(small, -1.0, 1.0)


def edges(images: "tf.Tensor") -> "tf.Tensor":
    """A drawing of float32 [batch, height, width, 3] in [-1, 1]: [batch, height, width, 1], lines -1, paper 1.

    Lines are where the luminance, a little blurred, is steep (Sobel), compared with the rest of the picture.
    """
    import tensorflow as tf

    light = _filter(_filter(colorize(images), BLUR, 1), BLUR, 2)
    down = _filter(_filter(light, SLOPE, 1), SMOOTH, 2)
    right = _filter(_filter(light, SLOPE, 2), SMOOTH, 1)
    steep = tf.sqrt(down**2 + right**2)
    pixels = tf.reshape(steep, [-1, steep.shape[1] * steep.shape[2]])
    steepest = tf.math.top_k(pixels, max(1, int(DARKEST * pixels.shape[1]))).values[:, -1]
    relative = steep / tf.maximum(steepest, FAINTEST)[:, None, None, None]
    ink = tf.clip_by_value((relative - 0.3) / 0.5, 0.0, 1.0)
    return 1.0 - 2.0 * ink**2 * (3.0 - 2.0 * ink)  # a soft threshold


def _filter(images: "tf.Tensor", taps: tuple[float, ...], axis: int) -> "tf.Tensor":
    """Correlation along one axis, mirrored at the border. By sums, not convolutions: the same bits everywhere."""
    import tensorflow as tf

    reach, shape = len(taps) // 2, tf.shape(images)
    wider = tf.pad(images, [[reach, reach] if i == axis else [0, 0] for i in range(4)], "REFLECT")
    starts = [[shift if i == axis else 0 for i in range(4)] for shift in range(len(taps))]
    return tf.add_n([tap * tf.slice(wider, start, shape) for tap, start in zip(taps, starts, strict=True) if tap])


def load_colorize(**folder: Any) -> Task:
    """Grey pictures to colour; `folder` are the arguments of `image_folder.load`, which raises `GessoError`."""
    pictures = image_folder.load(**folder)
    height, width, _ = pictures.image_shape
    return Task(pictures, lambda images, seed, positions: colorize(images), (height, width, 1), "colorize")


def load_inpaint(**folder: Any) -> Task:
    """Pictures with holes (`data.masks`) to fill; `folder` as in `load_colorize`."""
    pictures = image_folder.load(**folder)
    height, width, _ = pictures.image_shape

    def source(images: "tf.Tensor", seed: int, positions: "tf.Tensor") -> "tf.Tensor":
        return inpaint(images, masks(seed, positions, height, width))

    return Task(pictures, source, (height, width, 4), "inpaint")


def load_super_resolution(image_size: int, factor: int, **folder: Any) -> Task:
    """Pictures to enlarge to `image_size`, `factor` times; `folder` as in `load_colorize`.

    Raises `GessoError` if `image_size` is no multiple of `factor`.
    """
    if isinstance(factor, bool) or not isinstance(factor, int) or factor < 2:
        raise GessoError(f"dataset.factor={factor}: must be a whole number, 2 or more.")
    image_folder.check(image_size, None)
    if image_size % factor:
        raise GessoError(f"image_size={image_size} is no multiple of dataset.factor={factor}.")
    pictures = image_folder.load(image_size=image_size, **folder)
    side = image_size // factor
    return Task(
        pictures, lambda images, seed, positions: reduce(images, factor), (side, side, 3), "super_resolution"
    )


def load_edges(**folder: Any) -> Task:
    """Drawings to paint; `folder` as in `load_colorize`."""
    pictures = image_folder.load(**folder)
    height, width, _ = pictures.image_shape
    return Task(pictures, lambda images, seed, positions: edges(images), (height, width, 1), "edges")
