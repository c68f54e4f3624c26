from unittest.mock import patch

import hydra
import pytest
from hydra import initialize_config_dir
from omegaconf import OmegaConf

from core import config
from core.checks import without_blocks
from core.cli import ROOT
from core.config import CONF, check_metrics, check_types, explain, leaves, metrics_named
from core.errors import GessoError
from core.instantiate import build
from core.resume import begin, opened, resume_arguments, resumed
from core.run import Run
from core.sweeps import slug
from tests import compositions


@pytest.fixture
def composed():
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield lambda *overrides: hydra.compose("train", list(overrides))


GROUPS = {"model": "dcgan", "loss": "non_saturating", "dataset": "paintings", "trainer": "default"}


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("steps=abc", "steps=abc is text; it must be a whole number"),
        ("steps=1.5", "steps=1.5 is a number; it must be a whole number"),
        ("steps=true", "steps=True is true or false"),
        ("seed=true", "seed=True is true or false"),  # whose default, 1, is equal to it
        ("steps=null", "steps=None is empty"),
        ("steps=[1,2]", "is a list"),
        ("model.width=wide", "model.width=wide"),
        ("dataset.flip=3", "it must be true or false"),
        ("model.generator_optimizer.learning_rate=fast", "it must be a number"),
        ("evaluate_every=abc", "it must be a whole number, at least 1"),
        ("model.discriminator_width=abc", "it must be a whole number, at least 1"),  # by default another key's
        ("model.accumulate=2.5", "it must be a whole number"),
        ("model.augment_target=high", "it must be a number, more than -1 and less than 1"),
        ("loss.weight_clipping=true", "it must be a number, positive"),
        ("model.width={a:1}", "model.width is a group of keys; it must be a value"),
        ("model.width={_target_:training.schedules.Cosine}", "model.width is a group of keys; it must be a value"),
        ("model.ema_kimg={a:1}", "model.ema_kimg is a group of keys; it must be a value"),
        ("resume={a:1}", "resume is a group of keys; it must be a value"),
        ("trainer.devices=[]", "trainer.devices=[] names none"),
        ("weights=[a,b]", "weights=['a', 'b'] is a list; it must be one value"),
        ("model.generator_optimizer=sgd", "a group of keys: model.generator_optimizer._target_, model.gen"),
        ("loss.discriminator_loss=hinge", "loss.discriminator_loss=hinge: it is a group of keys"),
        ("+evaluate_evry=3", "there is no such key. Did you mean evaluate_every?"),
    ],
)
def test_wrong_types(composed, override, words):
    with pytest.raises(GessoError) as error:
        check_types(composed(override), "train", GROUPS)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (["loss=non_saturating"], "loss.discriminator_loss.least_margin, which loss=non_saturating does"),
        (["dataset=paintings", "loss=hinge"], "dataset.limit, which dataset=paintings does"),
    ],
)
def test_what_an_experiment_says_of_another_option_can_be_taken_away(composed, overrides, key):
    groups = GROUPS | {"experiment": "fastgan_wikiart", "model": "fastgan", "dataset": "wikiart"}
    groups |= dict(override.split("=") for override in overrides)
    with pytest.raises(
        GessoError, match=f"experiment=fastgan_wikiart sets {key} not have: .* by '~{key.split(',')[0]}'"
    ):
        check_types(composed("experiment=fastgan_wikiart", *overrides), "train", groups)


def test_what_an_experiment_says_of_another_model_is_left_out(composed):
    groups = GROUPS | {"experiment": "cgan_wikiart", "dataset": "wikiart"}
    assert check_types(composed("experiment=cgan_wikiart"), "train", groups) == []
    found = check_types(composed("experiment=cgan_wikiart", "model=mlp"), "train", groups | {"model": "mlp"})
    assert {"model.upsampling", "model.modulated"} <= {*found} and "model.condition" not in found
    schedules = GROUPS | {"experiment": "r3gan_64", "model": "r3gan", "loss": "relativistic"}
    assert check_types(composed("experiment=r3gan_64"), "train", schedules) == []  # keys that its own values read


COSINE = "{_target_:training.schedules.Cosine,initial:1,final:0,images:9,batch_size:3}"
RIGHT = [
    "steps=7", "model.system.ema_decay=1", "dataset.styles=[cubism]", "resume=x", "trainer.jit_compile=true",
    "model.optimizer.learning_rate=0.001 model=fast_style",
    f"model.ema_kimg={COSINE}", f"model.generator_optimizer.learning_rate={COSINE}",
]  # fmt: skip


