import errno
import logging
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import GessoError
from data import decode_folder, shards
from data.folder import find_files
from data.image_folder import load
from data.source import spread

COLOURS = {"blue": (0, 0, 255), "green": (0, 255, 0), "red": (255, 0, 0)}


@pytest.fixture
def classes(tmp_path) -> Path:
    """Three classes of four pictures, each of the colour of its name."""
    root = tmp_path / "pictures"
    for name, colour in COLOURS.items():
        (root / name).mkdir(parents=True)
        for i in range(4):
            Image.new("RGB", (20 + i, 24), colour).save(root / name / f"{i}.png")
    return root


def test_subfolders_are_the_classes(classes, tmp_path):
    dataset = load(str(classes), 8, str(tmp_path / "cache"))
    assert (dataset.spec.name, dataset.spec.image_shape, len(dataset)) == ("pictures", (8, 8, 3), 12)
    assert dataset.spec.class_names == ("blue", "green", "red") and dataset.labels.dtype == np.int32
    for picture, label in zip(dataset.images[np.arange(12)], dataset.labels, strict=True):
        assert (picture == COLOURS[dataset.spec.class_names[label]]).all()


def test_deeper_folders_belong_to_the_first(classes, tmp_path):
    (classes / "red" / "deep" / "deeper").mkdir(parents=True)
    (classes / "red" / "0.png").rename(classes / "red" / "deep" / "deeper" / "0.png")
    dataset = load(str(classes), 8, str(tmp_path / "cache"))
    assert dataset.spec.class_names == ("blue", "green", "red") and np.bincount(dataset.labels).tolist() == [
        4,
        4,
        4,
    ]


def test_pictures_at_the_top_have_no_classes(classes, tmp_path):
    Image.new("RGB", (20, 20)).save(classes / "a.png")
    dataset = load(str(classes), 8, str(tmp_path / "cache"))
    assert len(dataset) == 13 and dataset.labels is None and dataset.spec.class_names == ()


def test_the_name_of_a_set_is_text_whatever_its_folder_is_called(classes, tmp_path):
    folder = classes.rename(tmp_path / os.fsdecode("Zürich".encode("latin-1")))
    assert load(str(folder), 8, str(tmp_path / "cache")).spec.name == r"Z\xfcrich"


def test_hidden_and_other_files_are_left_out(classes):
    Image.new("RGB", (9, 9)).save(classes / "red" / ".hidden.png")
    for folder in (".git", "__MACOSX", "red/.thumbnails"):
        (classes / folder).mkdir()
        Image.new("RGB", (9, 9)).save(classes / folder / "a.png")
    (classes / "red" / "notes.txt").write_text("no picture")
    (classes / "red" / "folder.png").mkdir()
    assert len(find_files(classes)) == 12


def test_what_disks_and_systems_keep_for_themselves_is_left_out(classes, monkeypatch):
    """Thumbnails and waste bins; nor must it be readable."""
    beside = ("@eaDir", "red/@eaDir", "#recycle", "$RECYCLE.BIN", "lost+found", "System Volume Information")
    for name in beside:
        (classes / name / "deep").mkdir(parents=True)
        Image.new("RGB", (9, 9)).save(classes / name / "deep" / "a.png")
    scandir = os.scandir

    def refused(path):
        if str(path).endswith(beside):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return scandir(path)

    monkeypatch.setattr("data.folder.os.scandir", refused)
    assert len(find_files(classes)) == 12


def test_suffixes_in_capitals_count(classes):
    for old, new in (("0.png", "0.PNG"), ("1.png", "1.Jpeg"), ("2.png", "2.TIF")):
        (classes / "red" / old).rename(classes / "red" / new)
    assert len(find_files(classes)) == 12


def test_links_are_followed_but_not_in_circles(classes, tmp_path):
    (tmp_path / "more").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "more" / "a.png")
    os.symlink(tmp_path / "more", classes / "linked")
    os.symlink(classes, classes / "red" / "up")
    os.symlink(tmp_path / "nowhere.png", classes / "red" / "broken.png")
    paths = [picture.path for picture in find_files(classes)]
    assert len(paths) == 13 and "linked/a.png" in paths


def test_the_order_is_that_of_the_names(classes):
    (classes / "red-ish").mkdir()
    Image.new("RGB", (9, 9)).save(classes / "red-ish" / "a.png")
    paths = [picture.path for picture in find_files(classes)]
    assert paths[8:] == ["red/0.png", "red/1.png", "red/2.png", "red/3.png", "red-ish/a.png"]


def test_names_of_any_kind(classes, tmp_path):
    names = ["mit Leerzeichen.png", "ünïcödé 画.png", "a,b;'c\".png", "[1]*.png"]
    for name in names:
        Image.new("RGB", (20, 20)).save(classes / "red" / name)
    dataset = load(str(classes), 8, str(tmp_path / "cache"))
    assert len(dataset) == 16 and dataset.skipped == ()


