"""What several methods take from a configuration: files, weights of styles, and the checks of these."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, ListConfig
from PIL import Image, ImageChops

from core import network_file
from core.errors import GessoError, did_you_mean, nearest
from core.files import expanded, in_utf8
from core.images import to_float
from data import film, picture, provenance
from data.decode import same_shape

LEVEL = "Level"  # what an unfinished picture says of the size that it has been painted at
SMALL = 1024  # px that any level may have: small pictures are painted a little larger than they are
WHOSE = (
    "style= says in whose manner: a painting, or several, 'style=[a.jpg,b.jpg]'. Or, in seconds, by a network that "
    "comes with Gesso: network=styles style=great_wave."
)


def listed(value: Any) -> list[str]:
    """Returns the files that a key names: one, several, or none."""
    if value is None:
        return []
    return [str(file) for file in value] if isinstance(value, list | ListConfig) else [str(value)]


def preserved(config: DictConfig) -> str:
    """Returns what `preserve_color=` asks for: none, luminance (also by `true`) or histogram."""
    value = config.preserve_color
    return ("luminance" if value else "none") if isinstance(value, bool) else value


def style_weights(config: DictConfig) -> list[float] | None:
    """Returns the numbers of `style_weights=`; None if it is not given."""
    return None if config.style_weights is None else [float(weight) for weight in config.style_weights]


def check_style_weights(config: DictConfig, styles: int) -> None:
    """Raises `GessoError` if there are weights that do not fit so many styles."""
    weights = style_weights(config)
    if weights is not None and (len(weights) != styles or min(weights) < 0 or sum(weights) <= 0):
        given = config.style_weights
        raise GessoError(f"style_weights={given}: {styles} are needed, none negative, not all zero.")


def check_paintings(config: DictConfig, otherwise: str) -> None:
    """Raises `GessoError` where `style=` names no picture, saying `otherwise`, or one that there is not."""
    if not listed(config.style):
        raise GessoError(otherwise)
    for file in listed(config.style):
        if expanded(file).is_dir():
            raise GessoError(f"style={file} is a folder. Several paintings are blended by 'style=[a.jpg,b.jpg]'.")
        if not expanded(file).exists():
            raise GessoError(f"style={file}: there is no such file.{_meant(file)}")
        picture.sides(expanded(file))


def _meant(style: str) -> str:
    """A hint for who named a style that is no file."""
    if "," in style:
        return f" Several are 'style=[{style}]', quotes included."
    knows = {
        plain(known): f"network={name} style={known}"
        for name, metadata in reversed(network_file.of_the_zoo().items())
        for known in metadata.styles
    }
    near = nearest(plain(style), knows)
    return "" if near is None else f" A network paints so: {knows[near]}."


def blend(config: DictConfig, known: Sequence[str]) -> list[float] | None:
    """Returns how much of each style that a network has learned is asked for; None where it has learned one.

    By the names in `style=`, with `style_weights=` of these; else by `style_weights=` of all, or the first alone.
    Raises `GessoError` for a style that it does not know, and weights that do not fit.
    """
    named, weights = listed(config.style), style_weights(config)
    check_style_weights(config, len(named) or max(1, len(known)))
    for name in named:
        if plain(name) not in map(plain, known):
            others = did_you_mean(Path(name).stem, known)
            several = f" Several are 'style=[{name}]', quotes included." if "," in name else ""
            own = " In the manner of a painting of your own: network=any_style." if Path(name).suffix else ""
            raise GessoError(f"style={name}: this network has learned its own. {others}{several}{own}")
    if len(known) < 2:
        return None
    if not named:
        return weights or [1.0] + [0.0] * (len(known) - 1)
    asked = list(zip(map(plain, named), weights or [1.0] * len(named), strict=True))
    return [sum(weight for name, weight in asked if name == plain(style)) for style in known]


def plain(name: str) -> str:
    """Returns a name as it is compared with others: `Great Wave` is great_wave."""
    return in_utf8(name).casefold().replace(" ", "_").replace("-", "_")


def has_vgg(config: DictConfig) -> bool:
    """Says whether VGG's weights are here, given or in Keras's cache, or would have to be downloaded."""
    folder = expanded(os.environ.get("KERAS_HOME") or "~/.keras")
    file = f"{config.gatys.objective.network}_weights_tf_dim_ordering_tf_kernels_notop.h5"
    return config.weights is not None or (folder / "models" / file).is_file()


def check_init(config: DictConfig) -> None:
    """Raises `GessoError` for a picture to start from where there are several contents."""
    if config.init is not None and expanded(str(config.content)).is_dir():
        raise GessoError(f"init={config.init} starts one picture, or a film, and content= is a folder of them.")


def read_init(config: DictConfig) -> np.ndarray | None:
    """Reads the picture to start from, float32 `[height, width, 3]` in [-1, 1]; None where there is none.

    One that was left unfinished has the size of the level that it had come to, if the file says it: a PNG. A
    level above `SMALL` is no larger than the picture: what says that it is was not written by Gesso.
    """
    if config.init is None:
        return None
    file = expanded(str(config.init))
    said = re.search(rf"(?:^|; ){LEVEL}: (\d{{1,6}}) px(?:;|$)", provenance.chunks(file) or "", re.ASCII)
    level = int(said[1]) if said else 0
    return read_picture(str(file), level if said and 1 <= level <= max(SMALL, *picture.sides(file)) else None)


def check_blend(config: DictConfig, method: str) -> None:
    """Raises `GessoError` for a strength that a trained network cannot paint with."""
    if config.strength > 1:
        raise GessoError(f"strength={config.strength}: for method={method} it goes from 0 to 1.")


def read_picture(file: str, size: int | None = None) -> np.ndarray:
    """Reads float32 `[height, width, 3]` in [-1, 1]; with `size`, its longer side has so many px."""
    return to_float(picture.read(expanded(file), size).pixels)


def check_drawn(config: DictConfig, key: str) -> None:
    """Raises `GessoError` where `key` names what is no picture, or one of another shape than the one content."""
    if config[key] is None:
        return
    drawn, content = picture.sides(expanded(str(config[key]))), expanded(str(config.content))
    if content.is_file() and not film.is_film(content):
        check_shape(key, drawn, picture.sides(content))


def check_shape(key: str, drawn: Sequence[int], pictured: Sequence[int], what: str = "picture") -> None:
    """Raises `GessoError` where what `key` names, height and width, has another shape than a picture."""
    if not same_shape(drawn, pictured, rounding=2):  # px: a film's sides are even
        (rows, columns), (height, width) = drawn, pictured
        raise GessoError(f"{key}= is {columns}x{rows} px, and the {what} {width}x{height}: another shape.")


def read_masks(files: Sequence[str], key: str) -> np.ndarray | None:
    """Reads float32 `[regions, height, width]` in 0..1, all of the first one's size; None of no files.

    Raises `GessoError` where those that `key` names are not of one shape.
    """
    if not files:
        return None
    first, *others = [_mask(expanded(file)) for file in files]
    for other in others:
        check_shape(key, other.size[::-1], first.size[::-1], "first of them")
    return np.stack([np.asarray(mask.resize(first.size), np.float32) / 255 for mask in (first, *others)])


def _mask(file: Path) -> Image.Image:
    """Grey; what is transparent is out."""
    drawn = picture.read(file)
    mask = Image.fromarray(drawn.pixels).convert("L")
    if drawn.alpha is not None:
        mask = ImageChops.multiply(mask, Image.fromarray(drawn.alpha))
    return mask
