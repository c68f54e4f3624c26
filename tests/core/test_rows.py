"""Rows of numbers, whole and damaged."""

import json
import os
import tracemalloc

import pytest

from core import rows
from core.errors import GessoError


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "run" / "metrics.jsonl"
    for step in (4, 8, 12, 14):
        rows.append(path, {"step": step, "loss": step / 8})
        if step == 8:
            rows.append(path, {"step": step, "kid": 1.0})
    return path


def steps(path) -> list[int]:
    return [row["step"] for row in rows.read(path)]


def test_what_was_written_is_read(path):
    assert steps(path) == [4, 8, 8, 12, 14] and rows.read(path)[2] == {"step": 8, "kid": 1.0}
    assert rows.read(path.with_name("none")) == []


@pytest.mark.parametrize(
    "end",
    [
        '{"step": 16, "lo',
        '{"step": 16, "loss": 1.',
        "16",
        "[]",
        "{}",
        '{"step": "16"}',
        "\x00" * 9,
        "[" * 9999,
        '{"step": 16, "loss": "x"}',
        '{"step": 16, "loss": 1' + "0" * 400 + "}",
        '{"step": 1' + "0" * 400 + "}",
    ],
)
def test_a_row_that_is_cut_short_is_passed_over(path, end):
    with open(path, "a") as file:
        file.write(end)
    assert steps(path) == [4, 8, 8, 12, 14]
    rows.cut(path, 14, 2, lambda row: True)
    rows.append(path, {"step": 16})
    assert steps(path) == [4, 8, 8, 12, 14, 16]


def test_no_text_at_all(path):
    path.write_bytes(b"\xff\xfe{" + path.read_bytes())
    assert steps(path) == [8, 8, 12, 14]


def test_rows_beyond_the_checkpoint_are_cut(path):
    rows.cut(path, 12, 4, lambda row: "loss" in row)
    assert steps(path) == [4, 8, 8, 12]
    rows.cut(path, 4, 4, lambda row: "loss" in row)
    assert steps(path) == [4, 8] and "kid" in rows.read(path)[1]  # others' rows stay
    rows.append(path, {"step": 10, "loss": 0})
    rows.cut(path, 10, 4, lambda row: "loss" in row)  # a short last window, of a run that goes on now
    assert steps(path) == [4, 8]
    rows.cut(path.with_name("none"), 4, 4, lambda row: True)
    assert json.loads(path.read_text().splitlines()[0]) == {"step": 4, "loss": 0.5}


def test_a_line_without_end_is_passed_over(path):
    """Whatever it ends with: only what begins a line is a row."""
    row = b'{"step": 16}'
    with open(path, "ab") as file:
        file.write(b" " * rows.LONGEST + row + b"\n" + b" " * (2 * rows.LONGEST) + row + b"\n" + b'{"step": 17}\n')
        file.write(b" " * (rows.LONGEST - len(row) - 1) + row + b"\n")  # as long as may be
    assert steps(path) == [4, 8, 8, 12, 14, 17, 16]


def test_of_a_huge_file_the_end_is_read(path, monkeypatch):
    monkeypatch.setattr(rows, "MOST", 60)
    assert path.stat().st_size > 60 and steps(path) == [12, 14]
    rows.cut(path, 14, 2, lambda row: True)
    monkeypatch.undo()
    assert steps(path) == [4, 8, 8, 12, 14]  # none is lost


def test_a_sparse_file_takes_no_memory(path):
    os.truncate(path, 2**36)
    with open(path, "a") as file:
        file.write('\n{"step": 16}\n')
    tracemalloc.start()
    try:
        assert steps(path) == [16]
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()
    with pytest.raises(GessoError, match="larger than"):
        rows.cut(path, 4, 4, lambda row: True)


def test_a_pipe_holds_no_rows(tmp_path):
    os.mkfifo(tmp_path / "metrics.jsonl")
    with pytest.raises(OSError, match="no regular file"):
        rows.append(tmp_path / "metrics.jsonl", {"step": 1})
    assert rows.read(tmp_path / "metrics.jsonl") == []
    rows.cut(tmp_path / "metrics.jsonl", 4, 4, lambda row: True)
    rows.append(tmp_path / "metrics.jsonl", {"step": 1})
    assert steps(tmp_path / "metrics.jsonl") == [1]
