"""Rows of numbers, whole and damaged."""

import json

import pytest

from core import rows


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
    ['{"step": 16, "lo', '{"step": 16, "loss": 1.', "16", "[]", "{}", '{"step": "16"}', "\x00" * 9, "[" * 9999],
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
