import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import GessoError
from data import unpaired


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> tuple[Path, Path]:
    """Nine pictures and seven; the red of each says which it is, and those of the second are larger."""
    root = tmp_path_factory.mktemp("folders")
    for name, count, base, size in (("photos", 9, 0, 40), ("paintings", 7, 128, 50)):
        for i in range(count):
            folder = root / name / f"{i % 2}"  # subfolders are no classes here
            folder.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (size, size), (base + 8 * i, 0, 0)).save(folder / f"{i}.png")
    return root / "photos", root / "paintings"


@pytest.fixture(scope="module")
def dataset(folders, private_cache) -> unpaired.Unpaired:
    return unpaired.load(*map(str, folders), 32, str(private_cache))


def reds(batch) -> dict[str, list[int]]:
    return {name: np.rint((x[:, 0, 0, 0].numpy() + 1) * 127.5).astype(int).tolist() for name, x in batch.items()}


def test_what_it_is(dataset):
    assert (dataset.spec.name, len(dataset), dataset.spec.image_shape) == ("photos and paintings", 9, (32, 32, 3))
    assert dataset.spec.class_names == () and dataset.skipped == ()
    spec = dataset.stream(3, seed=1).element_spec
    assert {name: (x.shape, x.dtype) for name, x in spec.items()} == dict.fromkeys(
        "ab", ((3, 32, 32, 3), "float32")
    )


def test_each_by_itself(dataset):
    batches = [reds(batch) for batch in dataset.stream(3, seed=1).take(21)]
    first, second = ([x for batch in batches for x in batch[name]] for name in "ab")
    assert sorted(first[:9]) == [8 * i for i in range(9)]
    assert sorted(second[:7]) == [128 + 8 * i for i in range(7)]
    assert len(set(zip(first, second, strict=True))) > 30  # of 63: all with all, not always the same two


def test_of_the_smaller_folder_pictures_come_oftener(dataset):
    batch = reds(next(iter(dataset.stream(9, seed=1))))
    assert len(set(batch["a"])) == 9 and sorted(set(batch["b"])) == [128 + 8 * i for i in range(7)]
    with pytest.raises(GessoError, match=r"batch_size=10, but .* 9 pictures"):
        dataset.stream(10, seed=1)
    assert {len(pictures) for pictures in dataset.examples(20).values()} == {7}


def test_one_folder_twice_is_not_in_step(folders, private_cache):
    dataset = unpaired.load(str(folders[0]), str(folders[0]), 32, str(private_cache))
    batches = [reds(batch) for batch in dataset.stream(9, seed=1).take(10)]
    same = np.mean([batch["a"][i] == batch["b"][i] for batch in batches for i in range(9)])
    assert same < 0.35  # one in nine by chance; 0.03 is one standard deviation
    shown = {name: pictures[:, 0, 0, 0].tolist() for name, pictures in dataset.examples(9).items()}
    assert shown["a"] != shown["b"] and sorted(shown["a"]) == sorted(shown["b"])


def test_goes_on_where_it_was(tmp_path, private_cache):
    """With crops and mirrors: no two views of noise are the same."""
    for name in "ab":
        (tmp_path / name).mkdir()
        for i in range(5):
            noise = np.random.default_rng([i, ord(name)]).integers(0, 256, (48, 64, 3), np.uint8)
            Image.fromarray(noise).save(tmp_path / name / f"{i}.png")
    dataset = unpaired.load(str(tmp_path / "a"), str(tmp_path / "b"), 32, str(private_cache))
    straight = list(dataset.stream(3, seed=1).take(6).as_numpy_iterator())
    resumed = list(dataset.stream(3, seed=1, start_step=4).take(2).as_numpy_iterator())
    for one, other in zip(straight[4:], resumed, strict=True):
        assert all(one[name].tobytes() == other[name].tobytes() for name in "ab")
    assert straight[0]["a"].tobytes() != next(dataset.stream(3, seed=2).as_numpy_iterator())["a"].tobytes()


def test_examples(dataset):
    examples = dataset.examples(64)
    assert {name: (x.shape, x.dtype) for name, x in examples.items()} == dict.fromkeys(
        "ab", ((7, 32, 32, 3), np.float32)
    )
    assert len(dataset.examples(2)["b"]) == 2
    np.testing.assert_array_equal(dataset.examples(3, seed=5)["a"], dataset.examples(3, seed=5)["a"])


def test_what_cannot_be_read_is_named(folders, tmp_path, private_cache, caplog):
    (tmp_path / "b").mkdir()
    Image.new("RGB", (40, 40)).save(tmp_path / "b" / "whole.png")
    (tmp_path / "b" / "broken.png").write_text("no picture")
    with caplog.at_level(logging.WARNING):
        dataset = unpaired.load(str(folders[0]), str(tmp_path / "b"), 32, str(private_cache))
    assert len(dataset.second) == 1 and len(dataset.skipped) == 1 and dataset.skipped[0].startswith("broken.png: ")
    assert "broken.png" in caplog.text


def test_both_folders_are_needed_and_named(folders, tmp_path):
    for a, b in ((None, str(folders[1])), (str(folders[0]), None)):
        with pytest.raises(GessoError, match=r"dataset\.a=.*dataset\.b="):
            unpaired.load(a, b, 32, str(tmp_path))
    with pytest.raises(GessoError, match=r"nowhere does not exist.*dataset\.b=<folder>"):
        unpaired.load(str(folders[0]), str(tmp_path / "nowhere"), 32, str(tmp_path))
    with pytest.raises(GessoError, match=r"No pictures in .*\(dataset\.a\)"):
        unpaired.load(str(tmp_path), str(folders[1]), 32, str(tmp_path))


def test_unpaired_yaml(folders, compose_dataset):
    dataset = compose_dataset("unpaired", f"a={folders[0]}", f"b={folders[1]}")
    assert len(dataset) == 9 and dataset.first.flip and dataset.spec.image_shape == (16, 16, 3)
