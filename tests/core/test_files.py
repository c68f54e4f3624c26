import os
import shutil
import socket
from pathlib import Path

import pytest

from core.errors import GessoError
from core.files import (
    atomic,
    expanded,
    in_utf8,
    open_regular,
    printable,
    read_small,
    remove_empty,
    remove_left,
    shortened,
    unfinished,
)


def test_appears_whole(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    with atomic(path) as temporary:
        temporary.write_text("new")
        assert not path.exists() and temporary.suffix == ".txt"
    assert path.read_text() == "new" and list(path.parent.iterdir()) == [path]


def test_failure_keeps_the_old_file_and_leaves_nothing(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_full_disk_is_said_in_words(tmp_path):
    path = tmp_path / "file.bin"
    with pytest.raises(GessoError, match=r"Could not write .*file\.bin: No space left"), atomic(path):
        Path("/dev/full").write_text("x" * 100_000)
    assert list(tmp_path.iterdir()) == []


def test_unwritable_place_is_said_in_words(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(GessoError, match="Could not write"), atomic(tmp_path / "file" / "below.txt"):
        pass


def test_permissions_are_those_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    with atomic(tmp_path / "ours"):
        pass
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_working_directory_that_has_gone_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    remove_empty(Path("run"))


def test_what_processes_left_is_removed_and_nothing_else(tmp_path):
    """Below a folder, and not what anything but `atomic` writes."""
    kept = [tmp_path / "file.txt", tmp_path / "deep" / ".hidden.txt"]
    with atomic(kept[0]) as one, atomic(kept[1]) as two:
        left = [shutil.copyfile(path, path.with_stem(f"{path.stem}0")) for path in (one, two)]
    remove_left(tmp_path)
    assert all(path.exists() for path in kept) and not any(path.exists() for path in left)


def test_a_name_that_begins_like_a_home_folder_is_a_name(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert expanded("~/a.jpg") == Path("/home/me/a.jpg")
    assert expanded("~no_such_user.jpg") == Path("~no_such_user.jpg")


@pytest.mark.parametrize("stem", ["a" * 251, "海" * 83])
def test_names_as_long_as_names_may_be(tmp_path, stem):
    path = tmp_path / f"{stem}.png"
    with atomic(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]
    partial = unfinished(path)
    partial.touch()
    assert partial.suffix == ".png" and ".partial" in partial.name and unfinished(path) != partial


def test_names_are_cut_between_characters():
    assert shortened("a海b", 4) == "a海" and shortened("a海b", 3) == "a" and shortened("ab", 9) == "ab"


def test_names_of_another_encoding_are_written_as_they_are():
    """And stay apart from each other."""
    assert in_utf8("Zürich") == "Zürich"
    assert in_utf8(os.fsdecode("Zürich".encode("latin-1"))) == r"Z\xfcrich"


def test_small_files_are_read_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"a\r\nb")
    assert read_small(path, 4) == b"a\r\nb"
    with pytest.raises(OSError, match="larger than 3 bytes"):
        read_small(path, 3)
    with pytest.raises(FileNotFoundError):
        read_small(tmp_path / "none", 3)
    (tmp_path / "link").symlink_to(path)
    assert read_small(tmp_path / "link", 4) == b"a\r\nb"
    os.truncate(path, 2**36)  # it takes no room on the disk
    with pytest.raises(OSError, match="larger than 3 bytes"):
        read_small(path, 3)


@pytest.mark.parametrize("mode", ["rb", "a"])
def test_what_is_no_regular_file_is_neither_read_nor_waited_for(tmp_path, mode, monkeypatch):
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    os.mkfifo("pipe")
    Path("zero").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        for name in ("pipe", "zero", "socket", "."):
            with pytest.raises(OSError, match=r"no regular file|[Ii]s a directory"):
                open_regular(Path(name), mode)


def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(tmp_path, monkeypatch):
    """Between the look at it and the opening."""
    path, file = tmp_path / "pipe", tmp_path / "file"
    file.touch()
    os.mkfifo(path)
    looked_at, seen = os.stat, []
    monkeypatch.setattr(os, "stat", lambda name: seen.append(name) or looked_at(file))
    with pytest.raises(OSError, match="no regular file"):
        open_regular(path)
    assert seen


def test_new_files_are_of_usual_rights(tmp_path):
    with open_regular(tmp_path / "a", "a", encoding="utf-8") as file:
        file.write("ü")
    with open(tmp_path / "b", "a") as file:
        pass
    assert (tmp_path / "a").read_text(encoding="utf-8") == "ü"
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_a_stranger_s_words_do_nothing_to_a_terminal():
    assert printable("Zürich 海 a=b") == "Zürich 海 a=b"
    assert printable("\x1b[2J\x07\x9b\n\u202e\ud800\0") == r"\x1b[2J\x07\x9b\n\u202e\ud800\x00"
    assert printable(Path(os.fsdecode("Zürich".encode("latin-1")))) == r"Z\xfcrich"
