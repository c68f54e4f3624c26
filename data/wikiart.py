"""The WikiArt release of the ArtGAN project (Tan et al. 2019, arXiv:1708.09533): 81,444 paintings, 27 styles.

python train.py dataset=wikiart dataset.root=<folder of style folders> dataset.label=style
"""

import csv
import logging
import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from core.errors import GessoError
from core.files import expanded
from data import parquet
from data.folder import PictureFile, find_files, named
from data.image_dataset import ImageDataset
from data.image_folder import from_source
from data.listing import list_folder
from data.source import Source, find, is_parquet

log = logging.getLogger(__name__)

LABELS = ("style", "genre", "artist")
LAYOUT = "Expected: one folder a style, wikiart/<Style>/<artist>_<title>.jpg, such as Impressionism/, Baroque/."
SOURCE = (
    "To get it: the ArtGAN project (github.com/cs-chan/ArtGAN, WikiArt Dataset) links to wikiart.zip, 25.4 GB, "
    "for non-commercial research; give dataset.root=<that file>, or unpack it: dataset.root=<folder>."
)
NUMBER = re.compile(r"[0-9]{1,9}")
SAME = {"Art_Nouveau_Modern": "Art_Nouveau"}  # the folder's name, and the class list's


def load(
    root: str | None,
    image_size: int,
    cache_dir: str,
    label: str = "style",
    csv: str | None = None,
    crop: str = "center",
    flip: bool = True,
    limit: int | None = None,
    balance: bool = False,
    text: bool = False,
    trust_cache: bool = False,
    store: str = "decoded",
    clusters: int | None = None,
    clusters_of: str = "all",
) -> ImageDataset:
    """The paintings under `root` as squares of `image_size`, labelled by `label`: style, genre or artist.

    Labels come from the release's CSV files, in the folder `csv` or near `root`. Without them, and for files that
    they do not list, the style is the folder's name; pictures without a genre or artist label are left out. `root`
    may be an archive of the release, or a folder of parquet files, the copy on Hugging Face, which has its labels.
    `crop` and `limit` as in `image_folder`, `flip` and `balance` as in `ImageDataset`. With `text` the batches have
    sentences of title, artist, year, style and genre. `trust_cache`, `store` and `clusters` as in
    `image_folder`. Raises `GessoError` where pictures or the label files are missing.
    """
    if label not in LABELS:
        raise GessoError(f"dataset.label={label}: must be one of {', '.join(LABELS)}.")
    root = named(root, "dataset.root", f"{LAYOUT} {SOURCE}")
    source = replace(_find(root, label, csv, cache_dir, text, trust_cache), name="wikiart")
    return from_source(source, image_size, cache_dir, crop, flip, limit, balance, store, clusters, clusters_of)


def _find(root: Path, label: str, csv: str | None, cache_dir: str, text: bool, trust_cache: bool) -> Source:
    """The release, as a folder or an archive, or Hugging Face's copy of it, in parquet files; with this label."""
    may_be = root.is_dir() and (trust_cache or find_files(root, is_parquet))  # to list all takes its time
    if may_be and not list_folder(root, find_files, cache_dir, trust_cache) and find_files(root, is_parquet):
        return parquet.find(str(root), label, text=text)
    source = find(str(root), "dataset.root", cache_dir, f"{LAYOUT} {SOURCE}", trust_cache)
    within = [i for i, picture in enumerate(source.pictures) if "/" in picture.path]
    if not within:
        raise GessoError(
            f"No WikiArt in {root.absolute()} (dataset.root): its pictures are not in folders. {LAYOUT} {SOURCE}"
        )
    places = _places(root if root.is_dir() else root.parent, csv)
    source = _labeled(source.only(within), label, places)
    return replace(source, said=_sentences(source.pictures, places)) if text else source


def _sentences(pictures: Sequence[PictureFile], places: list[Path]) -> list[list[str]]:
    """Words each picture in a few ways, by its file's name, its folder, and its genre where it has one."""
    place = next((p for p in places if _file(p, "genre_train")), None)
    genres = read_labels(place, "genre") if place else {}
    return [sentences(picture.path, genres.get(plain(picture.path))) for picture in pictures]


def sentences(path: str, genre: str | None = None) -> list[str]:
    """Words `<Style>/<artist>_<title>-<year>.jpg`: "starry night by vincent van gogh, 1889", and more of the kind.

    Of a file of another name, style and genre are all that is said.
    """
    path = os.fsencode(path).decode("utf-8", errors="replace")
    style, name = path.split("/")[0], path.rpartition("/")[2]
    artist, _, title = re.sub(r"\(\d+\)$", "", name.rpartition(".")[0]).partition("_")
    title, _, year = title.rpartition("-") if re.search(r"-1[0-9]{3}$|-20[0-9]{2}$", title) else (title, "", "")
    style, artist, title = (re.sub(r"[-_]+", " ", words).strip().lower() for words in (style, artist, title))
    title, genre = title or "untitled", (genre or "painting").replace("_", " ")
    dated = f", {year}" if year else ""
    if not re.search("[^\\W\\d]", artist) or "_" not in name:
        return [f"{genre}, {style}"]
    return [
        f"{title} by {artist}{dated}, {style}",
        f"{genre} by {artist}, {style}{dated}",
        f"{title}, {genre}, {style}",
    ]


