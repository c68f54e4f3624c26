"""What cannot be trained together is refused in words before anything slow starts."""

import functools

import pytest
from hydra import initialize_config_dir

from core.cli import ROOT
from core.config import compose
from core.errors import GessoError
from data import DatasetSpec
from training.checks import check_batches, check_data, check_train


@functools.cache
def made(*overrides: str):
    return compose("train", list(overrides))


@pytest.fixture
def composed():
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield made


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("image_size=48", "32, 64, 128, 256"),
        (["restarts=2", "restart_steps=5000"], "less than steps=5000"),
        (["trainer.steps_per_execution=3", "steps=6"], "log_every=100 must be a multiple of"),
        (
            ["trainer.steps_per_execution=100", "model.condition=text", "model.words_steps=250"],
            "model.words_steps=250 must be a multiple of",
        ),
        (["trainer=multi_worker", "restarts=2"], "restarts=2 is not for trainer=multi_worker"),
        (["model.synchronized=true", "penalty=[r1]", "loss.penalties.r1.every=4"], "penalties at every step"),
        (["loss=wasserstein", "model.augment=[color]", "model.augment_target=0.6"], "or fix model.augment_prob"),
        (["model=pix2pix", "loss=perceptual"], "what does: hinge, least_squares, minimax"),
        (["model=adain", "loss=hinge"], "what does: adain."),
        (["model=fast_style", "loss=hinge"], "what does: perceptual."),  # it sets keys of that
        (["model=any_style", "loss=wasserstein"], "what does: perceptual."),
        (["model=adain", "image_size=8"], "a multiple of 8, 16 at least"),
        (["model=pix2pix", "restarts=2", "restart_steps=1"], "generators of pictures from noise"),
        (["metrics=[]"], "must name one at least"),
        (["trainer.devices=[0,1]"], "several train together with trainer=mirrored"),
        (["model=adain", "penalty=r1"], "penalty=r1 is for models with a discriminator"),
        (["model=text_encoder", "penalty=r1"], "penalty=r1 is for models with a discriminator"),
        (["model.augment_target=0.6"], "model.augment_target has nothing to adapt"),
        (["experiment=acgan_paintings", "penalty=[]"], "penalty= does not have r1: add it, or take that away by"),
        (["model=stylegan2", "loss=wasserstein", "model.condition=projection"], "take loss=wgan_gp, or"),
        (["penalty=matching_aware"], "of pictures with their sentences: model.condition=text"),
        (["penalty=[r1,path_length]"], "penalty=path_length is for generators with an intermediate latent"),
    ],
)
def test_values_that_cannot_be_trained(composed, override, words):
    with pytest.raises(GessoError) as error:
        check_train(composed(*([override] if isinstance(override, str) else override)))
    assert words in str(error.value)


def test_gradient_penalties_with_batch_normalisation_are_warned_of(composed, caplog):
    check_train(composed("loss=wgan_gp", "model.normalization=layer"))
    check_train(composed("penalty=r1"))  # lazy; StyleGAN's, which has been used with either
    check_train(composed("penalty=drift"))  # of what is said of pictures, not of slopes
    assert not caplog.records
    check_train(composed("loss=wgan_gp"))
    assert "model.normalization=layer" in caplog.text


def test_what_spoils_a_run_is_warned_of(composed, caplog):
    check_train(composed("model=progressive", "image_size=32", "steps=3000"))
    assert not caplog.records
    check_train(composed("model=progressive", "image_size=256"))
    assert "reach 256 px at step 6000" in caplog.text
    check_train(composed("model.spectral=true"))
    assert "model.normalization=none" in caplog.text
    check_train(composed("experiment=wgan_mnist"))
    assert "momentum" not in caplog.text
    check_train(composed("loss=wasserstein"))
    assert "momentum" in caplog.text


class Pictures:
    """As much of a data set as is checked."""

    def __init__(self, num, class_names=(), channels=3, width=32):
        self.num, self.spec = num, DatasetSpec("mine", ("image",), (32, width, channels), class_names=class_names)

    def __len__(self):
        return self.num


def test_data_that_do_not_fit(composed):
    check_data(composed("batch_size=32"), Pictures(32))
    with pytest.raises(GessoError, match="mine are 48x32 px: models learn from squares"):
        check_data(composed("batch_size=32"), Pictures(32, width=48))
    with pytest.raises(GessoError, match=r"a step takes 32, 8 batches at once\. Try batch_size=1\."):
        check_data(composed("batch_size=4", "model.discriminator_steps=8"), Pictures(20))
    with pytest.raises(GessoError, match="a step takes 96"):
        check_data(composed("batch_size=32", "model.discriminator_steps=3"), Pictures(64))
    with pytest.raises(GessoError, match=r"needs classes, and mine has none\. .*dataset\.clusters=20 finds"):
        check_data(composed("model=cgan"), Pictures(64))
    with pytest.raises(
        GessoError,
        match=r"has 1\. In an image folder, the subfolders are the classes, if every picture lies in one\.$",
    ):
        check_data(composed("model=cgan", "dataset=unpaired", "dataset.a=x", "dataset.b=y"), Pictures(64, ("a",)))
    check_data(composed("model=cgan"), Pictures(64, ("a", "b")))
    check_data(composed("model=cgan", "model.start=a.keras"), Pictures(64))  # goes on without
    with pytest.raises(GessoError, match="paints in colour, and mine is grey"):
        check_data(composed("model=fast_style", "model.style=x"), Pictures(64, channels=1))
    with pytest.raises(GessoError, match=r"learns from source and target, .* fits: .*colorize"):
        check_data(composed("model=pix2pix", "dataset.root=x"), Pictures(64))


def test_the_defaults_are_fine(composed):
    check_train(composed())


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml")))
def test_every_experiment_composes_and_can_be_trained(composed, name):
    config = composed(f"experiment={name}")
    check_train(config)
    assert f"experiment={name}" in (ROOT / "conf" / "experiment" / f"{name}.yaml").read_text()
    assert composed(f"experiment={name}", "steps=7").steps == 7  # the command line has the last word
    assert config.steps != composed().steps  # an experiment's keys count more than the defaults


def test_data_that_do_not_fit_are_refused_before_they_are_made(composed):
    """The built-in pictures at 256 px, which pix2pix cannot learn from, take minutes to paint."""
    check_batches(composed("model=pix2pix", "dataset=colorize"), "colorize")
    with pytest.raises(GessoError, match=r"learns from source and target, and dataset=paintings has image\. What"):
        check_batches(composed("model=pix2pix", "dataset=paintings"), "paintings")


def test_what_makes_no_data_set_is_said(composed):
    with pytest.raises(GessoError, match="names nothing that makes a data set"):
        check_data(composed(), {"root": "x"})
