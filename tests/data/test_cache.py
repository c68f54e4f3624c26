import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.errors import GessoError
from data import paintings
from data.cache import cached

ROOT = Path(__file__).resolve().parents[2]
BUILDER = """
import sys, time
from pathlib import Path
from data.cache import cached

place, log, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])

def build(folder):
    with open(log, "a") as file:
        file.write("built\\n")
    (folder / "half").write_text("half")
    (log.parent / "started").touch()
    time.sleep(seconds)
    (folder / "whole").write_text("whole")

folder = cached("things", {"a": 1}, build, place)
assert (folder / "whole").read_text() == "whole"
print(folder)
"""


def write(text: str):
    """A builder that writes `text` to a file."""

    def build(folder: Path) -> None:
        (folder / "text").write_text(text)

    return build


def fail(folder: Path) -> None:
    raise AssertionError("nothing should have been built")


def start(*arguments: object) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", BUILDER, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def folders(place: Path) -> list[str]:
    """All but the lock files."""
    return sorted(path.name for path in place.iterdir() if path.suffix != ".lock")


def wait_for(path: Path) -> None:
    until = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_built_once_then_found(tmp_path):
    first = cached("things", {"a": 1, "b": [2, None, "ü"]}, write("one"), tmp_path / "new" / "place")
    assert (first / "text").read_text() == "one"
    assert cached("things", {"b": [2, None, "ü"], "a": 1}, fail, tmp_path / "new" / "place") == first


def test_another_key_or_kind_is_another_folder(tmp_path):
    keys = [
        {"version": 1, "size": 64},
        {"version": 2, "size": 64},
        {"version": 1, "size": 32},
        {"version": 1},
    ]
    paths = {cached("things", key, write(str(key)), tmp_path) for key in keys}
    paths.add(cached("others", keys[0], write("others"), tmp_path))
    assert len(paths) == 5 == len(folders(tmp_path))
    assert (cached("things", keys[1], fail, tmp_path) / "text").read_text() == str(keys[1])


def test_a_deleted_folder_is_built_again(tmp_path):
    folder = cached("things", {}, write("one"), tmp_path)
    shutil.rmtree(folder)
    assert (cached("things", {}, write("two"), tmp_path) / "text").read_text() == "two"


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), GessoError("no")])
def test_a_builder_that_fails_leaves_nothing(tmp_path, error):
    def build(folder: Path) -> None:
        (folder / "deep").mkdir()
        (folder / "deep" / "half").write_text("half")
        raise error

    with pytest.raises(type(error)):
        cached("things", {}, build, tmp_path)
    assert folders(tmp_path) == []
    assert (cached("things", {}, write("one"), tmp_path) / "text").read_text() == "one"


def test_two_processes_build_once_and_agree(tmp_path):
    processes = [start(tmp_path / "cache", tmp_path / "log", 0.5) for _ in range(2)]
    found = {process.communicate(timeout=30)[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    assert len(found) == 1 and (tmp_path / "log").read_text() == "built\n"


def test_what_a_killed_process_left_is_removed(tmp_path):
    place, log = tmp_path / "cache", tmp_path / "log"
    victim = start(place, log, 60)
    wait_for(tmp_path / "started")
    victim.send_signal(signal.SIGKILL)
    victim.communicate(timeout=10)
    assert len(folders(place)) == 1 and folders(place)[0].endswith(".tmp")
    again = start(place, log, 0)
    folder = Path(again.communicate(timeout=30)[0].strip())
    assert again.returncode == 0 and folders(place) == [folder.name]
    assert (folder / "whole").is_file() and log.read_text() == "built\n" * 2


def test_who_waits_for_a_killed_process_builds_instead(tmp_path):
    victim = start(tmp_path / "cache", tmp_path / "log", 60)
    wait_for(tmp_path / "started")
    heir = start(tmp_path / "cache", tmp_path / "log", 0)
    victim.send_signal(signal.SIGKILL)
    victim.communicate(timeout=10)
    heir.communicate(timeout=30)
    assert heir.returncode == 0


def test_a_place_that_cannot_be_written_is_explained(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(GessoError, match=r"cache_dir=<folder>.*GESSO_CACHE"):
            cached("things", {}, fail, place)
    if os.path.isdir("/proc/self"):  # even root cannot write there
        with pytest.raises((GessoError, FileNotFoundError)):
            cached("things", {}, fail, "/proc/self/gesso")


def test_what_cannot_be_read_is_not_the_cache(tmp_path):
    def build(folder: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "pictures.tar"))

    with pytest.raises(GessoError, match=r"pictures\.tar cannot be read: Permission denied"):
        cached("things", {}, build, tmp_path / "cache")
    assert folders(tmp_path / "cache") == []


def test_a_full_disk_is_explained(tmp_path):
    def build(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(GessoError, match="No room left"):
        cached("things", {}, build, tmp_path)
    assert folders(tmp_path) == []


def test_other_errors_of_the_system_pass_through(tmp_path):
    def build(folder: Path) -> None:
        (folder / "none").read_text()

    with pytest.raises(FileNotFoundError):
        cached("things", {}, build, tmp_path)


def test_the_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cached("things", {}, write("one"), "~/cache").parent == tmp_path / "cache"


def test_a_damaged_folder_is_said_to_be(tmp_path):
    paintings.load(16, str(tmp_path), num_images=3)
    (file,) = tmp_path.glob("paintings-*/images.npy")
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(GessoError, match=rf"{file.parent.name} is damaged: .* Delete that folder"):
        paintings.load(16, str(tmp_path), num_images=3)
