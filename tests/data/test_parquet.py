"""Parquet files with the schema of Hugging Face's."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from core.errors import GessoError
from data import image_folder, parquet, wikiart

pyarrow = pytest.importorskip("pyarrow", reason="the extra [parquet] is not installed")
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
