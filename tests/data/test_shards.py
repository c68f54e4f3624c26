"""Shards of the cache: what stops the work, and what changes, costs one of them."""

import os
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from core.errors import GessoError
from data import image_folder, leftovers, shards


@pytest.fixture
def few(monkeypatch):
    """Shards of a handful of pictures."""
    monkeypatch.setattr(shards, "LEAST", 2)
    monkeypatch.setattr(shards, "MEAN", 5)


@pytest.fixture
def folder(tmp_path, save_noise) -> Path:
    for i in range(40):
        save_noise(tmp_path / "pictures" / f"{i:02}.png", i)
    return tmp_path / "pictures"


@pytest.fixture
def decoded(monkeypatch) -> list[int]:
    """How many pictures were decoded, shard by shard."""
    counts, decode_all = [], shards.decode_all
    monkeypatch.setattr(
        shards, "decode_all", lambda names, *rest: (counts.append(len(names)), decode_all(names, *rest))
    )
    return counts


def load(folder: Path, **options):
    return image_folder.load(str(folder), 8, str(folder.parent / "cache"), crop="random", **options)


def test_they_are_one_set(folder, tmp_path, few, decoded, monkeypatch):
    """The same pictures in the same order as of one shard; the same batches to the bit."""
    split = load(folder)
    assert len(decoded) > 4 and sum(decoded) == 40 and max(decoded) < 20
    monkeypatch.setattr(shards, "LEAST", 5000)
    whole = image_folder.load(str(folder), 8, str(tmp_path / "other"), crop="random")
    assert decoded[-1] == 40
    np.testing.assert_array_equal(split.images[np.arange(40)], whole.images[np.arange(40)])
    np.testing.assert_array_equal(split.images.sources, np.arange(40))
    one, other = (next(iter(dataset.stream(40, seed=1)))["image"] for dataset in (split, whole))
    np.testing.assert_array_equal(one, other)
    assert split.fingerprint == whole.fingerprint


def test_a_change_costs_its_shard(folder, few, decoded, save_noise):
    load(folder)
    sizes = list(decoded)

    def cost() -> int:
        decoded.clear()
        load(folder)
        return sum(decoded)

    assert cost() == 0
    save_noise(folder / "20.png", 100)
    assert 0 < cost() <= max(sizes)
    (folder / "21.png").unlink()
    assert cost() <= 2 * max(sizes)  # one that began a shard joins two
    (folder / "22.png").rename(folder / "220.png")
    assert cost() <= 3 * max(sizes)
    save_noise(folder / "00.png", 101)
    save_noise(folder / "99.png", 102)
    assert cost() <= 3 * max(sizes)


def test_what_stops_the_work_costs_its_shard(folder, few, decoded, monkeypatch):
    decode_opened, seen = image_folder.decode_opened, []

    def stopped(file, *rest):
        seen.append(file)
        if len(seen) == 25:
            raise KeyboardInterrupt
        return decode_opened(file, *rest)

    monkeypatch.setattr(image_folder, "decode_opened", stopped)
    with pytest.raises(KeyboardInterrupt):
        load(folder)
    begun = sum(decoded)

    def useless() -> int:
        return len([entry for entry in leftovers.entries(folder.parent / "cache") if entry.useless])

    assert begun > 8 and not useless()
    decoded.clear()
    assert len(load(folder)) == 40
    assert sum(decoded) <= 40 - begun + 20
    (folder / "20.png").write_bytes((folder / "19.png").read_bytes())
    del seen[:]
    seen += range(24)
    with pytest.raises(KeyboardInterrupt):
        load(folder)
    assert useless() == 1  # the shard that it was in, and none of those after it


def test_a_trusted_folder_is_not_looked_at(folder, decoded, save_noise, monkeypatch):
    first = load(folder, trust_cache=True)
    (folder / "03.png").unlink()
    save_noise(folder / "99.png", 100)
    monkeypatch.setattr("os.scandir", None)
    again = load(folder, trust_cache=True)
    assert len(again) == 40 and decoded == [40] and again.fingerprint == first.fingerprint
    monkeypatch.undo()
    assert load(folder).skipped == () and len(load(folder)) == 40
    (folder / "00.png").unlink()
    assert len(load(folder, trust_cache=True)) == 39  # looked at anew, as what was kept is forgotten
    empty = folder.parent / "empty"
    empty.mkdir()
    for _ in range(2):
        with pytest.raises(GessoError, match="No pictures"):
            image_folder.load(str(empty), 8, str(folder.parent / "cache"), trust_cache=True)
    save_noise(empty / "0.png", 0)
    assert len(image_folder.load(str(empty), 8, str(folder.parent / "cache"), trust_cache=True)) == 1


