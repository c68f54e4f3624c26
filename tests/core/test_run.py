"""The layout of run directories."""

import os

import pytest

from core.errors import GessoError
from core.run import Run


@pytest.fixture
def run(tmp_path) -> Run:
    run = Run(tmp_path / "run")
    run.config.parent.mkdir(parents=True)
    run.config.write_text("seed: 1\n")
    run.hydra.write_text("hydra: {runtime: {choices: {model: dcgan}}}\n")
    return run


def test_a_run_directory_is_one_with_a_configuration(run):
    assert run.is_run and run.choices("model").model == "dcgan" and run.load_config().seed == 1
    assert not Run(run.folder.parent).is_run and not run.best.is_run


def test_the_run_that_a_file_lies_in(run, monkeypatch):
    for file in (run.network("generator"), run.best.network("generator"), run.restart(3).metrics):
        assert Run.of(file) == run
    assert Run.of(run.folder.parent / "generator.keras") is None
    assert Run.of(run.folder / "elsewhere" / "generator.keras") is None
    run.best.folder.mkdir()
    for folder, file in ((run.folder, "a.keras"), (run.folder, "best/a.keras"), (run.best.folder, "a.keras")):
        monkeypatch.chdir(folder)
        assert Run.of(file).folder.resolve() == run.folder.resolve()


def test_what_is_half_written_is_not_there(run):
    run.checkpoints.mkdir()
    for file in (run.checkpoint(20), run.checkpoint(100000000), run.checkpoint(3), run.network("stylizer")):
        file.touch()
        file.with_name(f".{file.name}").touch()
    (run.checkpoints / "step_1.npz").touch()
    assert run.saved() == [run.checkpoint(3), run.checkpoint(20), run.checkpoint(100000000)]
    assert run.networks() == [run.network("stylizer")]


def test_whatever_was_trained_in_a_run_counts(run):
    for of in (run, run.restart(3), run.words):
        assert not run.has_checkpoints
        of.checkpoints.mkdir(parents=True)
        of.checkpoint(1).touch()
        assert run.has_checkpoints
        of.checkpoint(1).unlink()


NUMBERS = '{"name": "x", "classes": ["c", 1.5], "num": 1, "fingerprint": "0"}'
STYLES = '{"name": "x", "classes": [], "num": 1, "fingerprint": "0", "styles": 5}'
HUGE = " " * 2**23 + '{"name": "x", "classes": [], "num": 1, "fingerprint": "0"}'


@pytest.mark.parametrize("text", ["", "[]", '{"classes": ["c"]}', "{", NUMBERS, STYLES, HUGE])
def test_damaged_data_is_said_so(run, text):
    run.data.write_text(text)
    with pytest.raises(GessoError, match=r"data\.json is damaged"):
        run.load_data()


def test_data_that_are_a_pipe_are_not_waited_for(run):
    os.mkfifo(run.data)
    with pytest.raises(GessoError, match="no regular file"):
        run.load_data()
