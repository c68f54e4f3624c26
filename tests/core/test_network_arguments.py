"""What `evaluate.py` and `explore.py` take over from the run that a network is from."""

import shlex

import pytest
from hydra._internal.utils import get_args_parser

from core.errors import GessoError
from core.overrides import ALONE, VALUED, flags, given_value, put_before, refuse_dashes, run_arguments, typed
from core.run import Run

CONFIG = (
    "image_size: 48\ndataset: {_target_: data.wikiart.load, root: /pictures, size: '${image_size}', limit: 5}\n"
)
OWN = ["dataset=wikiart", "image_size=48", 'dataset.root="/pictures"', "dataset.limit=5"]


@pytest.fixture
def run(tmp_path) -> Run:
    run = Run(tmp_path / "run")
    run.hydra.parent.mkdir(parents=True)
    run.config.write_text(CONFIG)
    run.hydra.write_text("hydra: {runtime: {choices: {model: dcgan, dataset: wikiart}}}\n")
    run.best.folder.mkdir()
    for file in (run.network("generator"), run.best.network("generator")):
        file.touch()
    return run


def test_a_network_of_a_run_brings_its_data_set(run):
    places = (run.folder, run.network("generator"), run.best.folder, run.best.network("generator"))
    for place in places:
        given = [f'network="{place}"', "num=3"]
        assert run_arguments(given) == [*OWN, *given]


def test_another_data_set_keeps_none_of_its_keys(run):
    given = [f"network={run.folder}", "dataset=mnist"]
    assert run_arguments(given) == [*OWN[:2], *given]


def test_other_networks_bring_nothing(tmp_path):
    (tmp_path / "g.keras").touch()
    for given in ([f"network={tmp_path}/g.keras"], ["network=/nowhere"], ["network=null"], ["images=a"], []):
        assert run_arguments(given) == given


@pytest.mark.parametrize(
    "name", ["runs/a-1", "a b", "a=b", "${oc.env:HOME}", "[1]", "2024", 'say "a"', r"back\\slash", "ü, é", "a'b"]
)
def test_what_is_advised_to_be_typed_is_read_as_it_was_meant(name):
    """At a shell, and by ourselves before Hydra sees it."""
    [word] = shlex.split(typed("resume", name))
    assert given_value(["resume=x", word], "resume") == name
    assert (word == f"resume={name}") == (name in ("runs/a-1", "2024"))


def test_values_that_name_nothing():
    for argument in ("network=", "network=null", "network=a,b", "images=a"):
        assert given_value([argument], "network") is None
    assert given_value(["network=a (1)"], "network") == "a (1)"


def test_flags_stay_behind_overrides(run):
    given = ["--cfg", "job", f"network={run.folder}", "num=3", "~x"]
    assert run_arguments(given) == [*OWN, *given[2:], *given[:2]]
    assert put_before([], ["a=1", "-m", "b=2", "steps"]) == ["a=1", "b=2", "steps", "-m"]


def test_flags_that_say_where_yaml_files_lie():
    given = ["-m", "--config-dir", "mine", "seed=1,2", "--config-dir=other", "-cn", "train", "model=dcgan"]
    assert flags(given) == ["--config-dir", "mine", "--config-dir=other", "-cn", "train"]


def test_options_have_no_dashes():
    refuse_dashes(["steps=3", "--cfg", "job", "--config-dir=mine", "-m", "offset=-3", "-h"])
    for given in (["--steps=3"], ["-steps=3"], ["seed=1", "--steps", "3"], ["-steps", "3"]):
        dashed = next(argument for argument in given if argument.startswith("-"))
        with pytest.raises(GessoError, match=rf"^{dashed}: options have no dashes here: steps=3\. "):
            refuse_dashes(given)
    for given in (["--steps"], ["--steps", "seed=3"], ["--steps", "-m"]):
        with pytest.raises(GessoError, match=r"here: steps=<value>\. "):
            refuse_dashes(given)


def test_every_flag_of_hydra_is_known():
    parser = get_args_parser()
    assert set(parser._option_string_actions) == {*VALUED, *ALONE}
    given = [[flag, "x"] for flag in VALUED]
    assert all(put_before([], [*pair, "a=1"]) == ["a=1", *pair] for pair in given)
