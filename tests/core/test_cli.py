"""What scripts do with their command line."""

import re
import signal
import sys
from types import SimpleNamespace

import hydra
import pytest
from hydra.errors import ConfigCompositionException
from omegaconf import OmegaConf

from core.cli import _errors_in_words, _plain, _tidy_when_terminated
from core.config import CONF
from core.errors import GessoError
from core.overrides import refuse_empty

FILES = ("content", "style", "network")


def plain(argument: str, sweep: bool = False) -> str:
    return _plain(argument, FILES, sweep)


def test_file_names_are_quoted(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert plain("content=a, b (1).jpg") == 'content="a, b (1).jpg"'
    assert plain('style=say "a".png') == r'style="say \"a\".png"'
    assert plain("style=~/a.jpg") == 'style="/home/me/a.jpg"'
    assert plain("dataset.root=~/b c") == 'dataset.root="/home/me/b c"'  # any key: Hydra cannot read a ~
    assert plain("network=runs/1") == 'network="runs/1"'
    for argument in ("style=[a.jpg,b.jpg]", "style=null", "size=3", "content='a.jpg'", "+x=1", "-m"):
        assert plain(argument) == argument


def test_a_file_is_taken_as_it_stands(tmp_path):
    for name in ("[a] b.jpg", "'a'.jpg", "${oc.env:HOME}.jpg", "\\${x}.jpg", "a\\b.jpg", "a\\", 'a\\"b', "${"):
        (tmp_path / name).touch()
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            config = hydra.compose("stylize", [plain(f"content={tmp_path / name}")])
        assert config.content == str(tmp_path / name)
    assert plain("style=[a]", sweep=True) == "style=[a]"


def test_a_sweep_over_files(tmp_path):
    assert plain("style=a.jpg,b c.jpg", sweep=True) == 'style="a.jpg","b c.jpg"'
    assert plain("style=a.jpg", sweep=True) == 'style="a.jpg"'
    (tmp_path / "a,b.jpg").touch()
    assert plain(f"style={tmp_path}/a,b.jpg", sweep=True) == f'style="{tmp_path}/a,b.jpg"'


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("resume=", "resume= has no value"),
        ("+a.b=", "has no value. Give it one, or leave it out"),
        ("loss=[hinge,wgan_gp]", "loss= takes one. For a run of each, -m loss=hinge,wgan_gp"),
    ],
)
def test_what_a_shell_or_a_habit_makes_of_a_value(argument, words):
    refuse_empty(["penalty=[r1,r2]", "'metrics=[kid]'", "dataset.styles=[cubism]", "seed=1", "--cfg=", "-m"])
    with pytest.raises(GessoError, match=re.escape(words)):
        refuse_empty(["seed=1", argument])


def test_what_is_nested_too_deeply_is_said(capsys):
    with pytest.raises(SystemExit) as end, _errors_in_words(None, "train"):
        raise RecursionError
    assert end.value.code == 1 and "nested more deeply" in capsys.readouterr().err


def test_a_yaml_that_is_none_is_named_with_its_line(tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text("a: 1\nweights: [1\n")
    with pytest.raises(SystemExit) as end, _errors_in_words(None, "train"):
        OmegaConf.load(tmp_path / "mine.yaml")
    said = capsys.readouterr().err
    assert end.value.code == 1 and f"{tmp_path / 'mine.yaml'}, line 3: expected ',' or ']'" in said, said


@pytest.mark.parametrize(("cause", "code"), [(KeyboardInterrupt(), 130), (SystemExit(143), 143)])
def test_an_end_while_hydra_composes_is_no_error_of_hydra_s(cause, code):
    with pytest.raises(SystemExit) as end, _errors_in_words(None, "train"):
        raise ConfigCompositionException from cause
    assert end.value.code == code


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has none")
@pytest.mark.parametrize("ignored", [False, True])
def test_a_closed_terminal_ends_the_script_as_an_exception_would(monkeypatch, ignored):
    """Once, however often it is said, and though nothing can be printed; not where `nohup` began it."""

    def write(text: str) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(sys, "stderr", SimpleNamespace(write=write))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else lambda *_: None)
    code = None
    try:
        with _tidy_when_terminated():
            try:
                signal.raise_signal(signal.SIGHUP)
            except SystemExit as end:
                code = end.code
                signal.raise_signal(signal.SIGHUP)  # while it is saving
    finally:
        signal.signal(signal.SIGHUP, before)
    assert code == (None if ignored else 129)
