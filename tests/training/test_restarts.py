"""Choosing among seeds, on trainings whose ends are known."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from core.errors import DivergedError
from core.run import Run
from training import restarts
from training.loop import Training

SCORES = {5: 0.7, 6: None, 7: float("nan"), 8: 0.4}  # None: a loss that became NaN


@pytest.fixture
def tried(monkeypatch):
    """The best of seeds that end as `SCORES` says."""

    def fit(training, model, last):
        if SCORES[training.seed] is None:
            raise DivergedError("generator_loss became NaN")
        training.run.checkpoints.mkdir(parents=True)
        for file in (training.run.checkpoint(last), training.run.metrics):
            file.write_text(str(training.seed))

    monkeypatch.setattr(restarts.loop, "make", lambda config, dataset, seed, words: seed)
    monkeypatch.setattr(restarts.loop, "fit", fit)

    def call(folder: Path, *seeds: int, better: int = 1):
        config = OmegaConf.create({"seed": seeds[0], "restarts": len(seeds), "restart_steps": 9})
        data = SimpleNamespace(spec=SimpleNamespace(class_names=()))
        training = Training(Run(folder), config, data, "x", config.seed, Evaluator(better))
        return restarts.with_best_seed(training).seed

    return call


class Evaluator:
    """Of models that are their seeds."""

    objective = "kid"

    def __init__(self, better: int = 1):
        self.better = better

    def badness(self, value: float) -> float:
        return self.better * value

    def __call__(self, model: int) -> dict[str, float]:
        return {"kid": SCORES[model]}


def test_a_seed_that_diverges_is_not_the_end(tried, tmp_path, caplog):
    assert tried(tmp_path, 5, 6, 7, 8) == 8
    assert json.loads((tmp_path / "restarts" / "scores.json").read_text()) == {
        "objective": "kid", "chosen": 8, "scores": {"5": 0.7, "6": None, "7": None, "8": 0.4},
    }  # fmt: skip
    assert (tmp_path / "checkpoints" / "step_00000009.npz").read_text() == "8"
    assert "seed 6: generator_loss became NaN" in caplog.text


def test_who_goes_on_keeps_the_seed_whatever_is_measured_then(tried, tmp_path):
    assert tried(tmp_path, 5, 6, 7, 8) == 8
    assert tried(tmp_path, 5, 6, 7, 8, better=-1) == 8
    assert tried(tmp_path / "other", 5, 6, 7, 8, better=-1) == 5


def test_no_seed_went_well(tried, tmp_path):
    with pytest.raises(DivergedError, match="None of 2 seeds"):
        tried(tmp_path, 6, 7)