@pytest.mark.parametrize("override", RIGHT)
def test_right_types(composed, override):
    overrides = override.split()
    groups = GROUPS | {"loss": "perceptual", "model": "fast_style"} if len(overrides) > 1 else GROUPS
    check_types(composed(*overrides), "train", groups)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["dataset=mnist", "dataset.num_images=100"], "--help lists"),
        (["model=mlp", "model.dropuot=0.3"], "Did you mean model.dropout?"),
        (["penalty=r1", "loss.penalties.r1.wieght=1"], "Did you mean loss.penalties.r1.weight?"),
        (["loss.penalties.r1.weight=1"], "unless penalty=r1 adds it"),
        (["model.widht=3", "loss=x"], "there is no such"),
        (
            ["model=adain", "model.optimizer.learning_rate=1e-4", "model.optimizer.learning_rate.decay_rate=1"],
            "model.optimizer.learning_rate=1e-4 stands in the place of the group",
        ),
        (["steps"], "steps: options are key=value"),
        (["penalty=[r1"], "penalty=[r1: the list has no end"),
        (["penalty=r1,r2"], "Then 'penalty=[r1,r2]', quotes included, or, for a sweep, -m penalty=r1,r2."),
        (["model.instance_noise=0,5"], "with a decimal point, model.instance_noise=0.5"),
    ],
)
def test_hints_are_of_the_chosen_options(composed, overrides, words):
    with pytest.raises(Exception) as error:
        composed(*overrides)
    assert words in explain(error.value, "train", overrides)


def test_penalties_are_added_to_any_loss(composed):
    config = composed("loss=hinge", "penalty=[r1,r2]", "loss.penalties.r1.weight=3")
    assert set(config.loss.penalties) == {"r1", "r2"} and config.loss.penalties.r1.weight == 3
    check_types(config, "train", GROUPS | {"loss": "hinge"})  # Hydra does not say which, if there are several
    check_types(composed("penalty=[r1,r2]", "loss.penalties.r2.weight=0.5"), "train", GROUPS)
    for key, value in (("r1.weight", "much"), ("r2.every", "1.5")):
        with pytest.raises(GessoError, match=rf"loss\.penalties\.{key}={value}"):
            check_types(composed("penalty=[r1,r2]", f"loss.penalties.{key}={value}"), "train", GROUPS)


def test_the_defaults_are_fine(composed):
    check_types(composed(), "train", GROUPS)


def test_a_key_of_this_machine_that_no_script_has(composed, tmp_path, monkeypatch):
    for name in ("train", "stylize"):
        (tmp_path / f"{name}.yaml").write_text((CONF / f"{name}.yaml").read_text())
    (tmp_path / "local").mkdir()
    (tmp_path / "model").mkdir()
    monkeypatch.setattr(config, "CONF", tmp_path)
    monkeypatch.delenv("GESSO_LOCAL")
    local = tmp_path / "local" / "default.yaml"
    local.write_text("# @package _global_\nweights: a\nstyle_size: 3\nmodel: {width: 3}\n")
    config._check_local()
    local.write_text("# @package _global_\nwieghts: a\n")
    with pytest.raises(GessoError, match=r"default\.yaml: wieghts: there is no such key\. Did you mean weights\?"):
        config._check_local()


def test_a_file_of_this_machine_that_is_not_there(monkeypatch):
    monkeypatch.setenv("GESSO_LOCAL", "tpyo")
    with pytest.raises(GessoError, match=r"GESSO_LOCAL=tpyo: there is no .*tpyo\.yaml"):
        config._check_local()
    monkeypatch.setenv("GESSO_LOCAL", "none")
    config._check_local()


def test_metrics_of_one_s_own_say_what_they_are_of():
    check_metrics(metrics_named(["kid", "psnr"]))
    wrong = {"of: imges": "of: imges: Did you mean images", "of: images\n  mode: best": "mode: best:"}
    for line, words in wrong.items():
        with pytest.raises(GessoError, match=f"metrics=mine: {words}"):
            check_metrics(OmegaConf.create(f"mine:\n  {line}"))


def test_leaves():
    assert dict(leaves({"a": {"b": 1, "c": {"d": None}}, "e": [1]})) == {"a.b": 1, "a.c.d": None, "e": [1]}


@pytest.mark.parametrize("target", ["os.system", "builtins.eval", "subprocess.run", "modelsx.y"])
def test_foreign_targets_are_refused(target):
    with pytest.raises(GessoError, match="refused"):
        build(OmegaConf.create({"_target_": "models.gan.GAN", "generator": {"_target_": target}}))


