from math import inf

import hydra
import pytest
from hydra import initialize_config_dir
from omegaconf import OmegaConf

from core.checks import BLOCKS, Interval, changeable, check_values, choices, ranges, without_blocks
from core.cli import ROOT
from core.config import leaves
from core.errors import GessoError


@pytest.fixture
def composed():
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield lambda *overrides, script="train": hydra.compose(script, list(overrides))


@pytest.mark.parametrize(
    ("text", "inside", "outside", "words"),
    [
        ("[1, inf)", [1, 7], [0, inf], "at least 1"),
        ("[0, 1)", [0, 0.999], [1, -0.1], "at least 0 and less than 1"),
        ("(0, 1]", [1, 0.1], [0, 1.1], "more than 0 and at most 1"),
        ("[0,1]", [0, 0.5, 1], [-1, 2], "between 0 and 1"),
        ("(0.0, inf)", [1e-9], [0, -1], "positive"),
        ("(-inf, -1.5)", [-2], [-1.5, 0], "less than -1.5"),
        ("[0, 2147483647]", [2147483647], [2147483648], "between 0 and 2147483647"),
    ],
)
def test_interval(text, inside, outside, words):
    interval = Interval.parse(text)
    assert all(value in interval for value in inside) and not any(value in interval for value in outside)
    assert float("nan") not in interval and str(interval) == words


def test_a_point_says_that_numbers_need_not_be_whole():
    assert [Interval.parse(text).whole for text in ("[1, inf)", "(0.0, inf)", "[0, 1e3]")] == [True, False, False]


@pytest.mark.parametrize("text", ["", "1, 2", "[1]", "[1; 2]", "[a, b]", "]0, 1[", "[1, 2, 3]", 3])
def test_what_is_no_interval(text):
    with pytest.raises(GessoError, match=r"ranges: model\.width: .* is no interval, such as"):
        ranges(OmegaConf.create({"model": {"ranges": {"width": text}}}))


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("precision=mixed_bfloat", "Did you mean mixed_bfloat16?"),
        ("batch_size=0", "at least 1"),
        ("evaluate_every=0", "at least 1"),
        ("seed=-1", "between 0 and"),
        ("model.condition=projektion", "Did you mean projection?"),
        ("model.prior=gaussian", "There are: normal, uniform"),
        ("model.augment=[colour]", "Did you mean color?"),
        ("model.discriminator_steps=0", "at least 1"),
        ("model.ema_decay=1", "less than 1"),
        ("model.latent_dim=0", "at least 1"),
        ("loss.discriminator_loss.label_smoothing=1.5", "less than 1"),
        (["loss=hinge", "loss.discriminator_loss.least_margin=1.5"], "between 0 and 1"),
        (["loss=wasserstein", "model.weight_clipping=0"], "positive"),
        (["penalty=r1", "loss.penalties.r1.weight=-10"], "at least 0"),
        ("seed=2147483648", "between 0 and"),
        ("trainer.jit_compile=yes", "There are: auto, false, true"),
        (["model=pix2pix", "model.receptive_field=60"], "There are: 142, 16, 286, 34, 70"),
        (["model=pix2pix", "model.normalization=layer"], "There are: batch, instance, none"),
        ("model.generator_optimizer.global_clipnorm=0", "positive"),
    ],
)
def test_values_that_no_key_has(composed, override, words):
    with pytest.raises(GessoError) as error:
        check_values(composed(*([override] if isinstance(override, str) else override)))
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("script", "override", "words"),
    [
        ("generate", "truncation=0", "truncation=0: it must be at least 0.01"),
        ("generate", "num=0", "num=0: it must be at least 1"),
        ("explore", "show=[sefa,nearst]", "show=nearst: Did you mean nearest?"),
        ("explore", "frames=1", "at least 2"),
        ("evaluate", "num=0", "at least 1"),
        ("stylize", "tile=63", "tile=63: it must be at least 64"),
        ("stylize", "temporal_consistency=1", "at least 0 and less than 1"),
        ("stylize", "gatys.init=noize", "Did you mean noise?"),
        ("stylize", "gatys.objective.network=vgg17", "Did you mean vgg1"),
    ],
)
def test_values_that_no_key_of_a_script_has(composed, script, override, words):
    with pytest.raises(GessoError) as error:
        check_values(composed(override, script=script))
    assert words in str(error.value)


RIGHT = ["model.accumulate=null", "trainer.jit_compile=true", "model.augment=[color,cutout]", "evaluate_every=null"]


@pytest.mark.parametrize("override", RIGHT)
def test_values_that_a_key_may_have(composed, override):
    check_values(composed(override))


