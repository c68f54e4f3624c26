import hashlib
from pathlib import Path

import numpy as np
import pytest

from core.errors import GessoError
from data import mnist
from data.mnist import load


@pytest.fixture
def made(tmp_path) -> Path:
    """A folder with an mnist.npz of 30 training and 10 test digits; a digit n is all of brightness 10 n + 9."""
    root = tmp_path / "mnist"
    root.mkdir()
    arrays = {}
    for part, count in (("train", 30), ("test", 10)):
        labels = np.arange(count, dtype=np.uint8)[::-1] % 10
        digits = np.zeros((count, 28, 28), np.uint8)
        digits[:] = (10 * labels + 9)[:, None, None]
        arrays |= {f"x_{part}": digits, f"y_{part}": labels}
    np.savez(root / "mnist.npz", **arrays)
    return root


def test_padded_to_32(made, tmp_path):
    dataset = load(32, str(tmp_path / "cache"), str(made))
    assert dataset.spec.name == "mnist" and dataset.spec.image_shape == (32, 32, 1) and len(dataset) == 30
    assert dataset.spec.class_names == tuple("0123456789") and dataset.labels.dtype == np.int32
    images = dataset.images[np.arange(30)]
    assert images.dtype == np.uint8 and images.shape == (30, 32, 32, 1)
    inside = images[:, 2:-2, 2:-2, 0]
    assert (inside == (10 * dataset.labels + 9)[:, None, None]).all()
    assert images.astype(int).sum() == inside.astype(int).sum()  # nothing but black around
    assert not (tmp_path / "cache").exists()  # no need


