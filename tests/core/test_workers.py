"""Which of the processes that train together this is."""

import json

import pytest
from omegaconf import OmegaConf

from core.errors import GessoError
from core.workers import Worker, this_worker

MANY = OmegaConf.create({"trainer": {"strategy": "multi_worker"}})


def tf_config(kind: str, index: int) -> str:
    return json.dumps({"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": kind, "index": index}})


def test_who_this_is(monkeypatch):
    for name in ("TF_CONFIG", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    assert this_worker(OmegaConf.create({"trainer": {"strategy": "mirrored"}})) == Worker(0, 1)
    with pytest.raises(GessoError, match="which process this is"):
        this_worker(MANY)
    monkeypatch.setenv("SLURM_PROCID", "3")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
    assert this_worker(MANY) == Worker(3, 4) and not this_worker(MANY).is_chief
    monkeypatch.setenv("TF_CONFIG", tf_config("worker", 0))
    assert this_worker(MANY) == Worker(0, 2) and this_worker(MANY).is_chief


@pytest.mark.parametrize("text", ["{", "[]", tf_config("worker", 2), tf_config("ps", 0), '{"cluster": {}}'])
def test_what_names_nobody_is_refused(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(GessoError, match=r"TF_CONFIG=.*It looks like"):
        this_worker(MANY)
