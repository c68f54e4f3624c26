"""Words beside pictures in a folder: a `.txt` of the same name, or a table of file names and texts."""

import codecs
import csv
import io
import json
import logging
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from core.errors import GessoError
from data.folder import several
from data.source import Source

log = logging.getLogger(__name__)

# Those of Hugging Face's ImageFolder are called metadata.
TABLES = ("captions.csv", "captions.jsonl", "metadata.csv", "metadata.jsonl")
MOST = 2**20  # bytes of a .txt file; a table may have 256 times as many
LAYOUT = (
    "Words are expected in a .txt file beside each picture, of the same name (each line is a wording), or in "
    "captions.csv or captions.jsonl with file_name and text."
)


def beside(source: Source) -> list[list[str]]:
    """Finds what is said of each picture in a folder: its wordings, none where nothing is said.

    Raises `GessoError` for a table that cannot be read, and for pictures in archives.
    """
    root, pictures = source.folder, source.pictures
    if root is None:
        raise GessoError(f"Words beside pictures are read from folders, not from archives, such as {source.where}.")
    said: dict[str, list[str]] = defaultdict(list)
    folders = {path.rpartition("/")[0] for path, _, _ in pictures}
    above = {str(parent) for folder in folders for parent in PurePosixPath(folder).parents} - {"."}
    for folder in sorted({"", *folders, *above}):
        for name in TABLES:
            table = root / folder / name
            if table.is_file():
                for file_name, text in _rows(table):
                    said["/".join(filter(None, (folder, file_name)))].append(text)
    found = []
    for picture in pictures:
        beside = (root / picture.path).with_suffix(".txt")
        lines = _read(beside, MOST).splitlines() if beside.is_file() else []
        found.append([text for text in map(plain, [*lines, *said.get(picture.path, [])]) if text])
    return found


def plain(text: str) -> str:
    """Writes a text in one way of Unicode's many (NFKC), without control characters, its spaces single."""
    text = unicodedata.normalize("NFKC", text)
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def with_words(source: Source, said: Sequence[Sequence[str]], expected: str = LAYOUT) -> Source:
    """Returns the pictures of which something is said, with that, and tells how many others there are.

    Raises `GessoError` where nothing is said of any.
    """
    pictures, name = source.pictures, source.name
    kept = [i for i, wordings in enumerate(said) if wordings]
    if not kept:
        raise GessoError(f"None of the {len(pictures)} pictures of {name} has words. {expected}")
    if len(kept) < len(pictures):
        silent = [pictures[i].path for i, wordings in enumerate(said) if not wordings]
        log.warning(
            "%d of %d pictures of %s have no words, and are left out:%s",
            len(silent), len(pictures), name, several(silent),
        )  # fmt: skip
        source = replace(source, where=f"{source.where}, with words")  # another set than that of all of them
    return replace(source, said=said).only(kept)


def _rows(table: Path) -> Iterator[tuple[str, str]]:
    """Yields file name and text of each row of a table. Raises `GessoError` for one that is not of that form."""
    text = _read(table, 256 * MOST)
    try:
        if table.suffix == ".csv":
            rows = csv.DictReader(io.StringIO(text))
        else:
            rows = (json.loads(line) for line in text.split("\n") if line.strip())
        for row in rows:
            name, said = row["file_name"], row["text"]
            if not isinstance(name, str) or not isinstance(said, str):
                raise ValueError(f"{name!r} is said to be {said!r}, which is no text")
            yield name.replace("\\", "/").removeprefix("./"), said
    except KeyError as error:
        raise GessoError(f"{table.absolute()} has a row without {error}: each needs file_name and text.") from None
    except (TypeError, ValueError, RecursionError, csv.Error) as error:
        raise GessoError(f"{table.absolute()} cannot be read: {error}.") from None


def _read(path: Path, most: int) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise GessoError(f"{path.absolute()} cannot be read: {error.strerror}.") from error
    if len(content) > most:
        raise GessoError(f"{path.absolute()} is larger than {most / 1e6:.0f} MB: too much to be words.")
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        where = f"{error.reason} at byte {error.start}"
        raise GessoError(f"{path.absolute()} is not UTF-8 ({where}): save it in that encoding.") from None
