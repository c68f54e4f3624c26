"""Which mode a command line of `evaluate.py` asks for, and what each refuses."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from omegaconf import OmegaConf

from core.config import CONF, compose
from core.errors import GessoError
from core.network_file import add_metadata
from core.network_metadata import Geometry, Metadata
from evaluation import modes


@pytest.fixture
def folder(tmp_path) -> Path:
    """Networks (what they are, without layers), folders and a film (its name alone)."""
    for name in ("generator", "translator", "stylizer"):
        with zipfile.ZipFile(tmp_path / f"{name}.keras", "w") as archive:
            archive.writestr("config.json", "{}")
        method = {"generator": None, "translator": "translate", "stylizer": "fast"}[name]
        add_metadata(
            tmp_path / f"{name}.keras", Metadata(name, method, geometry=None if method is None else Geometry())
        )
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "film.mp4").touch()
    (tmp_path / "painting.jpg").touch()
    return tmp_path


def choose(folder: Path, *overrides: str):
    overrides = [override.format(f=folder) for override in overrides]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return modes.choose(compose("evaluate", overrides), overrides)


WAYS = {
    "generator": ("network={f}/generator.keras", "dataset=mnist"),
    "folder": ("images={f}/a", "dataset=mnist"),
    "translator": ("network={f}/translator.keras", "dataset=paired"),
    "folders": ("images={f}/a", "truth={f}/b"),
    "stylized": ("images={f}/a", "content={f}/b", "style={f}/painting.jpg"),
    "film": ("images={f}/film.mp4", "content={f}/film.mp4"),
}


@pytest.mark.parametrize(("name", "overrides"), WAYS.items())
def test_each_mode_is_asked_for_in_one_way(name, overrides, folder):
    mode, metrics, network = choose(folder, *overrides)
    assert mode is modes.MODES[name] and list(metrics) == list(mode.metrics)
    assert (network is None) == (name not in ("generator", "translator"))


def test_every_key_is_of_use_to_some_mode():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("evaluate")
    assert {key for mode in modes.MODES.values() for key in mode.uses} == set(config)


@pytest.mark.parametrize(
    ("name", "override"),
    [
        ("generator", "truth={f}/a"),
        ("generator", "content={f}/a"),
        ("folder", "truncation=0.5"),
        ("translator", "truncation=0.5"),
        ("translator", "features=inception"),
        ("folders", "dataset=mnist"),
        ("folders", "seed=1"),
        ("stylized", "metrics=[fid]"),
        ("stylized", "truth={f}/b"),
        ("stylized", "image_size=64"),
        ("film", "style={f}/painting.jpg"),
        ("film", "num=3"),
    ],
)
def test_keys_without_effect_are_refused(name, override, folder):
    key = override.partition("=")[0]
    with pytest.raises(GessoError, match=rf"^{key}= has no effect in an evaluation of {modes.MODES[name].what}\."):
        choose(folder, *WAYS[name], override)
    choose(folder, *WAYS[name])


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ((), "Give one of network="),
        (("network={f}/generator.keras", "images={f}/a"), "Give one of network="),
        (("network={f}/generator.keras",), "dataset= says what"),
        (("network={f}/translator.keras",), "dataset= says what"),
        (("network={f}/stylizer.keras", "dataset=mnist"), "is a stylizer, not a generator or translator"),
        (("images={f}/a",), "images= are compared with others"),
        (("images={f}/a", "content={f}/b"), "style=<painting>"),
        (("images={f}/painting.jpg", "content={f}/b", "style={f}/painting.jpg"), "is one picture: images= names a"),
        (("images={f}/c", "truth={f}/b"), "images=.*/c does not exist"),
        (("images={f}/a", "content={f}/b", "style=[{f}/painting.jpg,{f}/other.jpg]"), "style=.*/other.jpg does"),
        ((*WAYS["translator"], "metrics=[fid]"), "this is an evaluation of pictures beside the truth"),
        ((*WAYS["folder"], "metrics=[psnr]"), "this is an evaluation of sets of pictures"),
        ((*WAYS["folder"], "metrics=[class_scores]"), "classifier=<file.keras>"),
        ((*WAYS["folders"], "weights={f}/a"), r"weights= has no effect with metrics=\[l1,psnr,ssim\]"),
        ((*WAYS["folder"], "metrics=[sliced_wasserstein]", "features=inception"), "features= has no effect with"),
        ((*WAYS["folder"], "metrics=[kid]", "classifier={f}/a"), r"classifier= has no effect with metrics=\[kid\]"),
    ],
)
def test_what_cannot_be_evaluated(overrides, words, folder):
    with pytest.raises(GessoError, match=words):
        choose(folder, *overrides)


def test_metrics_that_are_asked_for_and_their_options(folder):
    choose(folder, *WAYS["folders"], "metrics=[l1,perceptual_distance]", "weights={f}/a")
    _, metrics, _ = choose(folder, *WAYS["folder"], "metrics=[precision_recall,kid]", "metrics.kid.function.num=7")
    options = modes.options(metrics)
    assert options["precision_recall.k"] == 3 and options["kid.num"] == 7
    listed = OmegaConf.create({"mine": {"function": {"_target_": "x.y", "layers": [1, 2]}}})
    assert json.dumps(modes.options(listed)) == '{"mine.layers": [1, 2]}'
    assert modes.options(choose(folder, *WAYS["film"])[1]) == {}


def test_tensorflow_is_not_there_yet():
    code = "import evaluation.modes, evaluation.report, sys; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=CONF.parent).returncode == 0