def test_what_cannot_be_read_is_skipped_counted_and_named(classes, tmp_path, caplog):
    whole = (classes / "red" / "0.png").read_bytes()
    (classes / "red" / "0.png").write_bytes(whole[: len(whole) // 2])
    (classes / "blue" / "1.png").write_bytes(b"")
    (classes / "green" / "text.jpg").write_text("hello")
    for _ in range(2):  # freshly decoded, and from the cache
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            dataset = load(str(classes), 8, str(tmp_path / "cache"))
        assert len(dataset) == 10 and np.bincount(dataset.labels).tolist() == [3, 4, 3]
        assert [line.split(": ")[0] for line in dataset.skipped] == ["blue/1.png", "green/text.jpg", "red/0.png"]
        assert "Skipped 3 of 13 files" in caplog.text
        assert all(line in caplog.text for line in dataset.skipped)
        for picture, label in zip(dataset.images[np.arange(10)], dataset.labels, strict=True):
            assert (picture == COLOURS[dataset.spec.class_names[label]]).all()


def test_of_many_skipped_files_ten_are_named(classes, tmp_path, caplog):
    for i in range(25):
        (classes / "red" / f"bad{i}.jpg").touch()
    with caplog.at_level(logging.WARNING):
        dataset = load(str(classes), 8, str(tmp_path / "cache"))
    assert len(dataset.skipped) == 25 and "Skipped 25 of 37" in caplog.text
    assert caplog.text.count("is empty") == 10 and "and 15 more" in caplog.text


def test_a_class_of_which_nothing_can_be_read_leaves_no_gap(classes, tmp_path):
    for file in (classes / "green").iterdir():
        file.write_text("x")
    dataset = load(str(classes), 8, str(tmp_path / "cache"))
    assert dataset.spec.class_names == ("blue", "red") and np.bincount(dataset.labels).tolist() == [4, 4]


def test_skewed_classes_can_be_balanced(classes, tmp_path):
    for name in ("0.png", "1.png", "2.png"):
        (classes / "red" / name).unlink()
    for balance, red in ((True, 6), (False, 2)):  # of two epochs of 9 pictures, one of them red
        dataset = load(str(classes), 8, str(tmp_path / "cache"), balance=balance)
        labels = np.concatenate([batch["label"] for batch in dataset.stream(9, 1).take(2)])
        assert (labels == 2).sum() == red


def test_balancing_needs_subfolders(classes, tmp_path):
    with pytest.raises(GessoError, match=r"dataset\.balance=true.*'red' has no classes.*subfolder"):
        load(str(classes / "red"), 8, str(tmp_path / "cache"), balance=True)


def test_all_unreadable_is_an_error(classes, tmp_path):
    for file in classes.glob("*/*.png"):
        file.write_text("x")
    with pytest.raises(GessoError, match=r"None of the 12 picture files.*blue/0\.png: is no picture"):
        load(str(classes), 8, str(tmp_path / "cache"))


def test_a_folder_that_begins_with_a_tilde_and_names_no_user_is_a_folder(classes, tmp_path, monkeypatch):
    classes.rename(tmp_path / "~pictures")
    monkeypatch.chdir(tmp_path)
    assert len(load("~pictures", 8, "~cache")) == 12 and (tmp_path / "~cache").is_dir()
    with pytest.raises(GessoError, match=r"~others does not exist"):
        load("~others", 8, "~cache")


def test_nothing_to_read_is_an_error_that_says_what_is_expected(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for root, reason in (
        (None, r"dataset\.root=<folder>"),
        ("", r"dataset\.root=<folder>"),  # not the folder that one happens to be in
        (tmp_path / "none", "does not exist"),
        (tmp_path / "file", "is a file"),
        (tmp_path / "empty", "No pictures in"),
    ):
        with pytest.raises(GessoError, match=reason) as raised:
            load(root and str(root), 8, str(tmp_path / "cache"))
        assert "subfolder" in str(raised.value)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"image_size": 0}, "image_size=0"),
        ({"image_size": 8.5}, "image_size=8.5"),
        ({"limit": 0}, "limit=0"),
        ({"limit": True}, "limit=True"),
        ({"crop": "middle"}, "crop=middle"),
    ],
)
def test_values_that_make_no_sense_are_refused(classes, tmp_path, arguments, named):
    with pytest.raises(GessoError, match=named):
        load(**({"root": str(classes), "image_size": 8, "cache_dir": str(tmp_path / "cache")} | arguments))


def test_limit_takes_some_of_every_class(classes, tmp_path):
    dataset = load(str(classes), 8, str(tmp_path / "cache"), limit=6)
    assert np.bincount(dataset.labels).tolist() == [2, 2, 2]
    assert len(load(str(classes), 8, str(tmp_path / "cache"), limit=1000)) == 12


def test_spread():
    assert spread(10, 5).tolist() == [0, 2, 4, 6, 8]
    assert spread(10, 3).tolist() == [0, 3, 6]
    assert spread(3, None).tolist() == spread(3, 7).tolist() == [0, 1, 2]


