"""Pictures in parquet files, as Hugging Face's data sets are downloaded: a folder of them, each with many rows.

python train.py dataset=parquet dataset.root=<folder of .parquet files>
"""

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from core.errors import GessoError
from core.files import in_utf8
from data import captions
from data.folder import PictureFile, find_files, named
from data.image_dataset import ImageDataset
from data.image_folder import from_source
from data.source import Opened, Source, is_parquet, tails

if TYPE_CHECKING:
    import pyarrow

log = logging.getLogger(__name__)

EXPECTED = "Expected: .parquet files as a data set on Hugging Face has them, in any subfolders."
LABELS = ("label", "labels", "style", "genre", "artist", "class", "category")  # columns that may be classes
WORDS = ("text", "caption", "prompt", "description", "title")
SPLITS = ("train", "validation", "test")
TEXTS = 2**14  # rows of texts read at a time
LONGEST = 1024  # characters of a class's name
UNKNOWN = "unknown"  # how names begin of classes that are none, such as "Unknown Artist"


def most_rows(size: int) -> int:
    """How many pictures files of so many bytes may have: one has 64 bytes at least, and empty rows take no room."""
    return 2**16 + size // 64


def most_bytes(size: int) -> int:
    """How many bytes of pictures, or texts, a file of so many may unpack to: one value may stand for every row."""
    return 2**26 + 16 * size


class Table(NamedTuple):
    """A file: its picture column, number of rows; the class of each, or None; what is said of each."""

    path: Path
    column: str
    rows: int
    classes: list[str | None] | None
    said: list[list[str]]


def load(
    root: str | None,
    image_size: int,
    cache_dir: str,
    label: str | None = None,
    split: str | None = None,
    crop: str = "center",
    flip: bool = True,
    limit: int | None = None,
    balance: bool = False,
    text: bool = False,
    store: str = "decoded",
    clusters: int | None = None,
    clusters_of: str = "all",
) -> ImageDataset:
    """The pictures in all parquet files under `root`, as squares of `image_size`.

    `label`: the column of the classes, or None for the first of `LABELS` that there is; rows without one are left
    out. `split`: how the names of the files to read begin ("train", "test"), or a folder that they are in. With
    `text` the batches have the words of the first of `WORDS` that there is, or the names of the classes. The rest
    as in `image_folder.load`.
    Raises `GessoError` without pyarrow, and for files that cannot be read or have no pictures.
    """
    source = find(root, label, split, text)
    return from_source(source, image_size, cache_dir, crop, flip, limit, balance, store, clusters, clusters_of)


def find(root: str | None, label: str | None = None, split: str | None = None, text: bool = False) -> Source:
    """The rows of all parquet files under `root` that have a `label`, and words with `text`; see `load`."""
    path = named(root, "dataset.root", EXPECTED)
    files = find_files(path, is_parquet) if path.is_dir() else [PictureFile(path.name, *_facts(path))]
    parts = sorted({file.path.rpartition("/")[2].partition("-")[0] for file in files})
    if split is not None:
        files = [file for file in files if _is_of(file, split)]
    elif len(both := [name for name in SPLITS if any(_is_of(file, name) for file in files)]) > 1:
        log.warning("%s: %s are read together; dataset.split=%s reads one.", path, " and ".join(both), both[0])
    if not files:
        there = f"; there are {', '.join(parts)}" if parts else ""
        which = f" that begins with dataset.split={split}{there}" if split else ""
        raise GessoError(f"No .parquet file in {path.absolute()} or below{which} (dataset.root). {EXPECTED}")
    room = most_rows(sum(file.size for file in files))
    tables = []
    for file in files:
        tables.append(_table(path / file.path if path.is_dir() else path, label, text, room))
        room -= tables[-1].rows
    starts = np.cumsum([0] + [table.rows for table in tables])
    pictures = [
        PictureFile(f"{file.path}:{row}", file.size, file.changed)
        for file, table in zip(files, tables, strict=True)
        for row in range(table.rows)
    ]

    def opened(numbers: Iterable[int]) -> Iterator[Opened]:
        """A file at a time, as long as numbers ascend."""
        numbers = list(numbers)
        owners = np.searchsorted(starts, numbers, side="right") - 1
        begin = 0
        for end in [*(np.flatnonzero(np.diff(owners)) + 1).tolist(), len(numbers)] if numbers else []:
            owner = owners[begin]
            yield from _open(tables[owner], [i - int(starts[owner]) for i in numbers[begin:end]])
            begin = end

    where = f"{path.resolve()}{f', split={split}' if split else ''}{f', label={label}' if label else ''}"
    witnesses = partial(tails, [table.path for table in tables])
    held = sum(file.size for file in files) // max(len(pictures), 1)
    whole = Source(in_utf8(path.resolve().name), where, pictures, opened, None, witnesses, held=held)
    classes = [name for table in tables for name in (table.classes or [None] * table.rows)]
    if text:
        whole = replace(whole, said=[said for table in tables for said in table.said])
    kept = [i for i, name in enumerate(classes) if name is not None]
    if kept:
        whole = replace(whole, classes=classes).only(kept)
    if 0 < len(kept) < len(classes):
        log.info("%d of %d pictures have a label", len(kept), len(classes))
    return captions.with_words(whole, whole.said, f"Expected: one of {', '.join(WORDS)}.") if text else whole