def _places(root: Path, folder: str | None) -> list[Path]:
    if folder is not None:
        return [expanded(folder)]
    root = root.absolute()
    return [root, root / "wikiart_csv", root.parent, root.parent / "wikiart_csv"]


def _labeled(source: Source, label: str, places: list[Path]) -> Source:
    """Those that have this label, with it."""
    pictures = source.pictures
    place = next((p for p in places if _file(p, f"{label}_train")), None)
    known = read_labels(place, label) if place else {}
    if label == "style":
        folders = [picture.path.split("/")[0] for picture in pictures]
        styles = [SAME.get(folder, folder) for folder in folders]
        classes = [known.get(plain(p.path), s) for p, s in zip(pictures, styles, strict=True)]
        return replace(source, classes=classes)
    if place is None:
        raise GessoError(
            f"dataset.label={label} needs {label}_train, {label}_val and {label}_class of the release's "
            f"wikiart_csv; looked in {', '.join(map(str, places))}. Give their folder: dataset.csv=<folder>, or "
            "take dataset.label=style."
        )
    source = replace(source, where=f"{source.where}, label={label}")
    kept = [i for i, picture in enumerate(pictures) if plain(picture.path) in known]
    log.info("%d of %d pictures have a label %s", len(kept), len(pictures), label)
    if not kept:
        raise GessoError(
            f"None of the {len(pictures)} pictures is named in {place}/{label}_train or _val: they name the full "
            f"release's files, such as {next(iter(known), '-')}. Take dataset.label=style."
        )
    return replace(source.only(kept), classes=[known[plain(pictures[i].path)] for i in kept])


def read_labels(folder: Path, label: str) -> dict[str, str]:
    """`plain(path)` -> class name, from `<label>_train`, `_val` and `_class` in `folder`.

    The release's files differ: with and without extension, with two commas, and with a line of prose on top.
    Raises `GessoError` if one is missing or not of that form.
    """
    names = {}
    for row in _rows(folder, f"{label}_class", delimiter=" "):
        if row and NUMBER.fullmatch(row[0]):
            names[int(row[0])] = "_".join(row[1:])
    labels: dict[str, str] = {}
    for part in ("train", "val"):
        for row in _rows(folder, f"{label}_{part}"):
            if len(row) < 2 or not NUMBER.fullmatch(row[-1].strip()):  # the prose, the blank line
                continue
            number = int(row[-1])
            if number not in names:
                raise GessoError(f"{folder}/{label}_{part} has class {number}, which {label}_class does not name.")
            labels[plain(row[0])] = names[number]
    return labels


def _rows(folder: Path, stem: str, delimiter: str = ",") -> list[list[str]]:
    path = _file(folder, stem)
    if path is None:
        raise GessoError(f"There is no {stem}, {stem}.csv or {stem}.txt in {folder}.")
    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        try:
            return list(csv.reader(file, delimiter=delimiter, quoting=csv.QUOTE_NONE))
        except csv.Error as error:
            raise GessoError(f"{path} cannot be read: {error}.") from None


def _file(folder: Path, stem: str) -> Path | None:
    return next((p for end in ("", ".csv", ".txt") if (p := folder / (stem + end)).is_file()), None)


def plain(path: str) -> str:
    """A path by which the same file is found whatever became of its accents.

    Names of the release have been through a wrong encoding and then lower case (`joaquã\\xadn-sorolla` for
    `joaquín-sorolla`), and through different Unicode normal forms; here they are compared without accents.
    """
    path = os.fsencode(path).decode("utf-8", errors="replace")  # names on disk may not be UTF-8 at all
    path = re.sub(r"[\u00c2\u00c3\u00e2\u00e3][\u0080-\u00bf]", _repaired, path)
    decomposed = unicodedata.normalize("NFKD", path)
    ascii_only = "".join(c for c in decomposed if c.isascii() and c.isprintable()).casefold()
    for folder, style in SAME.items():
        ascii_only = ascii_only.replace(f"{folder}/".casefold(), f"{style}/".casefold())
    return ascii_only


def _repaired(match: re.Match[str]) -> str:
    """The letter whose two UTF-8 bytes were read as two letters of Latin-1, the first then put in lower case."""
    return bytes([ord(match[0][0]) & ~0x20, ord(match[0][1])]).decode("utf-8")