def test_wrong_arguments_are_said_in_words():
    config = OmegaConf.create({"_target_": "models.networks.dcgan.generator", "widht": 3})
    with pytest.raises(GessoError, match="widht"):
        build(config, image_shape=(16, 16, 3))


def test_slug_needs_no_quoting(monkeypatch):
    monkeypatch.setattr("sys.argv", ["train.py", "-m", "model=dcgan", "seed=1,2"])
    assert slug("model=dcgan,seed=1,dataset.root=../my data") == "seed-1_dataset.root-..-my-data"


def test_slug_leaves_out_what_hydra_writes_in_another_way(monkeypatch):
    """Of `{a: 1, b: 2}` jobs are given no spaces, nor of a list; what interpolates is escaped."""
    given = ["seed=1,2", "+rate={a: 1, b: [2, 3]}", "metrics=[fid, kid]", "log_every=${model.width}"]
    monkeypatch.setattr("sys.argv", ["train.py", "-m", *given])
    assert slug(r"+rate={a:1,b:[2,3]},log_every=$\{model.width\},metrics=[fid,kid],seed=1") == "seed-1"


@pytest.fixture
def run(tmp_path, composed):
    """A run directory of `steps=10 model.width=8`."""
    folder = tmp_path / "a=b, c"
    (folder / ".hydra").mkdir(parents=True)
    OmegaConf.save(without_blocks(composed("steps=10", "model.width=8")), folder / ".hydra" / "config.yaml")
    OmegaConf.save(OmegaConf.create(["steps=10", "model.width=8"]), folder / ".hydra" / "overrides.yaml")
    return folder


def again(run, composed, *overrides: str):
    """The configuration of `python train.py resume=<run> <overrides>`."""
    *rest, _ = resume_arguments([f"resume={run}", *overrides])  # the last is hydra.run.dir
    return resumed(without_blocks(composed(*rest)), "train", rest)


def goes_on(run, composed, *overrides: str):
    """The same, of one that has begun: what it is to go on from is written."""
    *rest, _ = resume_arguments([f"resume={run}", *overrides])
    config = again(run, composed, *overrides)
    known = OmegaConf.create({"overrides": {"task": rest}})
    with patch("core.overrides.HydraConfig.get", lambda: known):
        begin(config, Run(run))
    return config


def test_resume_starts_from_the_runs_own_overrides(run):
    arguments = resume_arguments([f"resume={run}", "steps=20"])
    assert arguments[:3] == ["steps=10", "model.width=8", "steps=20"]
    assert f'hydra.run.dir="{run}"' in arguments
    assert resume_arguments(["steps=3"]) == ["steps=3"]
    assert resume_arguments(["--cfg", "job", f"resume={run}"])[-2:] == ["--cfg", "job"]
    OmegaConf.save({"hydra": {"runtime": {"choices": {"model": "dcgan"}}}}, run / ".hydra" / "hydra.yaml")
    with pytest.raises(GessoError, match=r"experiment=wgan_mnist: .* goes on by what it began with"):
        resume_arguments([f"resume={run}", "experiment=wgan_mnist"])
    with pytest.raises(GessoError, match=r"leave out hydra\.run\.dir="):
        resume_arguments([f"resume={run}", "hydra.run.dir=elsewhere"])
    with pytest.raises(GessoError, match="leave out -m"):
        resume_arguments(["-m", f"resume={run}", "seed=1,2"])
    with pytest.raises(GessoError, match=r"not a run directory, it has no .*yaml\.$"):
        resume_arguments([f"resume={run.parent}"])
    with pytest.raises(GessoError, match=rf"not a run directory.* Did you mean {run}\?"):
        resume_arguments([f"resume={run}s"])


def test_what_was_begun_and_never_saved_leaves_nothing_to_the_next(run, composed):
    """Else its curves would go on in the next one's, and its best be that one's."""
    for name in ("tensorboard", "samples", "best", "other"):
        (run / name).mkdir()
        (run / name / "a").touch()
    (run / "metrics.jsonl").touch()
    with patch("core.resume.announce"):
        begin(without_blocks(composed("steps=20")), Run(run))
        assert {path.name for path in run.iterdir()} == {".hydra", "other"}
        (run / "samples").mkdir()
        (run / "checkpoints").mkdir()
        (run / "checkpoints" / "step_00000005.npz").touch()
        begin(without_blocks(composed("steps=20")), Run(run))
    assert (run / "samples").is_dir()


