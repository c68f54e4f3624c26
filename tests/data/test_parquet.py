"""Parquet files with the schema of Hugging Face's."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from core.errors import GessoError
from data import image_folder, parquet, wikiart

pyarrow = pytest.importorskip("pyarrow", reason="the extra [parquet] is not installed")
pytest.importorskip("pyarrow.parquet")
STYLES = ["Art_Nouveau", "Baroque", "Cubism"]
NAMES = {"artist": ["Unknown Artist", "claude-monet"], "genre": ["landscape", "Unknown Genre"], "style": STYLES}


@pytest.fixture(scope="module")
def files(two_classes) -> list[Path]:
    return sorted(two_classes.rglob("*.png"))


@pytest.fixture(scope="module")
def folder(files, tmp_path_factory) -> Path:
    """As huggan/wikiart is downloaded: two files, several groups of rows in each."""
    folder = tmp_path_factory.mktemp("hub") / "wikiart"
    for part in range(2):
        write(folder / "data" / f"train-0000{part}-of-00002.parquet", files[part::2], part)
    return folder


def write(path: Path, files: list[Path], offset: int = 0, **columns) -> None:
    import pyarrow.parquet

    count = len(files)
    struct = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    rows = [{"bytes": file.read_bytes(), "path": None} for file in files]
    table = {
        "image": pyarrow.array(rows, struct),
        "artist": pyarrow.array([i % 2 for i in range(count)], pyarrow.int64()),
        "genre": pyarrow.array([i % 2 for i in range(count)], pyarrow.int64()),
        "style": pyarrow.array([(i + offset) % 3 for i in range(count)], pyarrow.int64()),
        **columns,
    }
    features = {name: {"num_classes": 3, "names": NAMES[name], "id": None, "_type": "ClassLabel"} for name in NAMES}
    features["image"] = {"decode": True, "id": None, "_type": "Image"}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.table(table).replace_schema_metadata(metadata), path, row_group_size=2)


def test_wikiart_finds_them(folder, files, two_classes, tmp_path):
    dataset = wikiart.load(str(folder), 16, str(tmp_path))
    assert dataset.spec.name == "wikiart" and dataset.spec.class_names == tuple(STYLES)
    assert dataset.labels.tolist() == [i % 3 for i in range(5)] + [(i + 1) % 3 for i in range(4)]
    expected = image_folder.load(str(two_classes), 16, str(tmp_path))
    order = [*range(0, 9, 2), *range(1, 9, 2)]
    np.testing.assert_array_equal(dataset.images[np.arange(9)], expected.images[np.array(order)])
    said = wikiart.load(str(folder), 16, str(tmp_path), text=True).captions
    assert [list(of_one) for of_one in said][:2] == [["landscape, art nouveau"], ["claude monet, baroque"]]
    for label, name, kept in (("genre", "landscape", 5), ("artist", "claude-monet", 4)):
        found = wikiart.load(str(folder), 16, str(tmp_path), label=label)
        assert found.spec.class_names == (name,) and len(found) == kept
        assert found.fingerprint != dataset.fingerprint


def test_options(folder, files, tmp_path, compose_dataset, caplog):
    options = (f"root={folder}", "label=genre", "split=train", "limit=3")
    assert len(compose_dataset("parquet", *options)) == 3
    some = parquet.load(str(folder), 16, str(tmp_path), label="style", limit=4)  # leaves groups of rows out
    whole = parquet.load(str(folder), 16, str(tmp_path), label="style")
    np.testing.assert_array_equal(some.images[np.arange(4)], whole.images[np.array([0, 2, 4, 6])])
    one = parquet.load(str(folder / "data" / "train-00001-of-00002.parquet"), 16, str(tmp_path), label="style")
    np.testing.assert_array_equal(one.images[np.arange(4)], whole.images[np.arange(5, 9)])
    with pytest.raises(GessoError, match=r"begins with dataset\.split=test; there are train"):
        parquet.load(str(folder), 16, str(tmp_path), split="test")
    for split, part in (("train", 0), ("test", 1)):
        (tmp_path / "parts" / split).mkdir(parents=True)
        file = folder / "data" / f"train-0000{part}-of-00002.parquet"
        (tmp_path / "parts" / split / "0000.parquet").write_bytes(file.read_bytes())
    parts = str(tmp_path / "parts")
    assert not caplog.records
    both = parquet.load(parts, 16, str(tmp_path))
    assert "train and test are read together; dataset.split=train reads one" in caplog.text
    assert len(parquet.load(parts, 16, str(tmp_path), split="test")) == len(both) - 5
    with pytest.raises(GessoError, match=r"dataset\.label=mood: .* has style, genre, artist"):
        parquet.load(str(folder), 16, str(tmp_path), label="mood")


def test_other_columns(files, tmp_path, caplog):
    """Names as texts, rows without a class or a picture, words."""
    rows = [{"bytes": file.read_bytes(), "path": None} for file in files[:3]] + [{"bytes": None, "path": "a.png"}]
    labels = pyarrow.array(["cat", None, "dog", "dog"])
    path = tmp_path / "a.parquet"
    columns = {
        "image": pyarrow.array(rows),
        "label": labels,
        "caption": pyarrow.array([["a"], [], ["two", "wordings "], ["b"]]),
    }
    with caplog.at_level("INFO"):
        write(path, files[:4], **columns)
        dataset = parquet.load(str(path), 16, str(tmp_path / "cache"), text=True)
    assert dataset.spec.class_names == ("cat", "dog") and dataset.labels.tolist() == [0, 1]
    assert dataset.skipped == ("a.parquet:3: is empty",)
    assert [list(said) for said in dataset.captions] == [["a"], ["two", "wordings"]]
    assert "3 of 4 pictures have a label" in caplog.text
    write(tmp_path / "b.parquet", files[:4], **(columns | {"caption": labels}))
    table = pyarrow.parquet.read_table(tmp_path / "b.parquet").select(["image", "label"])
    pyarrow.parquet.write_table(table, tmp_path / "b.parquet")
    dataset = parquet.load(str(tmp_path / "b.parquet"), 16, str(tmp_path / "cache"), text=True)
    assert [list(said) for said in dataset.captions] == [["cat"], ["dog"]]  # words are those of the classes


def test_what_cannot_be_read_is_said(folder, tmp_path, monkeypatch):
    whole = next(folder.rglob("*.parquet")).read_bytes()
    (tmp_path / "a.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(GessoError, match=r"a\.parquet is no parquet file, or it is damaged or cut off"):
        parquet.load(str(tmp_path), 16, str(tmp_path / "cache"))
    (tmp_path / "a.parquet").write_bytes(whole[:4] + bytes(60) + whole[64:])
    with pytest.raises(GessoError, match=r"a\.parquet is no parquet file, or it is damaged"):
        parquet.load(str(tmp_path), 16, str(tmp_path / "cache"))
    with pytest.raises(GessoError, match="dataset=parquet reads them"):
        image_folder.load(str(tmp_path), 16, str(tmp_path / "cache"))
    write(tmp_path / "a.parquet", [], image=pyarrow.array([], pyarrow.string()))
    with pytest.raises(GessoError, match="no column of pictures, with their bytes, but image, artist"):
        parquet.load(str(tmp_path), 16, str(tmp_path / "cache"))
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(GessoError, match=r"extra \[parquet\]: pip install"):
        parquet.load(str(tmp_path), 16, str(tmp_path / "cache"))


def shared(value, rows: int):
    """A column in which one value stands for every row."""
    return pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * rows, pyarrow.int32()), pyarrow.array([value]))


def packed(path: Path, **columns) -> Path:
    """Writes columns into a file of a few kilobytes."""
    options = {"compression": "zstd", "dictionary_pagesize_limit": 2**30, "store_schema": False}
    pyarrow.parquet.write_table(pyarrow.table(columns), path, **options)
    assert path.stat().st_size < 20_000
    return path


def test_rows_are_no_more_than_a_file_of_its_size_holds(tmp_path):
    path = packed(tmp_path / "a.parquet", image=pyarrow.nulls(100_000, pyarrow.binary()))
    with pytest.raises(GessoError, match=r"a\.parquet claims to have 100000 rows"):
        parquet.find(str(path))
    (tmp_path / "some").mkdir()
    for i in (1, 2):  # nor are those of many
        packed(tmp_path / "some" / f"{i}.parquet", image=pyarrow.nulls(30_000, pyarrow.binary()))
    assert len(parquet.find(str(tmp_path / "some")).pictures) == 60_000
    packed(tmp_path / "some" / "3.parquet", image=pyarrow.nulls(30_000, pyarrow.binary()))
    with pytest.raises(GessoError, match=r"3\.parquet claims to have 30000 rows"):
        parquet.find(str(tmp_path / "some"))


def test_a_text_that_stands_for_many_rows_is_one(tmp_path):
    image = shared(b"x", 64)
    for name, column in (("label", shared("x" * 2_000_000, 64)), ("genre", shared("x" * 2000, 64))):
        path = packed(tmp_path / "a.parquet", image=image, **{name: column})
        with pytest.raises(GessoError, match=f"a class in column {name} has a name of 2000+ characters"):
            parquet.find(str(path))
    path = packed(tmp_path / "a.parquet", image=image, text=shared("x" * 2_000_000, 64))
    with pytest.raises(GessoError, match=r"a text in column text has 2\.0 MB"):
        parquet.find(str(path), text=True)
    ours = {"genre": shared("a_b", 64), "style": shared("C", 64)}
    for columns in ({"text": shared("x" * 500_000, 64)}, ours):
        said = parquet.find(str(packed(tmp_path / "a.parquet", image=image, **columns)), text=True).said
        assert len(said) == 64 and len({id(text) for some in said for text in some}) == 1


def test_texts_are_no_more_than_a_file_of_its_size_holds(tmp_path):
    texts = pyarrow.array([f"{i:9}" + "x" * 10**6 for i in range(80)])
    path = packed(tmp_path / "a.parquet", image=shared(b"x", 80), text=texts)
    with pytest.raises(GessoError, match=r"claims to unpack to 0\.1 GB"):
        parquet.find(str(path))
    many = pyarrow.array(range(101), pyarrow.int32())
    lists = pyarrow.ListArray.from_arrays(many, shared("x" * 900_000, 100))  # as often as they occur
    path = packed(tmp_path / "a.parquet", image=shared(b"x", 100), text=lists)
    with pytest.raises(GessoError, match="column text unpacks to more than a file of its size holds"):
        parquet.find(str(path), text=True)


def test_a_picture_does_not_stand_for_many_rows(tmp_path):
    """Of 64 MB and more: they would all be in memory, waiting to be decoded."""
    content = b"x" * 5_000_000
    source = parquet.find(str(packed(tmp_path / "a.parquet", image=shared(content, 32))))
    before, pool = pyarrow.default_memory_pool(), pyarrow.proxy_memory_pool(pyarrow.default_memory_pool())
    pyarrow.set_memory_pool(pool)
    opened = source.files(range(32))
    try:
        with next(opened) as found:
            assert found == content
        with pytest.raises(GessoError, match="larger pictures than a file of its size holds"):
            list(opened)
    finally:
        pyarrow.set_memory_pool(before)
    assert 0 < pool.max_memory() < 40_000_000  # 160 are all of them


def test_pictures_are_bytes_and_no_names_of_files(files, tmp_path):
    """A text would be taken for a path."""
    rows = pyarrow.array([{"bytes": str(files[0]), "path": None}])
    pyarrow.parquet.write_table(pyarrow.table({"image": rows}), tmp_path / "a.parquet")
    with pytest.raises(GessoError, match="has no column of pictures"):
        parquet.find(str(tmp_path))


@pytest.mark.parametrize(
    "options",
    [
        {"row_group_size": 700, "compression": "zstd"},
        {"use_dictionary": False, "data_page_version": "2.0", "data_page_size": 500},
        {"dictionary_pagesize_limit": 100, "write_batch_size": 16, "store_schema": False},
        {"use_dictionary": False, "column_encoding": {"image": "DELTA_BYTE_ARRAY"}, "write_page_checksum": True},
    ],
)
def test_values_are_those_that_pyarrow_reads(tmp_path, options):
    """Pages of all kinds, dictionaries that give way to plain pages, gaps, several groups."""
    rng = np.random.default_rng(0)
    words = [None if i % 7 == 0 else f"word {rng.integers(300)}" for i in range(2000)]
    lists = [None if i % 5 == 0 else [f"{j} {i % 90}" for j in range(i % 4)] for i in range(2000)]
    image = [None if i % 9 == 0 else rng.bytes(rng.integers(1, 90)) for i in range(2000)]
    for column, said in (("text", words), ("caption", lists)):
        for large in (False, True):
            kind = pyarrow.large_string() if large else pyarrow.string()
            kinds = {"text": kind, "caption": (pyarrow.large_list if large else pyarrow.list_)(kind)}
            table = pyarrow.table(
                {"image": image, "label": words, "number": range(2000), column: pyarrow.array(said, kinds[column])}
            )
            pyarrow.parquet.write_table(table, tmp_path / "a.parquet", **options)
            found = parquet._table(tmp_path / "a.parquet", None, True, 10**6)
            assert found.classes == words
            expected = [[text for text in (some if isinstance(some, list) else [some]) if text] for some in said]
            assert found.said == [some or [] for some in expected]
            numbers = parquet._table(tmp_path / "a.parquet", "number", False, 10**6).classes
            assert numbers == [str(i) for i in range(2000)]
            read = [opened.enter_result for opened in parquet._open(found, range(3, 1999, 2))]
            assert read == [image[row] or b"" for row in range(3, 1999, 2)]


@pytest.mark.parametrize("names", [{"a": 1}, 5, ["a", "\ud800", "c"], [1, 2, 3]])
def test_names_of_classes_that_are_none_leave_their_numbers(tmp_path, files, names):
    write(tmp_path / "a.parquet", [files[0]] * 3)
    table = pyarrow.parquet.read_table(tmp_path / "a.parquet")
    features = {"style": {"names": names, "_type": "ClassLabel"}, "image": {"_type": "Image"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    pyarrow.parquet.write_table(table.replace_schema_metadata(metadata), tmp_path / "a.parquet")
    found = parquet.load(str(tmp_path / "a.parquet"), 8, str(tmp_path / "cache"), label="style")
    assert found.spec.class_names == ("0", "1", "2")


def test_times_that_python_has_none_of_are_said_with_their_column(tmp_path, files):
    late = pyarrow.array([2**62] * 3, pyarrow.timestamp("ms"))
    write(tmp_path / "a.parquet", [files[0]] * 3, style=late)
    with pytest.raises(GessoError, match=r"a\.parquet: column style cannot be read"):
        parquet.load(str(tmp_path / "a.parquet"), 8, str(tmp_path / "cache"), label="style")
