"""Whole pictures at their own size, for style transfer, read from files; `data.picture_writer` writes them.

The squares that networks train on are made by `data.decode`.
"""

import functools
import io
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from core.errors import GessoError
from core.files import expanded, in_utf8, open_regular
from core.images import to_float
from data import deep, gif
from data.checks import check_whole
from data.decode import FORMATS, TURNS, orientation
from data.folder import SUFFIXES
from data.strips import Convert, converted, resized, rounded, strips, tones

log = logging.getLogger(__name__)

FOREIGN = (  # often met, and not read
    ".heic", ".heif", ".avif", ".jxl", ".psd", ".svg", ".pdf", ".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf",
)  # fmt: skip
MIN_SIDE = 16  # px of a shorter side: in less, the deepest layers of an encoder would see nothing
SAME = 2  # levels of 255 by which a profile that is sRGB's changes colours at most, and their resizing


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture, upright and in sRGB: `pixels` uint8 or uint16 [height, width, 3].

    `alpha` is uint8 [height, width], 255 where opaque, or None. `icc` is the sRGB profile if the file named its
    colours by one, else None: then it is to be written back without, too.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    icc: bytes | None = None


def read(path: str | Path, size: int | None = None, depth: int = 8) -> Picture:
    """The picture in file `path`; with `size`, smaller or larger, so that its longer side is `size` pixels.

    Any mode and depth: grey, palette, CMYK, 16 bits, float (scaled as in `data.decode`). With `depth` 16, what has
    more than eight bits a colour gives uint16, unless its profile is not sRGB, or what is transparent is resized:
    that is done in eight. Of an animation, the first frame. A profile that cannot be used is ignored with a
    warning. Raises `GessoError` for all that is no whole picture.
    """
    path = Path(path)
    if size is not None:
        check_whole("size", size, "null or a number of pixels")
    with _in_words(path):
        with _opened(path) as image:
            target = scale_sides(image.size, size) if size else image.size
            # JPEG's decoder shrinks by 2, 4 or 8 for nothing. Twice what is needed: Lanczos does the rest.
            image.draft(image.mode, (2 * target[0], 2 * target[1]))
            image.load()
            if _transparent_in_16_bits(image):  # Pillow compares that with eight
                del image.info["transparency"]
                log.warning("%s: its transparency is ignored, a colour of 16 bits", path)
            turn, profile = orientation(image), image.info.get("icc_profile")
            if image.format in ("GIF", "WEBP", "PNG") and getattr(image, "is_animated", False):
                log.warning("%s moves: only its first frame is read; an .mp4 of it would be read whole.", path)
            mode, convert = _resizable(image)
            if image.size == target:
                image = converted(image, convert)
            else:
                image = _resized(image, target, mode, convert)
        if turn in TURNS:
            image = image.transpose(TURNS[turn])
        found = _picture(image, profile, path)
        return _deepened(found, image, path, TURNS.get(turn)) if depth == 16 else found


def most() -> int:
    """The pixels that a picture may have: what Pillow reads, of which a page takes less than a command line."""
    return 2 * Image.MAX_IMAGE_PIXELS


def sides(path: str | Path) -> tuple[int, int]:
    """Returns height and width of the picture in a file, upright, by what its head says: at once.

    Raises `GessoError` as `read` does, but not for what is damaged further on.
    """
    with _in_words(Path(path)), _opened(Path(path)) as image:
        width, height = image.size
        turned = orientation(image) in (5, 6, 7, 8) and image.format != "TIFF"  # Pillow turns the sides of these
        return (width, height) if turned else (height, width)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    # As a file, not by its name: Pillow maps some TIFFs into memory, and then takes turned ones for upright.
    with open_regular(path) as file:
        gif.check_comments(file)
        with Image.open(file, formats=FORMATS) as image:
            yield image


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    """Turns whatever reading a picture raises into `GessoError`."""
    try:
        yield
        return
    except FileNotFoundError:
        reason = "does not exist"
    except IsADirectoryError:
        reason = "is a folder, not a picture"
    except PermissionError:
        reason = "cannot be read: permission denied"
    except UnidentifiedImageError:
        reason = "is empty" if os.path.getsize(path) == 0 else f"is no picture ({', '.join(FORMATS)})"
        if path.suffix.lower() in FOREIGN:
            reason = f"is of a kind that Gesso does not read ({path.suffix}): export it as JPEG or PNG"
    except Image.DecompressionBombError:
        reason = f"is too large: Gesso reads pictures of up to {most() // 10**6} million pixels"
    except MemoryError:  # says nothing of the file
        raise
    except Exception as error:  # a damaged file can make Pillow raise anything
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        reason = f"cannot be read, it may be damaged: {why.rstrip('.')}"
    raise GessoError(f"{path} {reason}.")


def find(folder: str | Path) -> list[Path]:
    """The picture files directly in `folder`, by suffix, sorted by name; hidden ones are left out.

    Raises `GessoError` if the folder cannot be read.
    """
    try:
        entries = sorted(Path(folder).iterdir())
    except OSError as error:
        raise GessoError(f"Cannot read the folder {folder}: {error.strerror}.") from error
    return [
        path
        for path in entries
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    ]


def pad_to_min(pixels: np.ndarray, least: int) -> np.ndarray:
    """[height, width, channels], with sides of at least `least`: its mirror image is put below and to the right."""
    rows, columns = (max(0, least - side) for side in pixels.shape[:2])
    return np.pad(pixels, ((0, rows), (0, columns), (0, 0)), "symmetric") if rows or columns else pixels


