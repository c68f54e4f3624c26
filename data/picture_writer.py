"""Writes whole pictures, with their transparency, colour profile and provenance: what `data.picture` reads."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from core.errors import GessoError
from core.files import atomic
from core.images import provenance_text
from data import deep
from data.picture import Picture
from data.provenance import DESCRIPTION, OUTPUTS, SOFTWARE

DEEP = {suffix for suffix, kind in OUTPUTS.items() if kind in ("PNG", "TIFF")}  # 16 bits a colour, too
LONGEST = {"JPEG": 65535, "WEBP": 16383}  # pixels a side; the others have no limit that matters


def write(path: str | Path, pixels: np.ndarray, chunks: Mapping[str, str], like: Picture | None = None) -> None:
    """Writes uint8 or uint16 [height, width, 3] in the format that the suffix names, with its provenance.

    The formats are `OUTPUTS`, of uint16 `DEEP`.

    What `like` has besides pixels goes along: its transparency, resized where needed (in JPEG, which has none,
    the picture lies on white), and its profile. Raises `GessoError` for other suffixes, for sides that the
    format cannot hold, and if the file cannot be written.
    """
    path = Path(path)
    kind = kind_for(path, max(pixels.shape[:2]))
    alpha, icc = None, None if like is None else like.icc
    if like is not None and like.alpha is not None:
        alpha = Image.fromarray(like.alpha)
        if alpha.size != pixels.shape[1::-1]:
            alpha = alpha.resize(pixels.shape[1::-1], Image.Resampling.LANCZOS)
    encode = _encode_deep if pixels.dtype == np.uint16 else _encode
    content = encode(kind, pixels, alpha, icc, _options(kind, chunks))
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def kind_for(path: Path, longest: int) -> str:
    """Returns the format that the suffix names, to write a picture of this longer side in.

    Raises `GessoError` for other suffixes, and for sides that the format cannot hold.
    """
    kind = OUTPUTS.get(path.suffix.lower())
    if kind is None:
        raise GessoError(f"{path}: pictures are written as {' '.join(OUTPUTS)}; choose one of these suffixes.")
    if longest > LONGEST.get(kind, 10**9):
        raise GessoError(f"{path}: {kind} holds at most {LONGEST[kind]} pixels a side; choose .png or .tiff.")
    return kind


def _encode(
    kind: str, pixels: np.ndarray, alpha: Image.Image | None, icc: bytes | None, options: dict[str, object]
) -> memoryview:
    """Encodes uint8 in memory: Pillow does not notice that a full disk took a part of what it writes to a file."""
    image = Image.fromarray(pixels)
    if alpha is not None:
        image.putalpha(alpha)
        if kind == "JPEG":
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    content = io.BytesIO()
    image.save(content, kind, **options, **({} if icc is None else {"icc_profile": icc}))
    return content.getbuffer()


def _encode_deep(
    kind: str, pixels: np.ndarray, alpha: Image.Image | None, icc: bytes | None, options: dict[str, object]
) -> bytes:
    """Encodes uint16."""
    if alpha is not None:
        pixels = np.dstack([pixels, np.asarray(alpha, np.uint16) * 257])
    if kind == "PNG":
        return deep.png(pixels, options["pnginfo"], icc)
    return deep.tiff(pixels, options["tiffinfo"], icc)


def _options(kind: str, chunks: Mapping[str, str]) -> dict[str, object]:
    """What Pillow's `save` takes for the quality and the provenance in each format."""
    description, software = provenance_text(chunks), chunks.get("Software")
    tags = {DESCRIPTION: description} | ({SOFTWARE: software} if software else {})
    if kind == "PNG":
        info = PngInfo()
        for key, value in chunks.items():
            info.add_text(key, value)
        return {"pnginfo": info}
    if kind == "TIFF":
        return {"compression": "tiff_adobe_deflate", "tiffinfo": tags}
    exif = Image.Exif()
    exif.update(tags)
    return {"quality": 95, "exif": exif} | ({"subsampling": 0} if kind == "JPEG" else {})