def test_resume_changes_what_the_command_line_changes(run, composed):
    stored = OmegaConf.load(run / ".hydra" / "config.yaml")
    stored.log_every = 33  # as if conf/ had another default when the run began
    OmegaConf.save(stored, run / ".hydra" / "config.yaml")
    config = again(run, composed, "steps=20")
    assert (config.steps, config.model.width, config.log_every, config.resume) == (20, 8, 33, str(run))
    assert OmegaConf.load(run / ".hydra" / "config.yaml").steps == 10  # until its checkpoint has been read
    goes_on(run, composed, "steps=20")
    kept = OmegaConf.load(run / ".hydra" / "config.yaml")
    assert (kept.steps, kept.log_every, kept.resume) == (20, 33, None)
    assert Run(run).load_overrides() == ["steps=10", "model.width=8", "steps=20"]
    assert again(run, composed).steps == 20


def test_resume_with_nothing_left_to_train_changes_only_how_it_is_measured(run, composed):
    (run / "checkpoints").mkdir()
    (run / "checkpoints" / "step_00000010.npz").touch()
    assert again(run, composed, "metrics=[kid]", "evaluate_num=7").evaluate_num == 7
    assert again(run, composed, "seed=5", "steps=20").seed == 5
    with pytest.raises(GessoError, match=r"seed=5: .* is at step 10, its last, and was trained with 1\."):
        again(run, composed, "seed=5")


def test_a_run_without_its_checkpoints_is_not_written_over(run, composed):
    (run / "generator.keras").touch()
    with pytest.raises(GessoError, match=r"no checkpoints any more.*generator\.keras among it.*model.start="):
        again(run, composed, "steps=20")
    with pytest.raises(GessoError, match="no checkpoints any more"):
        opened(without_blocks(composed("steps=10", "model.width=8")), Run(run))


def test_resume_says_what_depends_on_steps(tmp_path, composed, caplog):
    for model, said in (("dcgan", False), ("pix2pix", True)):
        folder, own = tmp_path / model, [f"model={model}", "steps=10"]
        (folder / ".hydra").mkdir(parents=True)
        OmegaConf.save(without_blocks(composed(*own)), folder / ".hydra" / "config.yaml")
        OmegaConf.save(OmegaConf.create(own), folder / ".hydra" / "overrides.yaml")
        again(folder, composed, "steps=20")
        assert ("steps= had been 20 from the start: model.generator_optimizer.learning_rate" in caplog.text) == said


def test_resume_back_to_what_the_run_began_with(run, composed):
    rate = "model.generator_optimizer.learning_rate"
    goes_on(run, composed, f"{rate}=0.01")
    assert again(run, composed, "steps=20").model.generator_optimizer.learning_rate == 0.01
    assert again(run, composed, f"{rate}=0.0002").model.generator_optimizer.learning_rate == 0.0002


def test_resume_with_another_loss_or_metric_leaves_nothing_of_the_one_before(run, composed):
    config = goes_on(run, composed, "loss=hinge", "metrics=[kid]")
    assert "label_smoothing" not in config.loss.discriminator_loss and list(config.metrics) == ["kid"]
    assert "hinge" in again(run, composed, "steps=20").loss.generator_loss._target_
    smoothed = again(run, composed, "loss=non_saturating", "loss.discriminator_loss.label_smoothing=0.1")
    assert smoothed.loss.discriminator_loss.label_smoothing == 0.1


@pytest.mark.parametrize(
    "changes",
    [
        ["model.width=16"], ["image_size=64"], ["model.latent_dim=7"], ["model.condition=concat"], ["penalty=r1"],
        ["loss=wgan_gp"], ["model.augment=[color]", "model.augment_target=0.6"],
    ],
)  # fmt: skip
def test_resume_refuses_what_checkpoints_do_not_fit(run, composed, changes):
    with pytest.raises(GessoError, match="would change what"):
        again(run, composed, *changes)


@pytest.mark.parametrize(
    "line",
    [
        [], ["model=resnet", "loss=hinge", "penalty=[r1,r2]", "model.width=2"],
        ["experiment=cgan_wikiart", "dataset.root=/a b", "steps=7"],
        ["experiment=words_paintings", "model=stylegan2"],
        ["+model.mine={a:1}", "++steps=3", "model.ema_kimg=null"], ["~loss.penalties", "model=pix2pix"],
    ],
)  # fmt: skip
def test_what_tests_compose_is_what_hydra_composes(composed, line):
    for _ in range(2):
        assert composed(*line) == compositions.real("train", line)
        composed(*line).model.width = 99  # of a copy
