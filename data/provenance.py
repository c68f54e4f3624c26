"""What a picture says of how it was made, read back; pictures that Gesso did not make are not overwritten."""

from collections.abc import Iterable
from pathlib import Path

from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from core.errors import GessoError
from core.files import try_out
from core.images import provenance_text

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


def chunks(path: str | Path) -> str | None:
    """Returns the provenance that Gesso put into a picture, as `provenance_text`; None where there is none."""
    try:
        if Path(path).suffix.lower() == ".gif":
            with GifImageFile(path) as image:
                return image.info.get("comment", b"").decode("utf-8", "replace") or None
        kind = READERS.get(OUTPUTS.get(Path(path).suffix.lower()))
        if kind is not None:
            with kind(path) as image:
                return image.getexif().get(DESCRIPTION) or None
        with PngImageFile(path) as image:  # of any size: its pixels are not asked for
            return (
                provenance_text({key: value for key, value in image.info.items() if isinstance(value, str)}) or None
            )
    except (OSError, ValueError, SyntaxError):
        return None
