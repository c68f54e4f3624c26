"""When a log file begins, and the error that it ends with."""

import gc
import logging
import logging.config
import os
import sys
import tracemalloc
import weakref

import pytest
from omegaconf import OmegaConf

from core.cli import ROOT
from core.logs import LogFile, begin_log, last_error, write_error


@pytest.fixture
def handler(tmp_path):
    handler = LogFile(str(tmp_path / "run" / "train.log"))
    handler.setFormatter(logging.Formatter("[%(asctime)s][%(name)s][%(levelname)s] %(message)s"))
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)
    handler.close()


def test_it_begins_once_its_folder_holds_something(handler, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/somewhere/train.py", "a=b c"])
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)  # as of a script, whatever runs the tests
    log, folder = logging.getLogger("x"), tmp_path / "run"
    said = ["first"]
    log.warning("before: %s", said)
    said.append("second")
    assert not folder.exists()
    folder.mkdir()
    log.warning("still before")
    assert list(folder.iterdir()) == []
    (folder / "metrics.jsonl").touch()
    log.warning("after")
    lines = [line.split("] ")[-1] for line in (folder / "train.log").read_text().splitlines()]
    assert lines == ["python train.py 'a=b c'", "before: ['first']", "still before", "after"]


def test_what_goes_on_until_it_is_stopped_has_its_log_at_once(handler, tmp_path):
    (tmp_path / "run").mkdir()
    begin_log()
    logging.getLogger("x").warning("here")
    assert "here" in (tmp_path / "run" / "train.log").read_text()


def test_an_error_that_is_kept_holds_none_of_what_it_was_at_work_on(handler):
    class Large:
        pass

    def fail():
        pixels = Large()
        seen.append(weakref.ref(pixels))
        raise KeyError("there")

    def work():
        try:
            fail()
        except KeyError:  # to this handler alone: pytest's own keeps records as they are
            handler.handle(logging.LogRecord("x", logging.ERROR, "", 0, "It went wrong", None, sys.exc_info()))

    seen = []
    work()
    gc.collect()
    assert seen[0]() is None
    assert "in fail" in handler.kept[-1].exc_text and "KeyError: 'there'" in handler.format(handler.kept[-1])


def test_what_was_kept_is_written_at_the_end_or_never(handler, tmp_path):
    logging.getLogger("x").warning("kept")
    handler.close()
    assert not (tmp_path / "run").exists()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "0000.png").touch()
    handler.close()
    assert "kept" in (tmp_path / "run" / "train.log").read_text()


def test_the_error_that_it_ends_with(handler, tmp_path):
    path, log = tmp_path / "run" / "train.log", logging.getLogger("x")
    assert last_error(path) is None
    path.parent.mkdir()
    (path.parent / "metrics.jsonl").touch()
    log.error("Error: no such data.\n  Line two.")
    assert last_error(path) == "no such data."
    log.warning("It goes on.")
    assert last_error(path) is None
    try:
        raise KeyError("there")
    except KeyError as error:
        write_error("KeyError: 'there'", error)
    assert last_error(path) == "KeyError: 'there'" and "Traceback" in path.read_text()


def test_names_of_files_in_another_encoding_are_logged(handler, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a.png").touch()
    record = logging.LogRecord("x", logging.WARNING, __file__, 1, "painted %s", ("Z\udcfcrich.png",), None)
    handler.handle(record)  # to it alone: pytest's workers cannot send each other what it says
    assert r"painted Z\udcfcrich.png" in (tmp_path / "run" / "train.log").read_text()


def test_a_pipe_in_its_place_is_not_waited_for(handler, tmp_path, capsys):
    """Neither by whom it would be written to, nor by whom it would be read."""
    (tmp_path / "run").mkdir()
    path = tmp_path / "run" / "train.log"
    os.mkfifo(path)
    logging.getLogger("x").warning("first")
    logging.getLogger("x").warning("second")
    assert capsys.readouterr().err == f"Could not write {path}: It is no regular file.\n"
    assert last_error(path) is None


def test_a_link_to_another_file_is_not_written_through(handler, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "run" / "train.log").symlink_to("../precious")
    logging.getLogger("x").warning("first")
    assert "Could not write" in capsys.readouterr().err and (tmp_path / "precious").read_text() == "precious"


def test_of_a_huge_log_the_end_is_read(tmp_path):
    path = tmp_path / "train.log"
    path.write_text("[time][x][ERROR] Error: long ago\n")
    os.truncate(path, 2**36)
    with open(path, "a") as file:
        file.write("\n[time][x][ERROR] Error: no such data.\nmore\n")
    tracemalloc.start()
    try:
        assert last_error(path) == "no such data."
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()
    os.truncate(path, 2**37)
    assert last_error(path) is None


def test_what_is_logged_does_nothing_to_a_terminal():
    """By the formats that the scripts log with, of which each names Gesso's formatter."""
    formats = OmegaConf.load(ROOT / "conf/hydra/job_logging/gesso.yaml").job_logging.formatters
    name = "a\x1b]0;b\x07\r\x1b[1m.jpg\x1b[0m"
    record = logging.LogRecord("x", logging.WARNING, "", 0, "%s: é\nno", (name,), None)
    for kind in formats.values():
        found = logging.config.DictConfigurator({}).configure_formatter(OmegaConf.to_container(kind)).format(record)
        assert found.endswith("a\\x1b]0;b\\x07\\r.jpg: é\nno")
