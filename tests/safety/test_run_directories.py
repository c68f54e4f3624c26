"""Run directories of strangers: what they say of a configuration is data, and stays data."""

import os
import shutil
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from omegaconf import OmegaConf

from core import stored
from core.config import CONF, compose
from core.errors import GessoError
from core.images import config_hash
from core.overrides import run_arguments
from core.resume import opened, resume_arguments, resumed
from core.run import Run


@pytest.fixture
def composed():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield lambda *overrides: compose("train", list(overrides))


OWN = ["model=mlp", "dataset=mnist", "steps=10"]


@pytest.fixture(scope="module")
def own():
    """What these overrides compose."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", OWN)


@pytest.fixture
def run(tmp_path, own) -> Run:
    """A run directory as training leaves it, but for what it learned."""
    folder = Run(tmp_path / "run")
    folder.config.parent.mkdir(parents=True)
    OmegaConf.save(own, folder.config)
    OmegaConf.save(OmegaConf.create(OWN), folder.overrides)
    choices = {"model": "mlp", "dataset": "mnist", "penalty": ["r1"], "hydra/launcher": "basic", "experiment": None}
    OmegaConf.save(OmegaConf.create({"hydra": {"runtime": {"choices": choices}}}), folder.hydra)
    return folder


def change(file: Path, **values) -> None:
    config = OmegaConf.load(file)
    for key, value in values.items():
        OmegaConf.update(config, key.replace("__", "."), value, merge=False, force_add=True)
    OmegaConf.save(config, file)


def test_an_honest_one_goes_on(run, composed):
    arguments = resume_arguments([f"resume={run.folder}", "steps=20"])
    assert arguments[:4] == [*OWN, "steps=20"]
    config = resumed(composed(*arguments[:-1]), "train", arguments[:-1])
    assert (config.steps, config.dataset.cache_dir) == (20, os.environ["GESSO_CACHE"])
    assert "dataset=mnist" in run_arguments([f"network={run.folder}"])
    assert run.choices("model").model == "mlp"


def test_all_that_our_own_files_refer_to_may_be_stored(tmp_path, composed):
    for file in (
        file
        for group in ("model", "dataset", "loss", "features", "metrics")
        for file in (CONF / group).rglob("*.yaml")
    ):
        for key, value in stored._values(OmegaConf.to_container(OmegaConf.load(file))):
            stored._refers(key, value)
    for name in ("fast_style", "content_style_gan", "pix2pix"):
        config = composed(f"model={name}", "dataset=wikiart")
        OmegaConf.save(config, tmp_path / "config.yaml")
        assert stored.load_config(tmp_path / "config.yaml") == config


@pytest.mark.parametrize(
    "override",
    [
        "+hydra.callbacks.a={_target_: numpy.load, file: evil.npy, allow_pickle: true}", "hydra.job.name=x",
        "++hydra.callbacks.a._target_=os.system", "~hydra", "~hydra.run", "+hydra/launcher=joblib",
        "hydra/launcher=basic", "hydra.searchpath=[/tmp/evil]", "+hydra.searchpath=[/tmp/evil]",
        "hydra.sweep.dir=/tmp", "hydra.output_subdir=x", "hydra.job.env_set.LD_PRELOAD=/tmp/evil.so",
        "+hydra.run.dir=/tmp", "hydra@a=1", "+a@hydra.callbacks={b: 1}", "+dataset@hydra.callbacks=mnist",
        "--config-dir=/tmp/evil", "-cd=/tmp/evil", "-m", "--multirun", "--config-path=x", "--config-name=evil",
        "--experimental-rerun=evil.pickle", "dataset=../../../tmp/evil", "dataset=/tmp/evil",
        "experiment=[../evil]", "penalty=[r1,../../evil]", "+model/base=../../../evil", "seed=1,2",
        "seed=choice(1,2)", "model=glob(*)", "seed=range(1,9)", "no override at all", "", 3, ["a=1"],
        "dataset.root={_target_: data.mnist.load}", "+dataset.a=[{b: 1}]", "dataset.root=${oc.env:SECRET}",
        "dataset.root='${oc.env:SECRET}'", "dataset.root=x${oc.env:SECRET,none}",
        "+model.a={b: ['${oc.env:SECRET}']}", "dataset.root=${oc.decode:x}",
        "dataset.root='${hydra:runtime.cwd}'", "+a.b=[${seed},${seed}]",
        "+__pycache__=../../../../tmp/evil", "+__pycache__=[../../evil]",  # a folder of Hydra's own beside conf/
        "+mygroup=../../evil", "+my/group=../../tmp/evil", "weights=" + "x" * 10_000,
        "seed=" + "str(" * 1000 + ")" * 1000,
    ],
)  # fmt: skip
def test_what_only_the_user_may_say_is_refused_in_a_stored_command_line(run, override):
    run.overrides.write_text(OmegaConf.to_yaml(OmegaConf.create([*OWN, override])))
    with pytest.raises(GessoError, match="refused"):
        resume_arguments([f"resume={run.folder}"])


def test_a_run_goes_on_with_its_own_model_and_data(run):
    for group, other, own in (("model", "dcgan", "mlp"), ("dataset", "wikiart", "mnist")):
        with pytest.raises(GessoError, match=f"{group}={other}: .* is a run of {group}={own}"):
            resume_arguments([f"resume={run.folder}", f"{group}={other}"])
    resume_arguments([f"resume={run.folder}", "model=mlp", "dataset=mnist"])


def test_its_folder_may_be_in_a_stored_command_line(run):
    run.overrides.write_text("- hydra.run.dir=elsewhere\n")
    assert resume_arguments([f"resume={run.folder}"])[-1] == f'hydra.run.dir="{run.folder}"'


def test_callbacks_of_a_stranger_are_not_called(run, tmp_path, script):
    call = f"{{_target_: pathlib.Path.touch, self: {{_target_: pathlib.Path, _args_: [{tmp_path}/ran]}}}}"
    run.overrides.write_text(OmegaConf.to_yaml(OmegaConf.create([f"+hydra.callbacks.a={call}"])))
    found = script("train.py", f"resume={run.folder}")
    assert "refused" in found.stderr and found.returncode == 1 and "Traceback" not in found.stderr
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "value",
    [
        {"_target_": "data.store.np.load", "file": "evil.npy", "allow_pickle": True}, {"a": 1}, [{"a": 1}],
        [["a"]], {"_target_": "data.mnist.load"},
    ],
)  # fmt: skip
def test_stored_data_sets_have_values_where_values_belong(run, own, value):
    change(run.config, dataset__root=value)
    with pytest.raises(GessoError, match=r"dataset\.root is refused"):
        resumed(OmegaConf.merge(own, {"resume": str(run.folder)}), "train", OWN)
    with pytest.raises(GessoError, match=r"dataset\.root is refused"):
        run_arguments([f"network={run.folder}"])


@pytest.mark.parametrize("key", ["a@hydra.callbacks", "a b", "root=1 hydra", "{x}"])
def test_names_of_keys_are_names(run, key):
    config = OmegaConf.to_container(OmegaConf.load(run.config))
    config["dataset"][key] = 1
    run.config.write_text(OmegaConf.to_yaml(OmegaConf.create(config)))
    with pytest.raises(GessoError, match="refused"):
        run_arguments([f"network={run.folder}"])


@pytest.mark.parametrize(
    "value",
    [
        "${oc.env:SECRET}", "x ${oc.env:SECRET}", "${oc.env:SECRET,none}", "${oc.decode:${oc.env:SECRET}}",
        "${oc.env:${seed}}", "${oc.create:{a:1}}", "${oc.dict.keys:model}", "${oc.select:model}",
        "${oc.deprecated:seed}", "${hydra:runtime.cwd}", "${now:%Y}", "${seed}${seed}",
        "${oc.env:GESSO_CACHE}${oc.env:SECRET}", r"\${oc.env:SECRET}", "${oc.env:GESSO_CACHE,${oc.env:SECRET}}",
        "${.seed}", "${nowhere[0]}", ["${oc.env:SECRET}"], {"a": {"b": [["${oc.env:SECRET}"]]}},
    ],
)  # fmt: skip
def test_the_environment_of_here_stays_here(run, monkeypatch, value):
    monkeypatch.setenv("SECRET", "pssst")
    before = run.config.read_text()
    for key in ("dataset__root", "anything"):
        change(run.config, **{key: value})
        with pytest.raises(GessoError, match="refused") as error:
            run.load_config()
        assert "pssst" not in str(error.value)
        run.config.write_text(before)


@pytest.mark.parametrize(
    "option", ["${oc.env:SECRET}", "../../../tmp/evil", "/tmp/evil", "x --config-dir=y", "a,b"]
)
def test_options_are_names(run, option):
    change(run.hydra, hydra__runtime__choices__model=option)
    for read in (lambda: run.choices("model").model, lambda: run_arguments([f"network={run.folder}"])):
        with pytest.raises(GessoError, match="refused"):
            read()


def test_the_script_that_began_a_run_is_a_name(run, monkeypatch):
    monkeypatch.setenv("SECRET", "pssst")
    for name, found in (("train", "train"), ("${oc.env:SECRET}", None), ({"a": 1}, None)):
        change(run.hydra, hydra__job__name=name)
        assert run.script == found


def test_what_a_configuration_may_refer_to(run):
    values = {"a": "${seed}", "b": "${a}", "c": "${model.width}", "d": "${list}", "list": ["${a}", "x"]}
    change(run.config, **values, whole="${model.generator_optimizer}")
    config = run.load_config()
    assert (config.b, config.c, config.d) == (config.seed, config.model.width, [config.seed, "x"])
    assert config.whole.beta_1 == config.model.generator_optimizer.beta_1
    assert len(config_hash(config)) == 16


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"restarts": [1]}, r"restarts=\[1\] is a list; it must be a whole number"),
        ({"steps": "many"}, "steps=many is text"),
        ({"batch_size": {"a": 1}}, "batch_size is a group of keys"),
        ({"model__width": -1}, "model.width=-1: it must be at least 1"),
    ],
)
def test_stored_values_are_looked_at_as_given_ones(run, composed, values, words):
    change(run.config, **values)
    arguments = resume_arguments([f"resume={run.folder}"])
    with pytest.raises(GessoError, match=words):
        resumed(composed(*arguments[:-1]), "train", arguments[:-1])


@pytest.mark.parametrize(
    "values",
    [
        {"a": "${b}", "b": "${a}"},
        {"a": "${a}"},
        {"a": {"x": {"y": "${a.x}"}}},
        {"list": list(range(3000)), **{f"a{i}": "${list}" for i in range(9)}},
        {"a0": [], **{f"a{i}": [f"${{a{i - 1}}}"] * 2 for i in range(1, 40)}},
        {"a0": {}, **{f"a{i}": {"x": f"${{a{i - 1}}}", "y": f"${{a{i - 1}}}"} for i in range(1, 40)}},
    ],
)
def test_references_do_not_unfold_to_more_than_they_are(run, values):
    change(run.config, **values)
    with pytest.raises(GessoError, match="refused"):
        run.load_config()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &x [1]\nb: *x\n", "aliases"),
        ("a: &a [1,1]\nb: &b [*a,*a]\nc: &c [*b,*b]\n", "aliases"),
        ("a: " + "[" * 40 + "]" * 40, "nested so deeply"),
        ("a: " + "[" * 100000, "nested so deeply"),
        ("a: " + "x" * 300000, "larger than 262144 bytes"),
        ("a: !!python/object/apply:os.system ['true']\n", "damaged"),
        ("a: !!python/name:os.system\n", "damaged"),
        ("a: [1", "damaged"),
        ("a: ${", "damaged"),
        ("\x00\x01", "damaged"),
        ("- 1\n", "is no configuration"),
    ],
)
def test_files_that_are_no_configuration_are_refused_in_words(run, text, words):
    run.config.write_text(text)
    with pytest.raises(GessoError, match=words):
        run.load_config()
    for file in (run.hydra, run.overrides):
        file.write_text(text)
    for read in (lambda: run.choices("model").model, lambda: resume_arguments([f"resume={run.folder}"])):
        with pytest.raises(GessoError):
            read()
    run.config.unlink()
    with pytest.raises(GessoError, match="not a whole run directory"):
        run.load_config()


def test_a_link_out_of_the_run_is_not_written_through(run, tmp_path):
    (run.folder / "best").mkdir()
    (run.folder / "latest").symlink_to("best")  # within: harmless
    (run.folder / "best" / "same").symlink_to(run.config)
    resume_arguments([f"resume={run.folder}"])
    shutil.copytree(run.folder, tmp_path / "elsewhere", symlinks=True)
    for target in (tmp_path / "precious", tmp_path, "../../precious", "/nowhere"):
        (run.folder / "best" / "train.log").symlink_to(target)
        with pytest.raises(GessoError, match="leads out of the run directory"):
            resume_arguments([f"resume={run.folder}"])
        (run.folder / "best" / "train.log").unlink()


def test_nor_does_a_new_run_write_through_what_lies_in_its_folder(run, tmp_path, own):
    folder = tmp_path / "new"
    (folder / "mine").mkdir(parents=True)
    (folder / "mine" / "linked").symlink_to("/")  # is no business of the run's
    opened(own, Run(folder))
    for name in ("samples", "train.log", "tensorboard", ".hydra"):
        (folder / name).symlink_to(tmp_path)
        with pytest.raises(GessoError, match=f"{name} is a link that leads out of the run directory"):
            opened(own, Run(folder))
        (folder / name).unlink()


def test_pipes_are_not_waited_for(run):
    for file, words in ((run.overrides, "neither a file nor a folder"), (run.config, "not a run directory")):
        content = file.read_bytes()
        file.unlink()
        os.mkfifo(file)
        with pytest.raises(GessoError, match=words):
            resume_arguments([f"resume={run.folder}"])
        with pytest.raises(GessoError, match="cannot be read"):
            stored.load(file)
        file.unlink()
        file.write_bytes(content)


def test_what_an_evaluation_takes_over_writes_and_reads_nothing_elsewhere(run, tmp_path, monkeypatch):
    change(run.config, dataset__cache_dir=str(tmp_path / "elsewhere"))
    assert not [given for given in run_arguments([f"network={run.folder}"]) if "elsewhere" in given]
    monkeypatch.setenv("SECRET", "a secret")
    for size in ("$\\{oc.env:SECRET\\}", "64", None, [64]):
        change(run.config, image_size=size)
        with pytest.raises(GessoError, match="no image_size"):
            run_arguments([f"network={run.folder}"])


def test_what_a_stored_command_line_adds_does_not_unfold_either(run, composed):
    doubled = [f"+trainer.z{i}.{name}=${{trainer.z{i + 1}}}" for i in range(14) for name in "ab"]
    run.overrides.write_text(OmegaConf.to_yaml(OmegaConf.create([*OWN, *doubled, "+trainer.z14=1"])))
    arguments = resume_arguments([f"resume={run.folder}"])
    with pytest.raises(GessoError, match="unfold to more than"):
        resumed(composed(*arguments[:-1]), "train", arguments[:-1])


def test_one_reference_a_key_goes_on_and_several_do_not(run):
    run.overrides.write_text(OmegaConf.to_yaml(OmegaConf.create([*OWN, "+mine={a: '${seed}', b: '${seed}'}"])))
    with pytest.raises(GessoError, match="refers to several keys"):
        run.load_overrides()


def test_own_keys_of_a_recipe_go_on(run):
    own = [
        "root_of_mine=/data/pictures",
        "+rate_of_mine=0.5",
        "+shift=-1",
        "note='a run with words'",
        "+mine={a: 2.5, b: '${seed}'}",
    ]
    run.overrides.write_text(OmegaConf.to_yaml(OmegaConf.create([*OWN, *own])))
    assert run.load_overrides() == [*OWN, *own]
    change(run.config, size_of_mine=64, image_size="${size_of_mine}")
    assert "image_size=64" in run_arguments([f"network={run.folder}"])