@pytest.mark.parametrize("size", [16, 28, 64])
def test_other_sizes_are_resized_and_cached(made, tmp_path, size):
    for _ in range(2):
        dataset = load(size, str(tmp_path / "cache"), str(made), split="test")
        images = dataset.images[np.arange(10)]
        assert images.shape == (10, size, size, 1) and dataset.spec.image_shape == (size, size, 1)
        np.testing.assert_array_equal(images[:, size // 2, size // 2, 0], 10 * dataset.labels + 9)
        assert images[:, 0, 0].max() < 10
    assert len([path for path in (tmp_path / "cache").iterdir() if path.is_dir()]) == 1
    load(size, str(tmp_path / "cache"), str(made), split="train")
    load(size, str(tmp_path / "cache"), str(made), split="test", limit=5)
    assert len([path for path in (tmp_path / "cache").iterdir() if path.is_dir()]) == 3


@pytest.mark.parametrize("size", [32, 16])
def test_streams(made, tmp_path, size):
    batch = next(iter(load(size, str(tmp_path / "cache"), str(made)).stream(30, 1)))
    assert batch["image"].shape == (30, size, size, 1)
    middle = np.rint((batch["image"].numpy()[:, size // 2, size // 2, 0] + 1) * 127.5)
    np.testing.assert_array_equal(middle, 10 * batch["label"].numpy() + 9)
    assert np.bincount(batch["label"].numpy()).tolist() == [3] * 10


def test_split_and_limit(made, tmp_path):
    def count(**arguments) -> int:
        dataset = load(32, str(tmp_path / "cache"), str(made), **arguments)
        assert len(dataset.labels) == len(dataset)
        return len(dataset)

    assert [count(split=split) for split in ("train", "test", "all")] == [30, 10, 40]
    assert [count(limit=7), count(limit=7, split="all"), count(limit=1000)] == [7, 7, 30]
    with pytest.raises(GessoError, match=r"dataset\.split=validation.*train, test, all"):
        count(split="validation")
    with pytest.raises(GessoError, match="limit=0"):
        count(limit=0)


def test_digits_can_be_balanced(made, tmp_path):
    dataset = load(32, str(tmp_path / "cache"), str(made), limit=16, balance=True)
    had = np.bincount(dataset.labels, minlength=10)
    assert had.min() < had.max()
    labels = np.concatenate([batch["label"] for batch in dataset.stream(10, 1).take(had.astype(bool).sum())])
    assert np.bincount(labels, minlength=10).tolist() == np.where(had > 0, 10, 0).tolist()


def test_a_missing_file_is_explained(tmp_path):
    with pytest.raises(GessoError, match=r"no .*mnist\.npz.*dataset\.root="):
        load(32, str(tmp_path), str(tmp_path / "none"))


@pytest.mark.parametrize(
    "content",
    [
        "empty", "text", "other keys", "other shape", "cut off", "numbers missing", "no digits", "no grey levels",
        "numbers in a column",
    ],
)  # fmt: skip
def test_a_wrong_file_is_explained(made, tmp_path, content):
    path = made / "mnist.npz"
    with np.load(path) as file:
        arrays = dict(file)
    if content == "other keys":
        np.savez(path, images=arrays["x_train"])
    elif content == "other shape":
        np.savez(path, **(arrays | {"x_train": np.zeros((30, 32, 32), np.uint8)}))
    elif content == "numbers missing":
        np.savez(path, **(arrays | {"y_train": arrays["y_train"][:-1]}))
    elif content == "no digits":
        np.savez(path, **(arrays | {"y_train": arrays["y_train"] + 7}))
    elif content == "no grey levels":
        np.savez(path, **(arrays | {"x_train": arrays["x_train"] / 255}))
    elif content == "numbers in a column":
        np.savez(path, **(arrays | {"y_train": arrays["y_train"][:, None]}))
    else:
        path.write_bytes({"empty": b"", "text": b"hello", "cut off": path.read_bytes()[:20000]}[content])
    with pytest.raises(GessoError, match=r"mnist\.npz"):
        load(32, str(tmp_path / "cache"), str(made))


def test_what_unpacks_to_far_more_than_it_is_is_not_read(made, tmp_path, monkeypatch):
    np.savez_compressed(made / "mnist.npz", x_train=np.zeros((100_000, 28, 28), np.uint8))
    monkeypatch.setattr(mnist.np, "load", None)  # which would unpack it
    with pytest.raises(GessoError, match=r"it would unpack to 0\.1 GB"):
        load(32, str(tmp_path / "cache"), str(made))


def test_kerass_copy_is_the_default(made, tmp_path, monkeypatch):
    (tmp_path / "home" / ".keras" / "datasets").mkdir(parents=True)
    (made / "mnist.npz").rename(tmp_path / "home" / ".keras" / "datasets" / "mnist.npz")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert len(load(32, str(tmp_path / "cache"))) == 30


def test_it_is_downloaded_once_and_only_if_it_is_what_it_was(made, tmp_path, monkeypatch, caplog):
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(mnist, "URL", (made / "mnist.npz").as_uri())
    with pytest.raises(GessoError, match=r"could not be downloaded .*is not the file that it was.*dataset\.root="):
        load(32, str(tmp_path / "cache"))
    assert not list(home.rglob("*.npz"))
    monkeypatch.setattr(mnist, "SHA256", hashlib.sha256((made / "mnist.npz").read_bytes()).hexdigest())
    assert len(load(32, str(tmp_path / "cache"))) == 30
    monkeypatch.setattr(mnist, "URL", (tmp_path / "none").as_uri())
    assert len(load(32, str(tmp_path / "cache"))) == 30
    (home / ".keras" / "datasets" / "mnist.npz").unlink()
    with pytest.raises(GessoError, match=r"could not be downloaded .*No such file"):
        load(32, str(tmp_path / "cache"))


def test_the_real_file(test_data, tmp_path):
    if not (test_data / "mnist.npz").is_file():
        pytest.skip("no mnist.npz")
    train, test = (load(32, str(tmp_path), str(test_data), split=split) for split in ("train", "test"))
    assert (len(train), len(test)) == (60000, 10000)
    assert train.labels[:5].tolist() == [5, 0, 4, 1, 9] and test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(train.labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    images = train.images[np.arange(100)]
    assert images.max() == 255 and images[:, :2].max() == 0  # white on black
    assert len(load(32, str(tmp_path), str(test_data), split="all", limit=500)) == 500
