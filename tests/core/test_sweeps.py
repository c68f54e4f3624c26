"""What becomes of a sweep's jobs."""

import logging
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from core import overrides, sweeps
from core.errors import GessoError
from core.logs import LogFile, last_error
from core.run import Run


@pytest.fixture
def job(tmp_path, monkeypatch) -> Run:
    """The job `seed=1` of a sweep."""
    run = Run(tmp_path / "sweep" / "0_seed-1")
    known = {
        "runtime": {"output_dir": str(run.folder)}, "overrides": {"task": ["seed=1"]}, "job": {"name": "train"},
        "sweep": {"dir": str(tmp_path / "sweep")},
    }  # fmt: skip
    for module in (sweeps, overrides):
        monkeypatch.setattr(module.HydraConfig, "get", lambda: OmegaConf.create(known))
    handler = LogFile(str(run.log))
    handler.setFormatter(logging.Formatter("[%(asctime)s][%(name)s][%(levelname)s] %(message)s"))
    logging.getLogger().addHandler(handler)
    yield run
    logging.getLogger().removeHandler(handler)


def test_a_job_that_is_killed_without_a_word_is_on_record(job, monkeypatch):
    monkeypatch.setattr(sweeps.subprocess, "Popen", lambda *args, **options: SimpleNamespace(wait=lambda: -9))
    with pytest.raises(GessoError, match=r"The job seed=1 of the sweep failed \(ended by signal 9\)"):
        sweeps.in_fresh_process("train.py")
    assert job.told() == ["seed=1"] and job.script == "train" and not job.is_run
    assert "signal 9" in last_error(job.log)


def test_what_a_job_says_itself_stays_its_last_word(job, monkeypatch):
    def wait() -> int:
        job.log.write_text("[2026-01-01][x][ERROR] Error: no such data\n")
        return 1

    monkeypatch.setattr(sweeps.subprocess, "Popen", lambda *args, **options: SimpleNamespace(wait=wait))
    with pytest.raises(GessoError, match="exit code 1"):
        sweeps.in_fresh_process("train.py")
    assert last_error(job.log) == "no such data"


def test_a_sweep_whose_pictures_would_be_one_file_is_refused():
    for line in (
        "-m style=a,b content=c size=64",
        "style=a output=x",
        "-m content=a,b output=x",
        "-m style=a,b output=x,y",
    ):
        sweeps.check_output(line.split())
    with pytest.raises(GessoError, match="the same for each style"):
        sweeps.check_output(["-m", 'style="a","b"', 'output="x"'])


def test_jobs_are_told_where_yaml_files_lie():
    given = ["-m", "--config-dir", "mine", "seed=1,2", "--config-dir=other", "-cn", "train", "model=dcgan"]
    assert sweeps.flags(given) == ["--config-dir", "mine", "--config-dir=other", "-cn", "train"]
