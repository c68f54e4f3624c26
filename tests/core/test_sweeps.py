"""What becomes of a sweep's jobs."""

import logging
import signal
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from core import resume, sweeps
from core.errors import GessoError
from core.logs import LogFile, last_error
from core.results import write_result
from core.run import Run
from core.signals import endings


@pytest.fixture
def job(tmp_path, monkeypatch) -> Run:
    """The job `seed=1` of a sweep."""
    run = Run(tmp_path / "sweep" / "0_seed-1")
    known = {
        "runtime": {"output_dir": str(run.folder)}, "overrides": {"task": ["seed=1"]}, "job": {"name": "train"},
        "sweep": {"dir": str(tmp_path / "sweep")},
    }  # fmt: skip
    for module in (sweeps, resume):
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


def test_a_sweep_over_contents_whose_results_would_be_one_file_is_refused(tmp_path):
    for folder in ("june", "july"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{folder}.jpg").touch()
        (tmp_path / folder / ".hidden").touch()
    (tmp_path / "out.d").mkdir()
    folders = f"content={tmp_path}/june,{tmp_path}/july"
    for given in (
        ["content=a.jpg,b.jpg", "output=x"],
        [folders, "output=x.y"],
        [folders, f"output={tmp_path}/out.d"],
    ):
        sweeps.check_output(["-m", *given])
    for content in ("content=a.jpg,b.jpg", f"content=a.jpg,{tmp_path}/june"):
        with pytest.raises(GessoError, match="one file for each content="):
            sweeps.check_output(["-m", content, "output=out.png"])
    for content in ("june/IMG_1.jpg,july/img_1.jpg", '"june/IMG_1.jpg","july/img_1.png"'):
        with pytest.raises(GessoError, match="are called img_1"):
            sweeps.check_output(["-m", f"content={content}", "output=x"])
    for folder in ("june", "july"):
        (tmp_path / folder / "IMG_2.jpg").touch()
    with pytest.raises(GessoError, match="are called img_2"):
        sweeps.check_output(["-m", folders, "output=x"])


def test_a_job_is_done_whatever_its_script_makes_of_the_command_line(job, monkeypatch):
    """Of a training that starts from a network, more: what that is made of."""

    def rewritten(arguments: list[str]) -> list[str]:
        return ["model=dcgan", *arguments]

    write_result(job, 5, {"fid": 2.0}, "fid", {"fid": "min"}, rewritten(["seed=1"]))
    monkeypatch.setattr(sweeps.subprocess, "Popen", None)
    assert sweeps.in_fresh_process("train.py", rewritten) == 2.0


def test_ctrl_c_says_how_to_go_on(job, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    ends = iter([KeyboardInterrupt, 130])

    def wait() -> int:
        if (end := next(ends)) is KeyboardInterrupt:
            raise KeyboardInterrupt
        return end

    monkeypatch.setattr(sweeps.subprocess, "Popen", lambda *args, **options: SimpleNamespace(wait=wait))
    with pytest.raises(KeyboardInterrupt):
        sweeps.in_fresh_process("train.py")
    assert "To go on: python train.py" in caplog.text and next(ends, None) is None


@pytest.mark.parametrize("number", endings())
def test_a_signal_to_end_goes_on_to_the_job(job, monkeypatch, caplog, number):
    caplog.set_level(logging.INFO)
    before, sent = signal.signal(number, lambda *_: None), []

    def wait() -> int:
        signal.raise_signal(number)
        return 128 + sent[0]

    child = SimpleNamespace(wait=wait, send_signal=sent.append)
    monkeypatch.setattr(sweeps.subprocess, "Popen", lambda *args, **options: child)
    try:
        with pytest.raises(KeyboardInterrupt):
            sweeps.in_fresh_process("train.py")
    finally:
        signal.signal(number, before)
    assert sent == [number] and "To go on: python train.py" in caplog.text


def test_a_job_s_folder_has_a_name_that_file_systems_take(tmp_path):
    name = sweeps.slug("style=" + "海" * 200)
    assert name.startswith("style-海")
    (tmp_path / f"100_{name}").mkdir()


def test_a_job_knows_that_it_is_of_a_sweep(tmp_path):
    (tmp_path / "0_seed-1").mkdir()
    assert not sweeps.of_sweep(tmp_path / "0_seed-1")
    (tmp_path / sweeps.SWEEP).touch()
    assert sweeps.of_sweep(str(tmp_path / "0_seed-1"))