def test_a_model_of_ones_own_says_what_its_keys_may_be(composed, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text(
        """
        defaults: [dcgan, _self_]
        normalization: group
        groups: 0
        choices:
          normalization: [batch, group]
        ranges:
          groups: "[1, inf)"
        """
    )
    mine = [f"hydra.searchpath=['file://{tmp_path}']", "model=mine"]
    check_values(composed(*mine, "model.groups=4"))
    for wrong, words in (
        (["model.groups=4", "model.normalization=layer"], "There are: batch, group"),
        ([], r"model\.groups=0: it must be at least 1"),
        (["model.groups=4", "model.prior=cauchy"], "There are: normal, uniform"),  # as of the files it builds on
    ):
        with pytest.raises(GessoError, match=words):
            check_values(composed(*mine, *wrong))


GROUPS = ("model", "loss", "penalty", "dataset", "trainer")


def options():
    """Command lines of every script and of every file of every group that has blocks."""
    for script in ("train", "generate", "explore", "evaluate", "stylize"):
        yield script, ()
    files = {group: sorted((ROOT / "conf" / group).glob("*.yaml")) for group in GROUPS}
    for i in range(max(map(len, files.values()))):  # what is said of one group has nothing to do with another
        yield "train", tuple(f"{group}={those[i % len(those)].stem}" for group, those in files.items())
    for file in sorted((ROOT / "conf" / "experiment").glob("*.yaml")):
        yield "train", (f"experiment={file.stem}",)


@pytest.mark.parametrize(("script", "overrides"), options())
def test_blocks_speak_of_keys_that_there_are_and_allow_the_defaults(composed, script, overrides):
    config = composed(*overrides, script=script)
    said = [*ranges(config), *choices(config)]
    assert said and [key for key in said if _missing(config, key)] == []
    check_values(config)
    may_change = changeable(config)
    assert may_change("steps") and (script != "train" or not may_change("model.system._target_"))
    assert script != "train" or [key for key in config.model.changeable if _missing(config, f"model.{key}")] == []


def _missing(config, key: str) -> bool:
    above, _, name = key.rpartition(".")
    return name not in (OmegaConf.select(config, above) if above else config)


@pytest.mark.parametrize(
    ("model", "yes", "no"),
    [
        (
            "dcgan",
            ["ema_decay", "instance_noise_steps", "generator_optimizer.learning_rate"],
            ["latent_dim", "width"],
        ),
        ("cgan", ["augment", "augment_probability"], ["condition", "augment_target", "system.condition"]),
        ("srgan", ["pretrain_steps", "content_layer", "discriminator_optimizer.beta_1"], ["width", "blocks"]),
        ("cyclegan", ["cycle_weight"], ["pool_size", "constant"]),
        ("adain", ["optimizer.learning_rate"], ["width"]),
    ],
)
def test_what_a_resumed_run_may_change(composed, model, yes, no):
    may_change = changeable(composed(f"model={model}"))
    assert all(may_change(f"model.{key}") for key in yes) and not any(may_change(f"model.{key}") for key in no)
    assert may_change("batch_size") and may_change("dataset.root") and may_change("loss.weight_clipping")
    assert not any(map(may_change, ("image_size", "restarts", "restart_steps", "dataset._target_")))


def test_a_data_set_says_what_a_resumed_run_may_not_change_of_it(composed):
    assert not changeable(composed("dataset=super_resolution"))("dataset.factor")
    assert not changeable(composed("dataset=paired"))("dataset.direction")


def test_without_blocks(composed):
    config = composed("model=cgan", "penalty=[r1]", "loss=least_squares")
    values = without_blocks(config)
    assert not {part for key, _ in leaves(values) for part in key.split(".")} & set(BLOCKS)
    every = dict(leaves(config))
    assert all(every[key] == value for key, value in leaves(values))
    assert values.loss.penalties.r1.weight == 0.1 and values.model.system.latent_dim == 100
    with pytest.raises(AttributeError):
        values.stpes = 3


def test_help_and_cfg_show_keys_alone(script):
    for arguments in (["--help"], ["--cfg", "job"], ["model=pix2pix", "-c", "job"]):
        done = script("train.py", *arguments)
        shown = done.stdout
        assert done.returncode == 0 and "precision: auto" in shown
        assert "pix2pix" in shown if "model=pix2pix" in arguments else "data.paintings.load" in shown
        lines = [line.strip() for line in shown.splitlines()]
        assert not {f"{block}:" for block in BLOCKS} & set(lines)
        assert not any("inf)" in line or "/base:" in line for line in lines)