def scale_sides(sides: tuple[int, int], size: float) -> tuple[int, int]:
    """Two sides of the same shape as `sides`, in their order: the longer one `size`, the shorter at least 1."""
    one, other = (max(1, round(side * size / max(sides))) for side in sides)
    return one, other


def _transparent_in_16_bits(image: Image.Image) -> bool:
    color = image.info.get("transparency")
    return color is not None and (image.mode.startswith("I") or (isinstance(color, tuple) and max(color) > 255))


def _resizable(image: Image.Image) -> tuple[str, Convert | None]:
    """The mode in which a picture resizes as it is and that a profile may describe, and what brings strips to it:
    L, LA, RGB, RGBA, CMYK or F; None for a picture that is in it."""
    if image.mode.startswith(("I", "F")):
        return "F", tones(image)
    if image.has_transparency_data:
        mode = "LA" if image.mode in ("L", "LA", "La") else "RGBA"
    elif image.mode in ("L", "RGB", "CMYK"):
        mode = image.mode
    else:
        mode = "L" if image.mode == "1" else "RGB"
    return mode, None if image.mode == mode else lambda strip: strip.convert(mode)


def _resized(image: Image.Image, target: tuple[int, int], mode: str, convert: Convert | None) -> Image.Image:
    """Resizes in this mode. Lanczos, the sharpest, overshoots at edges: beside transparency, by more than alpha can
    make good. Colours are weighted by alpha, else those that nobody sees would bleed."""
    box = (0, 0, *image.size)
    if mode not in ("LA", "RGBA"):
        return resized(image, target, Image.Resampling.LANCZOS, box, convert)
    alphas = (converted(strip, convert).getchannel("A").getextrema()[0] for _, strip in strips(image))
    resample = Image.Resampling.LANCZOS if min(alphas) == 255 else Image.Resampling.HAMMING
    weighted = {"LA": "La", "RGBA": "RGBa"}[mode]
    return resized(image, target, resample, box, lambda strip: converted(strip, convert).convert(weighted)).convert(
        mode
    )


def _picture(image: Image.Image, profile: bytes | None, path: Path) -> Picture:
    alpha = None
    if image.mode in ("LA", "RGBA"):
        alpha = np.array(image.getchannel("A"))
        image = image.convert(image.mode[:-1])  # colours as they are, not mixed: alpha is applied again at the end
    if image.mode == "F":
        image = converted(image, rounded)
    in_srgb = _to_srgb(image, profile, path) if profile else None
    pixels = np.array((in_srgb or image).convert("RGB"))
    if alpha is not None:
        # Nobody sees these colours, so programs leave anything there. A network would see it, and would carry
        # it into what lies beside.
        pixels[alpha == 0] = 255
    return Picture(pixels, alpha, _srgb() if in_srgb else None)


def _deepened(found: Picture, image: Image.Image, path: Path, turn: Image.Transpose | None) -> Picture:
    """Returns a picture with all bits of its file's colours, if these are what was `found` with eight."""
    if image.mode == "F":  # grey
        colors = np.repeat(deep.rounded(np.asarray(image) * 257)[..., None], 3, axis=-1)
    else:
        colors = deep.read(path, turn)
    if colors is None:
        return found
    if colors.shape != found.pixels.shape:
        if found.alpha is not None:
            return found
        colors = deep.resized(colors, found.pixels.shape[1::-1])
    elif found.alpha is not None:
        colors[found.alpha == 0] = 65535
    if found.icc is not None and np.abs(found.pixels.astype(np.int16) - (colors >> 8)).max() > SAME:
        return found
    return replace(found, pixels=colors)


def _to_srgb(image: Image.Image, profile: bytes, path: Path) -> Image.Image | None:
    """RGB in sRGB, from mode L, RGB or CMYK in the colours of the ICC `profile`; None if it cannot be used."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        if image.mode == "L" and space == "RGB":  # a colour picture made grey, which kept its profile
            image = image.convert("RGB")
        if {"L": "GRAY"}.get(image.mode, image.mode) != space:
            raise ImageCms.PyCMSError(f"a profile for {space} in a picture of mode {image.mode}")
        return ImageCms.profileToProfile(
            image,
            source,
            ImageCms.createProfile("sRGB"),
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            "RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except Exception as error:  # the picture itself is fine; sRGB is the likeliest guess
        log.warning("%s: its colour profile is ignored, it cannot be used (%s)", path, error)
        return None


@functools.cache
def _srgb() -> bytes:
    """The profile to embed, the same bytes every time: the time of its creation is blotted out."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = bytes.fromhex("07d0 0001 0001 0000 0000 0000")  # 1 January 2000
    return bytes(profile)


def styles(paths: str | list[str] | None, size: int) -> dict[str, np.ndarray]:
    """Reads the paintings to learn, a file, several, or all in a folder: float32 [height, width, 3] in [-1, 1].

    By the files' names, or paths where names are the same. Their longer side is `size`, the shorter one
    at least `MIN_SIDE`. Raises `GessoError` if there is none, or one that cannot be read.
    """
    if not paths:
        raise GessoError("This model learns a style: model.style=<painting>, or several, model.style=[a,b].")
    files = [expanded(path) for path in ([paths] if isinstance(paths, str) else paths)]
    files = [found for file in files for found in (find(file) if file.is_dir() else [file])]
    if not files:
        raise GessoError(f"model.style={paths}: no pictures there.")
    stems = [file.stem for file in files]
    names = [in_utf8(file.stem if stems.count(file.stem) == 1 else str(file)) for file in files]
    pictures = (pad_to_min(to_float(read(file, size).pixels), MIN_SIDE) for file in files)
    return dict(zip(names, pictures, strict=True))
