"""What a picture says of how it was made, read back; pictures that Gesso did not make are not overwritten."""

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from core.errors import GessoError
from core.files import open_regular, try_out
from core.images import provenance_text
from data import gif

# What `data.picture_writer.write` can write: the format of each suffix.
OUTPUTS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
READERS = {"JPEG": JpegImageFile, "WEBP": WebPImageFile, "TIFF": TiffImageFile}
DESCRIPTION, SOFTWARE = 0x010E, 0x0131  # tags of EXIF


def check_folder(folder: Path, names: Iterable[str]) -> None:
    """Raises `GessoError` where pictures of these names cannot be written into a folder, or would take the place of
    what Gesso did not make."""
    if folder.is_file() or (folder.suffix.lower() in OUTPUTS and not folder.is_dir()):
        raise GessoError(f"output={folder}: pictures go into a folder, and this names a file.")
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    for name in sorted(there.intersection(names)):
        if "Software: Gesso" not in (chunks(folder / name) or ""):
            raise GessoError(f"{folder / name} is there, and Gesso did not make it. Give another output=.")
    try_out(folder)


def _said(file: BinaryIO, suffix: str) -> str:
    if suffix == ".gif":
        gif.check_comments(file)
        with GifImageFile(file) as image:
            return image.info.get("comment", b"").decode("utf-8", "replace")
    kind = READERS.get(OUTPUTS.get(suffix))
    if kind is not None:
        with kind(file) as image:
            said = image.getexif().get(DESCRIPTION)
            return said if isinstance(said, str) else ""  # numbers, of a stranger's
    with PngImageFile(file) as image:  # of any size: its pixels are not asked for
        return provenance_text({key: value for key, value in image.info.items() if isinstance(value, str)})


def chunks(path: str | Path) -> str | None:
    """Returns the provenance that Gesso put into a picture, as `provenance_text`; None where there is none."""
    try:
        with open_regular(Path(path)) as file:
            return _said(file, Path(path).suffix.lower()) or None
    except (OSError, ValueError, SyntaxError):
        return None
