"""What can be known from the command line and the file system is known before anything slow begins."""

import re

import pytest
from omegaconf import OmegaConf

from core.checks import _said, check_inputs
from core.config import CONF
from core.errors import GessoError

BLOCK = {
    "weights": None,
    "style": None,
    "inputs": {"weights": None, "style": "Say what to learn: style=<painting>."},
}


def test_what_is_named_must_be_there(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.jpg").touch()
    for style in (str(tmp_path / "a.jpg"), "~/a.jpg", str(tmp_path), [str(tmp_path / "a.jpg"), "~"]):
        check_inputs(OmegaConf.create({"model": {**BLOCK, "style": style}}))
    for style in (str(tmp_path / "b.jpg"), ["~/a.jpg", "~/b.jpg"], 2024):
        with pytest.raises(GessoError, match=r"model\.style=.*: there is no such file or folder"):
            check_inputs(OmegaConf.create({"model": {**BLOCK, "style": style}}))
    with pytest.raises(GessoError, match="Say what to learn"):
        check_inputs(OmegaConf.create({"model": BLOCK}))
    with pytest.raises(GessoError, match="Say from what"):
        check_inputs(OmegaConf.create({"model": {"start": None, "needed": {"start": "Say from what."}}}))
    check_inputs(OmegaConf.create({"model": {"start": "paintings", "needed": {"start": "Say from what."}}}))
    with pytest.raises(GessoError, match=r"weights=/nowhere:"):
        check_inputs(OmegaConf.create({**BLOCK, "style": "~", "weights": "/nowhere"}))


def test_inputs_of_ours_are_keys_that_there_are():
    files = [file for file in CONF.rglob("*.yaml") if re.search(r"^ *inputs:", file.read_text(), re.MULTILINE)]
    assert len(files) >= 5
    for file in files:
        config = OmegaConf.to_container(OmegaConf.load(file))
        for key, _ in _said(config, "inputs"):
            assert OmegaConf.select(OmegaConf.create(config), key, default="none") != "none", f"{file}: {key}"


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("train.py", ["model=adain", "weights=/nowhere"], "weights=/nowhere: there is no such file"),
        ("train.py", ["model=fast_style"], "model.style=<painting>"),
        ("train.py", ["model=fast_style", "model.style=/nowhere"], "model.style=/nowhere: there is no such file"),
        (
            "train.py",
            ["model=fast_style", "model.style=.", "model.start=/nowhere"],
            "model.start=/nowhere: there is no",
        ),
        ("evaluate.py", ["weights=/nowhere"], "weights=/nowhere: there is no such file"),
        ("explore.py", ["classifier=/nowhere"], "classifier=/nowhere: there is no such file"),
        ("stylize.py", ["content=README.md", "weights=/nowhere"], "weights=/nowhere: there is no such file"),
    ],
)
def test_scripts_say_so_before_pictures_are_decoded_and_tensorflow_is_there(
    script, tmp_path, name, arguments, words
):
    """A module of that name would be imported in TensorFlow's place, and stop everything."""
    (tmp_path / "tensorflow.py").write_text("raise SystemExit('TensorFlow was imported')\n")
    (tmp_path / "keras.py").write_text("raise SystemExit('Keras was imported')\n")
    cache = tmp_path / "cache"
    run = f"hydra.run.dir={tmp_path}/run"
    found = script(name, *arguments, run, PYTHONPATH=str(tmp_path), GESSO_CACHE=str(cache))
    assert words in found.stderr + found.stdout and found.returncode == 1
    assert not cache.exists()
