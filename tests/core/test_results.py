import json

import pytest

from core.results import read_result
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
    ],
)
def test_a_damaged_result_is_of_no_finished_run(tmp_path, damage):
    run = Run(tmp_path)
    run.result.write_text(json.dumps(WHOLE))
    assert read_result(run) == WHOLE
    run.result.write_text(json.dumps(WHOLE | damage))
    assert read_result(run) is None
