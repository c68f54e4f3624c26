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

MEASURED = []  # seeds, and by how many pictures
SCORES = {5: 0.7, 6: None, 7: float("nan"), 8: 0.4}  # None: a loss that became NaN


@pytest.fixture
def tried(monkeypatch):
    """The best of seeds that end as `SCORES` says."""

    def fit(training, model, last):
        if SCORES[training.seed] is None:
            raise DivergedError("generator_loss became NaN")
        training.run.checkpoints.mkdir(parents=True, exist_ok=True)
        for file in (training.run.checkpoint(last), training.run.metrics):
            file.write_text(str(training.seed))

    monkeypatch.setattr(restarts.loop, "make", lambda config, dataset, seed, words: seed)
    monkeypatch.setattr(restarts.loop, "fit", fit)
    monkeypatch.setattr(restarts, "place", lambda *_: None)

    def call(folder: Path, *seeds: int, better: int = 1, num: int = 64):
        config = OmegaConf.create({"seed": seeds[0], "restarts": len(seeds), "restart_steps": 9})
        data = SimpleNamespace(spec=SimpleNamespace(class_names=()))
        training = Training(Run(folder), config, data, "x", config.seed, Evaluator(better, num))
        return restarts.with_best_seed(training).seed

    return call


class Evaluator:
    """Of models that are their seeds."""

    objective = "kid"

    def __init__(self, better: int, num: int):
        self.better, self.settings = better, {"num": num}

    def badness(self, value: float) -> float:
        return self.better * value

    def __call__(self, model: int) -> dict[str, float]:
        MEASURED.append((model, self.settings["num"]))
        return {"kid": SCORES[model]}


def test_a_seed_that_diverges_is_not_the_end(tried, tmp_path, caplog):
    assert tried(tmp_path, 5, 6, 7, 8) == 8
    assert json.loads((tmp_path / "restarts" / "scores.json").read_text()) == {
        "objective": "kid", "settings": {"num": 64}, "chosen": 8,
        "scores": {"5": 0.7, "6": None, "7": None, "8": 0.4},
    }  # fmt: skip
    assert (tmp_path / "checkpoints" / "step_00000009.npz").read_text() == "8"
    assert "seed 6: generator_loss became NaN" in caplog.text


def test_who_goes_on_keeps_the_seed_whatever_is_measured_then(tried, tmp_path):
    assert tried(tmp_path, 5, 6, 7, 8) == 8
    assert tried(tmp_path, 5, 6, 7, 8, better=-1) == 8
    assert tried(tmp_path / "other", 5, 6, 7, 8, better=-1) == 5


def test_seeds_are_measured_anew_where_it_is_otherwise(tried, tmp_path):
    """Of more pictures, the last one's distance would be less for that alone."""
    MEASURED.clear()
    with pytest.raises(KeyError):
        tried(tmp_path, 5, 6, 7, 8, 9)  # interrupted in the last one
    with pytest.raises(KeyError):
        tried(tmp_path, 5, 6, 7, 8, 9)
    assert MEASURED == [(5, 64), (7, 64), (8, 64)]
    with pytest.raises(KeyError):
        tried(tmp_path, 5, 6, 7, 8, 9, num=2000)
    assert MEASURED[3:] == [(5, 2000), (7, 2000), (8, 2000)]


def test_no_seed_went_well(tried, tmp_path):
    with pytest.raises(DivergedError, match="None of 2 seeds"):
        tried(tmp_path, 6, 7)
