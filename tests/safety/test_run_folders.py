"""Run folders of strangers: files that are pipes, endless or damaged hold up no training that goes on in them."""

import json
import os

import pytest

from core.errors import GessoError
from core.run import Run
from training import evaluator, restarts


@pytest.fixture
def run(tmp_path) -> Run:
    run = Run(tmp_path)
    run.best.folder.mkdir()
    run.restarts.mkdir()
    return run


def pipe(path):
    os.mkfifo(path)


def endless(path):
    path.symlink_to("/dev/zero")


def sparse(path):
    path.touch()
    os.truncate(path, 2**36)


@pytest.mark.parametrize("make", [pipe, endless, sparse, lambda path: path.write_text("[" * 9999)])
def test_scores_that_cannot_be_read_are_none(run, make):
    make(run.best_score)
    make(run.restart_scores)
    assert evaluator._read(run.best_score) is None
    assert restarts._read(run.restart_scores)["scores"] == {}


SCORES = {"objective": "kid", "settings": {}, "chosen": 3, "scores": {"3": 1.0, "4": None}}


@pytest.mark.parametrize(
    "damage",
    [
        {"chosen": float("inf")},
        {"chosen": 10**400},
        {"scores": {"3": "1"}},
        {"scores": {"3": 10**400}},
        {"scores": {"1" + "0" * 400: 1.0}},
    ],
)
def test_scores_are_numbers_by_seeds(run, damage):
    run.restart_scores.write_text(json.dumps(SCORES))
    assert restarts._read(run.restart_scores) == SCORES | {"scores": {3: 1.0, 4: None}}
    run.restart_scores.write_text(json.dumps(SCORES | damage))
    assert restarts._read(run.restart_scores)["scores"] == {}


@pytest.mark.parametrize("make", [pipe, endless])
@pytest.mark.parametrize("of", ["rows", "checkpoint"])
def test_a_try_whose_files_are_none_is_not_taken_over(run, make, of):
    """Copied, one without end would fill the disk."""
    there = run.restart(3)
    there.checkpoints.mkdir(parents=True)
    files = {"rows": there.metrics, "checkpoint": there.checkpoint(2)}
    for name, path in files.items():
        make(path) if name == of else path.write_bytes(b"{}")
    with pytest.raises(GessoError, match="no regular file"):
        restarts._take_over(there, run)
    assert not (run.metrics if of == "rows" else run.checkpoint(2)).exists()