def _is_of(file: PictureFile, split: str) -> bool:
    """Says whether a file is of a split, by how its name begins, or by a folder that it lies in."""
    *folders, name = file.path.split("/")
    return name.startswith(split) or split in folders


def _facts(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _pyarrow() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise GessoError(
            "Parquet files are read by pyarrow, the extra [parquet]: pip install -e '.[parquet]'"
        ) from error
    return pyarrow


@contextmanager
def _open_file(path: Path, texts: Sequence[str] = ()) -> Iterator[Any]:
    """A file, read bit by bit: a group of rows of large pictures may have gigabytes. `texts` are dictionaries."""
    pyarrow = _pyarrow()
    options = {"buffer_size": 2**20, "pre_buffer": False, "read_dictionary": list(texts)}
    try:
        with pyarrow.parquet.ParquetFile(path, **options) as file:
            yield file
    except (pyarrow.ArrowException, OSError) as error:
        raise GessoError(f"{path} is no parquet file, or it is damaged or cut off ({error}).") from error


def _table(path: Path, label: str | None, text: bool, room: int) -> Table:
    """What a file has. Raises `GessoError` for one without pictures or this label, or with over `room` rows."""
    with _open_file(path) as file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
        unpacked = sum(file.metadata.row_group(i).total_byte_size for i in range(file.num_row_groups))
        if unpacked > most_bytes(path.stat().st_size):
            raise GessoError(
                f"{path} claims to unpack to {unpacked / 1e9:.1f} GB: more than a file of its size does."
            )
        if rows > room:
            raise GessoError(f"{path} claims to have {rows} rows: more than a file of its size holds in earnest.")
        features = _features(schema)
        column = next((name for name in schema.names if _is_image(schema.field(name), features.get(name))), None)
        if column is None:
            raise GessoError(f"{path} has no column of pictures, with their bytes, but {', '.join(schema.names)}.")
        labels = [name for name in LABELS if name in schema.names]
        if label is not None and label not in schema.names:
            raise GessoError(f"dataset.label={label}: {path} has {', '.join(labels) or 'no column of classes'}.")
        chosen = label or next(iter(labels), None)
        classes = chosen and _classes(path, file, chosen, features.get(chosen, {}))
        said = _words(path, file, features, chosen) if text else []
        if not _is_binary(schema.field(column).type):
            column = f"{column}.bytes"
        return Table(path, column, rows, classes, said)


def _features(schema: "pyarrow.Schema") -> dict[str, Any]:
    """What Hugging Face's library wrote of each column."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return features if isinstance(features, dict) else {}
    except (ValueError, LookupError, TypeError, RecursionError):
        return {}


def _is_image(field: "pyarrow.Field", feature: Any) -> bool:
    if _pyarrow().types.is_struct(field.type):
        child = field.type.get_field_index("bytes")
        return child >= 0 and _is_binary(field.type.field(child).type)  # a text would be taken for a path
    named = field.name in ("image", "img", "jpg", "png")
    return _is_binary(field.type) and (named or (feature or {}).get("_type") == "Image")


def _is_binary(kind: "pyarrow.DataType") -> bool:
    return _pyarrow().types.is_binary(kind) or _pyarrow().types.is_large_binary(kind)


def _classes(path: Path, file: Any, column: str, feature: Any) -> list[str | None]:
    """The class of each row: a name by its number, or what stands there; None for what is unknown."""
    names = feature.get("names") if isinstance(feature, dict) else None
    if not (isinstance(names, list) and all(isinstance(name, str) and name.isprintable() for name in names)):
        names = None
    known: dict[Any, str | None] = {}  # each once, however many rows have it

    def named(value: Any) -> str | None:
        if value is None or value == -1:
            return None
        if names and isinstance(value, int):
            name = str(names[value]) if 0 <= value < len(names) else UNKNOWN
        else:
            name = str(value)
        if len(name) > LONGEST:
            raise GessoError(
                f"{path}: a class in column {column} has a name of {len(name)} characters. dataset.label=<another>"
            )
        return None if name.casefold().startswith(UNKNOWN) else name

    found = []
    for value in _values(path, file, column):
        if isinstance(value, list | dict):
            found.append(None)
            continue
        if value not in known:
            known[value] = named(value)
        found.append(known[value])
    return found


def _words(path: Path, file: Any, features: dict[str, Any], label: str | None) -> list[list[str]]:
    """What is said of each row, in one or more wordings; else, the names of its classes, of `label` if need be."""
    names = file.schema_arrow.names
    column = next((name for name in WORDS if name in names), None)
    if column is not None:
        known: dict[str, str] = {}  # each once, however many rows have it

        def plain(text: str) -> str:
            if len(text) > captions.MOST:
                raise GessoError(f"{path}: a text in column {column} has {len(text) / 1e6:.1f} MB.")
            return known.get(text) or known.setdefault(text, captions.plain(text))

        wordings = (value if isinstance(value, list) else [value] for value in _values(path, file, column))
        return [[plain(text) for text in some if isinstance(text, str) and text.strip()] for some in wordings]
    kinds = [name for name in ("genre", "artist", "style") if name in names] or [label] * (label is not None)
    columns = [_classes(path, file, name, features.get(name, {})) for name in kinds]
    rows = list(zip(*columns, strict=True))
    joined = {row: ", ".join(_spaced(name) for name in row if name) for row in set(rows)}
    return [[joined[row]] if any(row) else [] for row in rows] or [[]] * file.metadata.num_rows


def _spaced(name: str) -> str:
    return name.replace("_", " ").replace("-", " ").lower()


def _values(path: Path, file: Any, column: str) -> Iterator[Any]:
    """The values of a column; equal ones of a dictionary are one.

    Raises `GessoError` for gigabytes of them, and for what Python has no value for, such as the year 300,000.
    """
    try:
        yield from _as_they_are(path, file, column)
    except (ValueError, OverflowError, LookupError) as error:
        raise GessoError(f"{path}: column {column} cannot be read: {error}.") from error


def _as_they_are(path: Path, file: Any, column: str) -> Iterator[Any]:
    types, kind = _pyarrow().types, file.schema_arrow.field(column).type
    texts = [column] if types.is_string(kind) or types.is_large_string(kind) else []
    few = not texts and not types.is_primitive(kind)  # lists, whose texts are read as often as they occur
    room = most_bytes(path.stat().st_size)
    with _open_file(path, texts) as opened:
        for batch in opened.iter_batches(TEXTS // 256 if few else TEXTS, columns=[column], use_threads=False):
            values = batch.column(0)
            room -= values.nbytes
            if room < 0:
                raise GessoError(
                    f"{path}: column {column} unpacks to more than a file of its size holds in earnest."
                )
            if types.is_dictionary(values.type):
                used = values.indices.unique().drop_null()
                known = dict(zip(used.to_pylist(), values.dictionary.take(used).to_pylist(), strict=True))
                yield from (known.get(i) for i in values.indices.to_pylist())
            else:
                yield from values.to_pylist()


def _open(table: Table, rows: Sequence[int]) -> Iterator[Opened]:
    """The pictures in these rows, which ascend; groups of rows with none of them are left out.

    Raises `GessoError` where they are more than the file can hold: one value may stand for every row.
    """
    wanted, at, room = set(rows), 0, most_bytes(table.path.stat().st_size)
    with _open_file(table.path) as file:
        for group in range(file.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            if wanted.isdisjoint(range(at, at + size)):
                at += size
                continue
            # One at a time: of a dictionary, each takes its own room.
            for batch in file.iter_batches(1, row_groups=[group], columns=[table.column], use_threads=False):
                values = batch.column(0)
                if at in wanted:
                    content = (values if _is_binary(values.type) else values.field(0))[0].as_py() or b""
                    room -= len(content)
                    if room < 0:
                        raise GessoError(
                            f"{table.path} has larger pictures than a file of its size holds in earnest."
                        )
                    yield nullcontext(content)  # what has none, is for the decoder to say
                at += 1
