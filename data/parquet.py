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
ROWS = 32  # read at a time
UNKNOWN = "unknown"  # how names begin of classes that are none, such as "Unknown Artist"


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
    tables = [_table(path / file.path if path.is_dir() else path, label, text) for file in files]
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
def _open_file(path: Path) -> Iterator[Any]:
    """A file, read bit by bit: a group of rows of large pictures may have gigabytes."""
    pyarrow = _pyarrow()
    try:
        with pyarrow.parquet.ParquetFile(path, buffer_size=2**20, pre_buffer=False) as file:
            yield file
    except (pyarrow.ArrowException, OSError) as error:
        raise GessoError(f"{path} is no parquet file, or it is damaged or cut off ({error}).") from error


def _table(path: Path, label: str | None, text: bool) -> Table:
    """What a file has. Raises `GessoError` for one without pictures, or without this label."""
    with _open_file(path) as file:
        schema = file.schema_arrow
        features = _features(schema)
        column = next((name for name in schema.names if _is_image(schema.field(name), features.get(name))), None)
        if column is None:
            raise GessoError(f"{path} has no column of pictures, with their bytes, but {', '.join(schema.names)}.")
        labels = [name for name in LABELS if name in schema.names]
        if label is not None and label not in schema.names:
            raise GessoError(f"dataset.label={label}: {path} has {', '.join(labels) or 'no column of classes'}.")
        chosen = label or next(iter(labels), None)
        classes = chosen and _classes(file, chosen, features.get(chosen, {}))
        said = _words(file, features, chosen) if text else []
        return Table(path, column, file.metadata.num_rows, classes, said)


def _features(schema: "pyarrow.Schema") -> dict[str, Any]:
    """What Hugging Face's library wrote of each column."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return features if isinstance(features, dict) else {}
    except (ValueError, LookupError, TypeError):
        return {}


def _is_image(field: "pyarrow.Field", feature: Any) -> bool:
    types = _pyarrow().types
    if types.is_struct(field.type):
        return field.type.get_field_index("bytes") >= 0
    binary = types.is_binary(field.type) or types.is_large_binary(field.type)
    return binary and (field.name in ("image", "img", "jpg", "png") or (feature or {}).get("_type") == "Image")


def _classes(file: Any, column: str, feature: Any) -> list[str | None]:
    """The class of each row: a name by its number, or what stands there; None for what is unknown."""
    values = file.read(columns=[column]).column(0).to_pylist()
    names = feature.get("names") if isinstance(feature, dict) else None
    found: list[str | None] = []
    for value in values:
        if value is None or isinstance(value, list | dict) or value == -1:
            name = None
        elif names and isinstance(value, int):
            name = str(names[value]) if 0 <= value < len(names) else None
        else:
            name = str(value)
        found.append(None if name is None or name.casefold().startswith(UNKNOWN) else name)
    return found


def _words(file: Any, features: dict[str, Any], label: str | None) -> list[list[str]]:
    """What is said of each row, in one or more wordings; else, the names of its classes, of `label` if need be."""
    names = file.schema_arrow.names
    column = next((name for name in WORDS if name in names), None)
    if column is not None:
        values = file.read(columns=[column]).column(0).to_pylist()
        wordings = [value if isinstance(value, list) else [value] for value in values]
        return [
            [captions.plain(text) for text in some if isinstance(text, str) and text.strip()] for some in wordings
        ]
    kinds = [name for name in ("genre", "artist", "style") if name in names] or [label] * (label is not None)
    columns = [_classes(file, name, features.get(name, {})) for name in kinds]
    return [
        [", ".join(name.replace("_", " ").replace("-", " ").lower() for name in row if name)] if any(row) else []
        for row in zip(*columns, strict=True)
    ] or [[]] * file.metadata.num_rows


def _open(table: Table, rows: Sequence[int]) -> Iterator[Opened]:
    """The pictures in these rows, which ascend; groups of rows with none of them are left out."""
    wanted, at = set(rows), 0
    with _open_file(table.path) as file:
        for group in range(file.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            if wanted.isdisjoint(range(at, at + size)):
                at += size
                continue
            for batch in file.iter_batches(ROWS, row_groups=[group], columns=[table.column], use_threads=False):
                for value in batch.column(0):
                    if at in wanted:
                        yield _opened(value)
                    at += 1


def _opened(value: Any) -> Opened:
    """A row's picture; what has none, is for the decoder to say."""
    found = value["bytes"] if hasattr(value, "keys") and value.is_valid else value
    return nullcontext(found.as_py() or b"")
