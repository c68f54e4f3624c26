import json
import os
import time

import pytest

from core.results import last_values, read_result
from core.run import Run

WHOLE = {
    "objective": "kid", "values": {"kid": 1.0, "loss": 2}, "step": 9, "modes": {"kid": "min"},
    "overrides": ["seed=1"], "settings": {"kid": {"num": 64}},
}  # fmt: skip


@pytest.mark.parametrize(
    "damage",
    [
        {"overrides": [["seed=1"]]},
        {"settings": {"kid": 1.5}},
        {"settings": [1]},
        {"values": {}},
        {"values": ["kid"]},
        {"values": {"kid": None}},
        {"values": {"kid": 1.0, "loss": "2"}},
        {"step": None},
        {"step": True},
        {"modes": ["min"]},
        {"modes": {"kid": 1}},
        {"overrides": "x"},
        {"values": {"kid": 10**400}},
        {"step": 10**400},
        {"settings": {"kid": {"num": json.loads("[" * 99 + "]" * 99)}}},
        {"more": "x" * 2**20},
    ],
)
def test_a_damaged_result_is_of_no_finished_run(tmp_path, damage):
    run = Run(tmp_path)
    run.result.write_text(json.dumps(WHOLE))
    assert read_result(run) == WHOLE
    run.result.write_text(json.dumps(WHOLE | damage))
    assert read_result(run) is None


def test_a_pipe_is_no_result(tmp_path):
    """And is not waited for."""
    os.mkfifo(Run(tmp_path).result)
    assert read_result(Run(tmp_path)) is None


def test_many_rows_of_one_step_are_gathered_at_once(tmp_path):
    rows = (json.dumps({"step": 3, str(i): i}) for i in range(2**15))
    Run(tmp_path).metrics.write_text('{"step": 2, "x": 1}\n' + "\n".join(rows))
    start = time.process_time()
    step, values = last_values(Run(tmp_path))
    assert (step, len(values), values["9"]) == (3, 2**15, 9)
    assert time.process_time() - start < 5  # copied for each row, they took half a minute