def test_decoded_once_and_again_when_anything_changes(classes, tmp_path, monkeypatch):
    calls = []
    decode_all = shards.decode_all
    monkeypatch.setattr(shards, "decode_all", lambda *a: (calls.append(1), decode_all(*a)))

    def decoded(size: int = 8, **arguments) -> int:
        load(str(classes), size, str(tmp_path / "cache"), **arguments)
        return len(calls)

    assert [decoded(), decoded(), decoded(flip=False)] == [1, 1, 1]
    assert [decoded(9), decoded(crop="random"), decoded(limit=5), decoded()] == [2, 3, 4, 4]
    Image.new("RGB", (30, 30)).save(classes / "red" / "0.png")
    assert decoded() == 5
    os.utime(classes / "red" / "1.png", (1, 1))
    assert decoded() == 6
    (classes / "red" / "2.png").unlink()
    assert decoded() == 7
    Image.new("RGB", (30, 30)).save(classes / "red" / "new.png")
    assert decoded() == 8


def test_files_alike_in_two_folders_are_two(tmp_path):
    """Same names, sizes and times, as bitmaps out of an archive have them."""
    found = []
    for name, value in (("a", 0), ("b", 255)):
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8), (value,) * 3).save(tmp_path / name / "0.bmp")
        os.utime(tmp_path / name / "0.bmp", (10**9, 10**9))
        found.append(load(str(tmp_path / name), 8, str(tmp_path / "cache")))
    assert [dataset.examples(1)["image"].mean() for dataset in found] == [-1, 1]


def test_a_class_s_name_that_is_no_utf_8_can_be_written(tmp_path):
    for name in (b"Andr\xe8", b"Andr\xe9", b"Klee"):
        folder = os.path.join(os.fsencode(tmp_path / "styles"), name)
        os.makedirs(folder)
        Image.new("RGB", (8, 8)).save(os.path.join(os.fsdecode(folder), "0.png"))
    dataset = load(str(tmp_path / "styles"), 8, str(tmp_path / "cache"))
    assert dataset.spec.class_names == (r"Andr\xe8", r"Andr\xe9", "Klee")
    assert list(dataset.labels) == [0, 1, 2]


def test_a_damaged_cache_is_explained(classes, tmp_path):
    load(str(classes), 8, str(tmp_path / "cache"))
    content = next((tmp_path / "cache").glob("*/images.bytes"))
    content.write_bytes(content.read_bytes()[:100])
    with pytest.raises(GessoError, match="Delete that folder"):
        load(str(classes), 8, str(tmp_path / "cache"))


def test_a_cache_that_cannot_be_written_is_explained(classes, tmp_path):
    (tmp_path / "cache").touch()
    with pytest.raises(GessoError, match="cache_dir="):
        load(str(classes), 8, str(tmp_path / "cache"))


def test_a_disk_that_fails_is_not_remembered(tmp_path, monkeypatch):
    """A network share that is not there for a moment: an error, and the next start has all pictures."""
    for i in range(3):
        Image.new("RGB", (20, 20), (i, 0, 0)).save(tmp_path / f"{i}.png")
    with monkeypatch.context() as patch:

        def failing(*arguments):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

        patch.setattr(decode_folder, "decode", failing)
        with pytest.raises(GessoError, match=r"\.png cannot be read now: .*Nothing of it was kept"):
            load(str(tmp_path), 16, str(tmp_path / "cache"))
    decode = decode_folder.decode
    for number in (errno.ENOENT, errno.EHOSTUNREACH, errno.ECONNRESET):
        with monkeypatch.context() as patch:

            def goes_away(path, *arguments, number=number):  # halfway
                if Path(path).name != "0.png":
                    raise OSError(number, os.strerror(number))
                return decode(path, *arguments)

            patch.setattr(decode_folder, "decode", goes_away)
            with pytest.raises(GessoError, match=r"\.png cannot be read now: "):
                load(str(tmp_path), 16, str(tmp_path / "cache"))
    assert len(load(str(tmp_path), 16, str(tmp_path / "cache"))) == 3


def test_pictures_that_could_not_be_read_are_part_of_the_fingerprint(tmp_path):
    """Without them, the order is another."""
    found = []
    for damaged in (True, False):
        folder, cache = tmp_path / "pictures", tmp_path / str(damaged)
        folder.mkdir(exist_ok=True)
        for i in range(3):
            Image.new("RGB", (20, 20), (i, 0, 0)).save(folder / f"{i}.png")
            os.utime(folder / f"{i}.png", (1, 1))
        if damaged:
            whole = (folder / "1.png").read_bytes()
            (folder / "1.png").write_bytes(b"x" * len(whole))
            os.utime(folder / "1.png", (1, 1))
        found.append(load(str(folder), 16, str(cache)))
    assert [len(data) for data in found] == [2, 3] and found[0].fingerprint != found[1].fingerprint