def test_a_shard_of_which_nothing_can_be_read(folder, few, decoded):
    parts = shards.split([f"{i:02}.png" for i in range(40)])
    for i in parts[1]:
        (folder / f"{i:02}.png").write_text("x")
    dataset = load(folder)
    assert len(dataset) == 40 - len(parts[1]) == len(dataset.images[np.arange(len(dataset))])
    assert [line.split(":")[0] for line in dataset.skipped] == [f"{i:02}.png" for i in parts[1]]
    assert next(iter(dataset.stream(4, 1)))["image"].shape == (4, 8, 8, 3)


def test_sizes_and_steadiness():
    """Whatever is named how: about as many in each, and an insertion moves no other border."""
    for name in ("{:06}.jpg", "a/{}.png", "data/train-0-of-9.parquet:{}"):
        names = [name.format(i) for i in range(60_000)]
        sizes = [len(part) for part in shards.split(names)]
        assert sum(sizes) == 60_000 and 6 <= len(sizes) <= 15 and min(sizes[:-1]) >= shards.LEAST
        ends = {names[part.start] for part in shards.split(names)}
        more = [*names[:30_000], "new.jpg", *names[30_000:]]
        assert len(ends ^ {more[part.start] for part in shards.split(more)}) <= 2


def test_what_is_left_over_is_found_and_removed(folder, few, capsys, monkeypatch, save_noise):
    load(folder)
    load(folder, limit=10)
    save_noise(folder / "21.png", 100)  # one that the limit leaves out
    cache = folder.parent / "cache"
    load(folder)
    left = cache / "pictures-0123456789abcdef.tmp"
    left.mkdir()
    (left / "images.bytes").write_bytes(bytes(1000))
    others = cache / "holiday-pictures"  # whoever put that there
    others.mkdir()
    found = leftovers.entries(cache)
    useless = {entry.useless: entry for entry in found if entry.useless}
    assert set(useless) == {"files have changed", "not finished"} and useless["not finished"].size == 1000
    assert len([entry for entry in found if entry.useless]) == 2
    assert useless["files have changed"].of == f"{folder}, size=8, crop=random"
    monkeypatch.setattr("sys.argv", ["leftovers", "--cache", str(cache)])
    leftovers.main()
    assert "[files have changed]" in capsys.readouterr().out and left.exists()
    monkeypatch.setattr("sys.argv", ["leftovers", "--cache", str(cache), "--clean"])
    leftovers.main()
    assert "Removed 2 folders" in capsys.readouterr().out
    assert not left.exists() and not useless["files have changed"].folder.exists()
    monkeypatch.setattr(shards, "decode_all", None)
    assert len(load(folder)) == 40 and len(load(folder, limit=10)) == 10
    for entry in leftovers.entries(cache):
        os.utime(entry.folder, (1, 1))
    monkeypatch.setattr("sys.argv", ["leftovers", "--cache", str(cache), "--clean", "--unused", "90"])
    leftovers.main()
    assert leftovers.entries(cache) == [] and others.is_dir()


def test_with_words_and_without_a_folder_is_two_sets(folder, few):
    (folder / "00.txt").write_text("noise")
    for text in (False, True, False):
        load(folder, text=text)
        assert not [entry for entry in leftovers.entries(folder.parent / "cache") if entry.useless]


def test_what_is_built_just_now_stays(folder, monkeypatch):
    load(folder)
    cache = folder.parent / "cache"
    (entry,) = leftovers.entries(cache)
    with FileLock(f"{entry.folder}.lock"):
        assert not leftovers.remove(entry) and entry.folder.is_dir()
    gone = [*entry.folder.iterdir(), entry.folder / "renamed"]
    monkeypatch.setattr(Path, "rglob", lambda self, pattern: iter(gone))
    monkeypatch.setattr(Path, "is_file", lambda self: True)
    assert leftovers.entries(cache)[0].size == entry.size
    monkeypatch.undo()
    assert leftovers.remove(entry) and leftovers.remove(entry) and leftovers.entries(cache) == []
