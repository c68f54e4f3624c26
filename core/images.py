"""Pictures on disk: grids, strips and animations, each with its provenance."""

import hashlib
import io
import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from omegaconf import DictConfig, OmegaConf
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from core.files import atomic

STILL = 6.0  # levels of 255 by which a still place of a film may change: its camera's noise, and its coding


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Turns float images in [-1, 1] into uint8 in 0..255, of any shape; values beyond are clipped."""
    return _rounded(images, 127.5).astype(np.uint8)


def to_uint16(images: np.ndarray) -> np.ndarray:
    """Does as `to_uint8` with sixteen bits: uint16 in 0..65535."""
    return _rounded(images, 32767.5).astype(np.uint16)


def _rounded(images: np.ndarray, half: float) -> np.ndarray:
    """Scales [-1, 1] to whole numbers in 0..2 * `half`, in one array: pictures may take gigabytes."""
    values = np.asarray(images, np.float32) + np.float32(1)
    values *= np.float32(half)
    return np.clip(np.rint(values, out=values), 0, np.float32(2 * half), out=values)


def to_float(pixels: np.ndarray) -> np.ndarray:
    """Turns uint8 in 0..255, or uint16 in 0..65535, into float32 in [-1, 1], of any shape."""
    half = np.float32(32767.5 if pixels.dtype == np.uint16 else 127.5)
    return pixels.astype(np.float32) / half - np.float32(1.0)


def grid(images: np.ndarray, columns: int | None = None, gap: int = 2) -> np.ndarray:
    """Puts many pictures into one: uint8 `[num, height, width, channels]` -> `[rows * (height + gap) + gap, ...]`.

    Row by row, on white; as square as it can be unless `columns` is given.
    """
    num, height, width, channels = images.shape
    columns = min(num, columns or int(np.ceil(np.sqrt(num))))
    rows = -(-num // columns)
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, channels), 255, np.uint8)
    for i, image in enumerate(images):
        top, left = (i // columns) * (height + gap) + gap, (i % columns) * (width + gap) + gap
        sheet[top : top + height, left : left + width] = image
    return sheet


def grid_by_rows(images: np.ndarray, rows: int) -> np.ndarray:
    """Arranges images `[num, ...]` of so many classes, which they have in turn: a row each; of one, as `grid`."""
    if rows < 2:
        return grid(images)
    shown, columns = min(rows, len(images)), -(-len(images) // rows)
    sheet = np.full((shown * columns, *images.shape[1:]), 255, np.uint8)
    for i, image in enumerate(images):
        sheet[i % rows * columns + i // rows] = image
    return grid(sheet, columns)


def provenance(model: str, config: DictConfig | None, seed: int) -> dict[str, str]:
    """Returns PNG text chunks that say how a picture came to be: honesty about pictures is part of making them."""
    chunks = {
        "Software": software(),
        "Source": "Made by a neural network",
        "Model": model,
        "Seed": str(seed),
    }
    if config is not None:
        chunks["Config-SHA256"] = config_hash(config)
    return chunks


def provenance_text(chunks: Mapping[str, str]) -> str:
    """Writes the chunks into one line, for formats that hold no more."""
    return "; ".join(f"{key}: {value}" for key, value in chunks.items())


def state_of(path: Path) -> dict[str, str]:
    """Returns provenance by which a file that was changed, or replaced, is told from what it was: a hash."""
    found = path.stat()
    state = f"{found.st_size} {found.st_mtime_ns}"
    return {"Content-State": hashlib.sha256(state.encode()).hexdigest()[:16]}


def config_hash(config: DictConfig) -> str:
    """Names a composed configuration, resumed or not: the first 16 hexadecimal digits of its SHA-256."""
    values = {key: value for key, value in OmegaConf.to_container(config).items() if key != "resume"}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def save_png(path: str | Path, image: np.ndarray, chunks: Mapping[str, str]) -> None:
    """Writes uint8 `[height, width, 1 or 3]` with text chunks. Raises `GessoError` if it cannot be written."""
    info = PngInfo()
    for key, value in chunks.items():
        info.add_text(key, value)
    with atomic(path) as temporary:
        _pillow(image).save(temporary, pnginfo=info)


def save_gif(path: str | Path, frames: np.ndarray, chunks: Mapping[str, str], milliseconds: int = 50) -> None:
    """Writes uint8 `[frames, height, width, 1 or 3]` as an endless animation, provenance as its comment."""
    first, *others = [_pillow(frame) for frame in frames]
    comment = provenance_text(chunks)
    content = io.BytesIO()  # Pillow does not notice that a full disk took a part of what it writes to a file
    options = {"append_images": others, "duration": milliseconds, "loop": 0, "comment": comment}
    first.save(content, "GIF", save_all=True, **options)
    with atomic(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def _pillow(image: np.ndarray) -> Image.Image:
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def software() -> str:
    """Returns what made a picture or a network: `Gesso 0.1.0`."""
    try:
        return f"Gesso {version('gesso')}"
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "Gesso (not installed)"
