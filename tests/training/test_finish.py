"""What a finished run says of itself."""

from types import SimpleNamespace

import pytest

from core import rows
from core.results import read_result
from core.run import Run
from training import finish
from training.evaluator import EVALUATED


class Measures:
    """An evaluator that says 2.0, by these settings."""

    objective, modes = "kid", {"kid": "min"}

    def __init__(self, num: int):
        self.settings_of = {"kid": {"num": num}}

    def __call__(self, model) -> dict[str, float]:
        return {"kid": 2.0}


@pytest.mark.parametrize(("num", "kid"), [(256, 1.0), (512, 2.0)])
def test_numbers_stand_beside_the_settings_that_they_were_measured_by(tmp_path, monkeypatch, num, kid):
    """A finished run, resumed with other settings and nothing left to train, is measured anew."""
    monkeypatch.setattr(finish, "own_overrides", list)
    monkeypatch.setattr(finish, "_more", lambda training: "")
    run = Run(tmp_path)
    rows.append(run.metrics, {"step": 10, "kid": 1.0})
    model = SimpleNamespace(
        step=SimpleNamespace(numpy=lambda: 10), monitor=None, memory={EVALUATED: {"kid": {"num": 256}}}
    )
    finish.finish(SimpleNamespace(run=run, evaluator=Measures(num)), model)
    result = read_result(run)
    assert (result["values"]["kid"], result["settings"]) == (kid, {"kid": {"num": num}})


def test_the_dashboard_is_that_of_all_runs_where_these_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert finish._dashboard(Run(tmp_path / "outputs" / "a" / "b")).startswith("make dashboard (")
    assert finish._dashboard(Run(tmp_path / "my runs" / "a")) == f"tensorboard --logdir '{tmp_path}/my runs/a'"
