"""Clusters of pictures, which take the place of classes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import GessoError
from data import image_folder, mnist
from data.clusters import clustered, small

COLORS = np.array([[250, 10, 10], [10, 240, 20], [20, 20, 230]], np.uint8)
rng = np.random.default_rng(0)


def noisy(colors: np.ndarray, size: int = 32) -> np.ndarray:
    """Pictures uint8 `[n, size, size, 3]` of about these colours `[n, 3]`."""
    noise = rng.integers(-10, 10, (len(colors), size, size, 3))
    return (colors[:, None, None].astype(int) + noise).clip(0, 255).astype(np.uint8)


def test_pictures_of_a_kind_are_together_the_largest_kind_first(tmp_path):
    kinds = rng.permutation([0] * 20 + [1] * 50 + [2] * 30)
    labels, names = clustered(noisy(COLORS[kinds]), 3, False, {"of": 1}, tmp_path)
    assert labels.dtype == np.int32 and np.bincount(labels).tolist() == [50, 30, 20]
    np.testing.assert_array_equal(labels, np.array([2, 0, 1])[kinds])
    assert [name[:2] for name in names] == ["0-", "1-", "2-"]


def test_kinds_are_also_told_by_forms(tmp_path):
    """Light left or light right, of the same colours altogether."""
    left = np.zeros((40, 32, 32, 1), np.uint8)
    left[:, :, :16] = 255
    sides = rng.permutation([True, False] * 20)
    images = np.where(sides[:, None, None, None], left, left[:, :, ::-1])
    labels, _ = clustered(images, 2, False, {"of": 1}, tmp_path)
    np.testing.assert_array_equal(labels == labels[0], sides == sides[0])


def test_with_flip_a_mirror_image_is_of_the_same(tmp_path):
    """Told apart by a form of its own: light at one side, or in the middle, of the same colours altogether."""
    side, middle = np.zeros((2, 40, 32, 32, 1), np.uint8)
    side[:, :, :16], middle[:, :, 8:24] = 255, 255
    side[::3] = side[::3, :, ::-1]
    kinds = rng.permutation([True, False] * 20)
    images = np.where(kinds[:, None, None, None], side, middle)
    labels, _ = clustered(images, 2, True, {"of": 1}, tmp_path)
    np.testing.assert_array_equal(labels == labels[0], kinds == kinds[0])
    np.testing.assert_array_equal(clustered(images[:, :, ::-1], 2, True, {"of": 2}, tmp_path)[0], labels)
    anything = rng.integers(0, 256, (3, 48, 31, 3), np.uint8)
    np.testing.assert_allclose(small(anything, True), small(anything[:, :, ::-1], True))
    apart = np.linalg.norm(small(anything, True)[0] - small(anything, True)[1])
    assert 0 < apart <= np.linalg.norm(small(anything, False)[0] - small(anything, False)[1]) * 1.001


def test_of_each_class_there_are_so_many(tmp_path):
    """The same colours in both classes, and in one of them but two that are hardly apart."""
    classes, kinds = rng.integers(0, 2, 400), rng.integers(0, 2, 400)
    colors = np.where(classes[:, None] == 0, COLORS[kinds], COLORS[[2]] - 4 * kinds[:, None])
    images = noisy(colors.astype(np.uint8), 8)
    labels, names = clustered(images, 2, False, {"of": 1}, tmp_path, "class", classes, ("dots", "lines"))
    assert [name.rsplit("-")[0] for name in names] == ["dots/00", "dots/01", "lines/00", "lines/01"]
    np.testing.assert_array_equal(labels >= 2, classes == 1)
    for i in (0, 1):
        counts = np.bincount(labels[classes == i])[2 * i :]
        assert counts[0] >= counts[1] > 0
        purest = [np.bincount(kinds[labels == 2 * i + j]).max() for j in (0, 1)]
        assert sum(purest) == sum(classes == i)
    few = np.where(np.arange(400) < 3, 0, 1)  # of which there are fewer than clusters
    labels, names = clustered(images, 5, False, {"of": 1}, tmp_path, "class", few, ("dots", "lines"))
    assert 1 <= sum(name.startswith("dots/") for name in names) <= 3
    assert len({name for name in names if name.startswith("lines/")}) == 5 == len(names) - (labels[:3].max() + 1)
    for lacks, num, known in (("how many", None, few), ("no classes", 2, None)):
        with pytest.raises(GessoError, match=lacks):
            clustered(images, num, False, {"of": 1}, tmp_path, "class", known, ("dots", "lines"))
    assert clustered(images, None, False, {"of": 1}, tmp_path, "all", few, ["dots"]) == (few, ("dots",))


def test_what_is_like_nothing_else_is_no_cluster(tmp_path):
    kinds = np.array([0] * 50 + [1] * 50 + [2])
    labels, names = clustered(noisy(COLORS[kinds]), 3, False, {"of": 1}, tmp_path)
    assert 2 <= len(names) == labels.max() + 1
    assert np.bincount(labels).min() >= 3  # a tenth of the average, 34


@pytest.mark.parametrize(("kinds", "num"), [(1, 5), (2, 7)])
def test_of_pictures_all_alike_there_are_as_few_clusters_as_kinds(kinds, num, tmp_path, recwarn):
    images = np.repeat(COLORS[:kinds], 20, axis=0)[:, None, None] * np.ones((1, 32, 32, 1), np.uint8)
    labels, names = clustered(images, num, False, {"of": 1}, tmp_path)
    for i in range(kinds):
        assert len(set(labels[20 * i : 20 * i + 20].tolist())) == 1
    assert len(set(labels.tolist())) == len(names) == kinds and not recwarn.list


def test_they_are_found_once_and_named_by_who_is_in_them(tmp_path, monkeypatch):
    kinds = np.arange(30) % 3
    images = noisy(COLORS[kinds])
    first = clustered(images, 3, False, {"of": 1}, tmp_path)
    moved = clustered(images, 3, False, {"of": 2}, tmp_path)
    np.testing.assert_array_equal(first[0], moved[0])
    assert first[1] == moved[1]
    other = clustered(noisy(COLORS[rng.permutation(kinds)]), 3, False, {"of": 3}, tmp_path)
    assert len(other[1]) == 3 and not set(first[1]) & set(other[1])
    monkeypatch.setattr("data.clusters._clusters", lambda *_: pytest.fail("looked for again"))
    again = clustered(images, 3, False, {"of": 1}, tmp_path)
    np.testing.assert_array_equal(first[0], again[0])
    assert first[1] == again[1]
    with pytest.raises(GessoError, match="=31, but there are 30 pictures"):
        clustered(images, 31, False, {"of": 1}, tmp_path)


@pytest.mark.parametrize("size", [8, 16, 31, 32, 50, 64])
def test_pictures_are_averaged(size):
    images = rng.integers(0, 256, (2, size, size, 3), np.uint8)
    by = max(1, size // 16)
    found = small(images, False).reshape(2, size // by, size // by, 3)
    for i, j in ((0, 0), (3, 5), (size // by - 1, 2)):
        part = images[:, i * by : i * by + by, j * by : j * by + by]
        np.testing.assert_allclose(found[:, i, j], part.mean((1, 2)))


@pytest.mark.parametrize("store", ["decoded", "encoded"])
@pytest.mark.parametrize("balance", [False, True])
def test_a_folder_without_classes_has_clusters(tmp_path, store, balance):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i, image in enumerate(noisy(COLORS[[0, 0, 0, 0, 0, 0, 1, 1]], 40)):
        Image.fromarray(image).save(folder / f"{i}.png")
    cache = str(tmp_path / "cache")
    dataset = image_folder.load(str(folder), 32, cache, clusters=2, balance=balance, store=store)
    assert dataset.labels.tolist() == [0] * 6 + [1] * 2
    assert dataset.spec.num_classes == 2
    assert dataset.spec.shares == ((0.5, 0.5) if balance else (0.75, 0.25))
    batch = next(iter(dataset.stream(8, seed=1)))
    assert np.bincount(batch["label"].numpy()).tolist() == ([4, 4] if balance else [6, 2])
    plain = image_folder.load(str(folder), 32, cache, store=store)
    assert plain.spec.shares == () and plain.fingerprint != dataset.fingerprint


def test_digits_of_a_cluster_are_mostly_one_digit(test_data: Path, tmp_path):
    plain = mnist.load(32, str(tmp_path), str(test_data), "test")
    found = mnist.load(32, str(tmp_path), str(test_data), "test", clusters=60)
    assert found.spec.name == "mnist" and 50 <= found.spec.num_classes <= 60
    counts = np.zeros((found.spec.num_classes, 10), int)
    np.add.at(counts, (found.labels, plain.labels), 1)
    assert counts.max(1).sum() > 0.75 * len(found)
