"""Evaluation of stylized pictures beside their contents and style: what was kept, what was taken on."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from omegaconf import DictConfig, ListConfig

from core import hardware
from core.errors import GessoError
from core.images import to_float
from data import picture
from evaluation import pairs
from metrics import perceptual_distance, style
from metrics.features import in_float32
from metrics.fid import Moments, fid
from models.networks import vgg
from models.perceptual import CONTENT_LAYERS, STYLE_LAYERS, STYLE_WEIGHT

LAYERS = {  # of content, of style
    "gatys": (CONTENT_LAYERS, STYLE_LAYERS),  # what style transfer minimises by default
    "johnson": (("block3_conv3",), ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3")),  # 1603.08155
}
DEEP = "block5_conv1"  # its places are what the two sets of ArtFID's form consist of
SMALLEST = 32  # px of the longer side: a style of two places there


class Judge:
    """Compares pictures with contents and styles on one pass of VGG16; `weights` as `models.networks.vgg.encoder`.

    `layers` are those of content and of style, one of `LAYERS`; below, gatys's are named.
    Called with a picture and its content, float32 `[height, width, 3]` in [-1, 1], of one size. Distances are means
    over styles. Results, all better for being less:

    - objective: what style transfer minimises by default (`models.perceptual`), `content_distance` + 30 times
      `style_distance`
    - content_distance: mean squared difference at block4_conv2
    - style_distance: sum over block1..5_conv1 of the Gram matrices' mean squared difference
    - perceptual_distance: LPIPS's form, without its weights, to the content
    - color_mean, color_spread: of Lab colours, to the style
    """

    def __init__(self, styles: Sequence[np.ndarray], weights: str | Path | None = None, layers: str = "gatys"):
        (self.content_layer,), self.style_layers = LAYERS[layers]
        names = [*dict.fromkeys([self.content_layer, *self.style_layers, *perceptual_distance.LAYERS, DEEP])]
        self.encoder = in_float32(lambda: vgg.encoder(names, weights))
        self.styles = styles
        self.style_features = [self._features(image) for image in styles]

    def __call__(self, image: np.ndarray, content: np.ndarray) -> dict[str, float]:
        image, content = (picture.pad_to_min(x, picture.MIN_SIDE) for x in (image, content))
        found, target = self._features(image), self._features(content)
        colors = np.mean([style.color_moments(image, painting) for painting in self.styles], axis=0)
        kept = float(style.content_distance(found[self.content_layer], target[self.content_layer])[0])
        taken = float(np.mean([self._style(found, other) for other in self.style_features]))
        return {
            "objective": kept + STYLE_WEIGHT * taken,
            "content_distance": kept,
            "style_distance": taken,
            "perceptual_distance": float(
                perceptual_distance.perceptual_distance(self.encoder, image[None], content[None])[0]
            ),
            "color_mean": float(colors[0]),
            "color_spread": float(colors[1]),
        }

    def deep(self, images: Iterable[np.ndarray]) -> Moments:
        """Computes the moments of all places of all `images` at a deep layer."""
        moments = Moments(512)
        for image in images:
            moments.update(self._features(image)[DEEP].reshape(-1, 512))
        return moments

    def artfid(self, distance: float, images: Iterable[np.ndarray]) -> float:
        """Computes ArtFID's form of a mean perceptual `distance` and a Fréchet distance of places at block5_conv1.

        The features are divided by the styles' standard deviation.
        """
        styles, found = self.deep(self.styles), self.deep(images)
        scale = np.sqrt(np.trace(styles.covariance) / 512) or 1.0
        for moments in (styles, found):
            moments.mean, moments.scatter = moments.mean / scale, moments.scatter / scale**2
        return style.artfid(distance, fid(found, styles))

    def _style(self, found: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> float:
        return sum(float(style.gram_distance(found[name], other[name])[0]) for name in self.style_layers)

    def _features(self, image: np.ndarray) -> dict[str, np.ndarray]:
        image = picture.pad_to_min(np.asarray(image, np.float32), picture.MIN_SIDE)
        with hardware.full_float32():
            found = self.encoder(image[None], training=False)
            return {name: np.asarray(values) for name, values in found.items()}


def evaluate(config: DictConfig) -> tuple[dict, dict]:
    """Measures stylized pictures, and the untouched contents, which kept all and took nothing.

    Returns rows of numbers by name, and what they depend on. Raises `GessoError` for pictures that do not belong
    together.
    """
    paths = list(config.style) if isinstance(config.style, ListConfig) else [config.style]
    files = pairs.match_folders(Path(config.images), Path(config.content))[: config.num]

    def read() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for one, other in files:
            image = picture.read(one).pixels
            content = picture.read(other, max(image.shape)).pixels
            if content.shape != image.shape:
                raise GessoError(f"{one} and {other} differ in shape: they are not two of one picture.")
            yield to_float(image), to_float(content)

    size = max(picture.sides(files[0][0]))
    if size < SMALLEST:
        raise GessoError(f"{files[0][0]} has {size} px: what is judged must have {SMALLEST} at least.")
    judge = Judge([to_float(picture.read(path, size).pixels) for path in paths], config.weights, config.layers)
    rows = {}
    for name, place in ((str(config.images), 0), ("contents, untouched", 1)):
        found = [judge(pair[place], pair[1]) for pair in read()]
        rows[name] = {key: float(np.mean([values[key] for values in found])) for key in found[0]}
        rows[name]["artfid_form"] = judge.artfid(
            rows[name]["perceptual_distance"], (pair[place] for pair in read())
        )
    style = [str(path) for path in paths]
    how = {"features": "VGG16", "weights": config.weights, "layers": config.layers, "heads": "none"}
    return rows, {"style": style, "style_size": size, "content": str(config.content), "num": len(files), **how}
