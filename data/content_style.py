"""Two folders, of contents and of styles, for networks that paint any picture in the manner of any other.

python train.py model=adain dataset.root=<photos> dataset.style_root=<paintings>
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data import image_folder
from data.pipeline import Dataset
from training.errors import GessoError

if TYPE_CHECKING:
    import tensorflow as tf

APART = 2**31  # between the seeds of the two: neither order says anything about the other


@dataclass(frozen=True, eq=False)
class ContentStyle:
    """Contents and styles of one size, drawn independently of each other; otherwise as `Dataset`."""

    contents: Dataset
    styles: Dataset
    class_names: None = None

    def __len__(self) -> int:
        return min(len(self.contents), len(self.styles))

    @property
    def name(self) -> str:
        return f"{self.contents.name} and {self.styles.name}"

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.contents.image_shape

    @property
    def skipped(self) -> tuple[str, ...]:
        return self.contents.skipped + self.styles.skipped

    def stream(self, batch_size: int, seed: int, start_step: int = 0) -> "tf.data.Dataset":
        """Endless batches: "content" and "style", float32 `[batch, height, width, channels]` in [-1, 1].

        As `Dataset.stream`: what a step gives depends on `seed` and its number alone.
        """
        import tensorflow as tf

        contents = self.contents.stream(batch_size, seed, start_step)
        styles = self.styles.stream(batch_size, seed + APART, start_step)
        pairs = tf.data.Dataset.zip(contents, styles)
        return pairs.map(lambda content, style: {"content": content["image"], "style": style["image"]})

    def examples(self, num: int, seed: int = 0) -> dict[str, np.ndarray]:
        """Under "content" and "style", float32 `[num, height, width, channels]` in [-1, 1]: drawn at random."""
        num = min(num, len(self))
        pairs = {"content": self.contents, "style": self.styles}
        return {name: part.examples(num, seed)["image"] for name, part in pairs.items()}


def load(
    root: str | None,
    style_root: str | None,
    image_size: int,
    cache_dir: str,
    crop: str = "random",
    flip: bool = True,
    limit: int | None = None,
) -> ContentStyle:
    """All pictures under two folders, as `image_folder.load` reads them. Raises `GessoError` as it does."""
    if root is None or style_root is None:
        raise GessoError(
            "This data set is two folders: dataset.root=<contents, such as photos> and "
            "dataset.style_root=<styles, such as paintings>."
        )
    read = (image_folder.load(folder, image_size, cache_dir, crop, flip, limit) for folder in (root, style_root))
    return ContentStyle(*read)
