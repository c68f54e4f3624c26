"""Trainings that go on from the networks of another one."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hydra import initialize_config_dir
from omegaconf import OmegaConf

from core import zoo
from core.config import CONF, compose
from core.errors import GessoError
from core.network_file import read_metadata
from core.run import Run
from data import DatasetSpec
from models.networks import dcgan, fastgan, mlp, r3gan, stylegan2
from models.networks.transform_net import transformer
from models.transfer import freeze, transfer, transfer_styles
from training import checkpoint, loop, start
from training.export import Exporter

STYLES = ("cubism", "op_art", "orphism")


class Data:
    """A data set of which only the spec is asked."""

    def __init__(self, *classes: str):
        self.spec = DatasetSpec("made", ("image",), (16, 16, 3), class_names=classes)


def composed(*overrides: str):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", ["model.width=2", "model.latent_dim=3", *overrides])


def arrays(network: keras.Model) -> dict[str, np.ndarray]:
    return {variable.path: np.array(variable) for variable in network.variables}


def step(model: keras.Model) -> None:
    images = tf.random.stateless_uniform((4, 16, 16, 3), (1, int(model.step.numpy())), -1, 1)
    model.train_step({"image": images, "label": tf.constant([0, 1, 2, 0])})


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run that learned labels, and its system."""
    config = composed("model.condition=projection", "model.discriminator_optimizer.learning_rate=0.01")
    run = Run(tmp_path_factory.mktemp("start"))
    run.config.parent.mkdir()
    run.config.write_text(OmegaConf.to_yaml(config))
    model = loop.make(config, Data(*STYLES), seed=1)
    step(model)
    checkpoint.save(run, model, keep=1)
    Exporter(config, "dcgan", model, Data(*STYLES).spec)(run)
    return run, model


def placed(tmp_path, trained_run: Run, data: Data, *overrides: str) -> keras.Model:
    config = composed(f"model.start={trained_run.folder}", "model.condition=projection", *overrides)
    model = loop.make(config, data, seed=2)
    start.place(Run(tmp_path), config, model)
    return model


def test_a_run_that_goes_on_needs_its_start_no_longer(tmp_path, monkeypatch):
    """It has taken all over from that, which may be gone."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", ["model=fast_style", "model.style=x.jpg", f"model.start={tmp_path}/gone"])
    run = Run(tmp_path / "run")
    assert start.without_needless(config, run) is config
    run.checkpoints.mkdir(parents=True)
    run.checkpoint(3).touch()
    found = start.without_needless(config, run)
    assert found.model.start is None and found.model.system.start.path is None
    assert config.model.start == f"{tmp_path}/gone"  # which is noted as before
    of_a_gan = composed("model.start=x")
    assert start.without_needless(of_a_gan, run) is of_a_gan


def test_other_classes_in_their_places_are_said(trained, tmp_path, caplog):
    run, _ = trained
    config = composed(f"model.start={run.folder}", "model.condition=projection")
    caplog.set_level("INFO")
    for names in (STYLES, tuple(f"other{i}" for i in range(len(STYLES)))):
        data = Data(*names)
        caplog.clear()
        start.place(Run(tmp_path), config, loop.make(config, data, seed=2), data.spec.class_names)
        assert ("goes over to other0" in caplog.text) == (names != STYLES)


def test_all_networks_go_on_from_a_run(trained, tmp_path):
    run, before = trained
    assert read_metadata(run.network("generator")).architecture["width"] == 2
    model = placed(tmp_path, run, Data(*STYLES))
    for name, there in {"generator": "ema", "ema": "ema", "discriminator": "discriminator"}.items():
        here, expected = arrays(getattr(model, name)), arrays(getattr(before, there))
        assert here.keys() == expected.keys()
        assert all(np.array_equal(here[path], expected[path]) for path in here)
    assert int(model.step) == 0


def test_a_start_with_labels_goes_on_without(trained, tmp_path):
    run, before = trained
    model = placed(tmp_path, run, Data())
    here, there = arrays(model.generator), arrays(before.ema)
    assert len(model.generator.inputs) == len(model.discriminator.inputs) == 1
    np.testing.assert_allclose(here["seed_norm/gamma"], there["seed_norm_gamma/embeddings"].mean(0))
    np.testing.assert_array_equal(here["up_8/kernel"], there["up_8/kernel"])


def test_labels_joined_to_the_input_are_left_out_and_others_begin_anew():
    def networks(num_classes: int) -> list[keras.Model]:
        options = {"width": 2, "num_classes": num_classes, "condition": "concat" if num_classes else "none"}
        shape = (16, 16, 3)
        return [dcgan.generator(shape, latent_dim=3, **options), dcgan.discriminator(shape, **options)]

    three = networks(3)
    for classes in (0, 2):
        here = networks(classes)
        own = [arrays(network) for network in here]
        for source, target in zip(three, here, strict=True):
            transfer(source, target, 3, classes)
        for kernel, inputs, i in (("seed/kernel", 3, 0), ("down_8/kernel", 3, 1)):
            now, there = arrays(here[i])[kernel], arrays(three[i])[kernel]
            np.testing.assert_array_equal(now[..., :inputs, :], there[..., :inputs, :])
            np.testing.assert_array_equal(now[..., inputs:, :], own[i][kernel][..., inputs:, :])
            assert now.shape[-2] == inputs + classes


@pytest.mark.parametrize(("there", "here"), [(9, 0), (9, 2), (0, 2)])
def test_vectors_of_labels_are_left_out_and_others_begin_anew(there, here):
    def generator(classes: int) -> keras.Model:
        options = {"num_classes": classes, "condition": "projection"} if classes else {}
        return dcgan.generator((16, 16, 3), latent_dim=3, width=2, modulated=True, label_dim=4, **options)

    source, target = generator(there), generator(here)
    before, own = arrays(source), arrays(target)
    transfer(source, target, there, here)
    now = arrays(target)
    assert now["modulation/kernel"].shape == (7 if here else 3, 256)
    np.testing.assert_array_equal(now["modulation/kernel"][:3], before["modulation/kernel"][:3])
    learned = before if there and here else own  # what is made of such a vector
    np.testing.assert_array_equal(now["modulation/kernel"][3:], learned["modulation/kernel"][3:])
    np.testing.assert_array_equal(now["up_8/kernel"], before["up_8/kernel"])
    if here:
        np.testing.assert_array_equal(now["label_embedding/embeddings"], own["label_embedding/embeddings"])


def test_labels_of_r3gan_are_left_out_and_added():
    def networks(classes: int) -> list[keras.Model]:
        options = {"num_classes": classes, "condition": "projection"} if classes else {}
        return [
            r3gan.generator((32, 32, 3), latent_dim=5, width=2, blocks=1, **options),
            r3gan.discriminator((32, 32, 3), width=2, blocks=1, **options),
        ]

    for there, here in ((3, 0), (0, 3)):
        for source, target in zip(networks(there), networks(here), strict=True):
            before = arrays(source)
            transfer(source, target, there, here)
            now = arrays(target)
            same = [path for path in now if path in before and np.array_equal(now[path], before[path])]
            assert len(same) >= min(len(now), len(before)) - 2
            first = next((path for path in now if path in before and now[path].shape != before[path].shape), None)
            if first is not None:  # what the label is joined to
                np.testing.assert_array_equal(now[first][:5], before[first][:5])


def test_one_hot_labels_become_vectors():
    options = {"latent_dim": 3, "width": 2, "modulated": True, "num_classes": 4, "condition": "projection"}
    source, target = (dcgan.generator((16, 16, 3), label_dim=n, **options) for n in (0, 6))
    transfer(source, target, 4, 4)
    here, there = arrays(target), arrays(source)
    np.testing.assert_array_equal(here["modulation/kernel"][:3], there["modulation/kernel"][:3])
    assert here["modulation/kernel"].shape == (9, 256)


@pytest.mark.parametrize(("there", "here"), [(3, 0), (0, 3)])
def test_labels_that_cannot_be_left_out_or_added_are_refused_in_words(there, here):
    def discriminator(classes: int) -> keras.Model:
        options = {"num_classes": classes, "condition": "projection"} if classes else {}
        return stylegan2.discriminator((16, 16, 3), width=2, **options)

    words = r"model\.condition=none would do" if here else "A folder with classes would do"
    with pytest.raises(GessoError, match=words):
        transfer(discriminator(there), discriminator(here), there, here)


def test_other_sizes_are_refused_and_nothing_is_changed(trained, tmp_path):
    with pytest.raises(GessoError, match=r"model\.start is of networks that differ.*model\.width"):
        placed(tmp_path, trained[0], Data(), "model.width=3")


def test_a_generator_alone_has_its_discriminator_beside_it_or_is_warned_of(trained, tmp_path, caplog):
    run, before = trained
    alone = tmp_path / "paintings.keras"
    alone.write_bytes(run.network("generator").read_bytes())
    assert start.discriminator(alone, before.ema, read_metadata(alone)) is None
    assert "There is no discriminator" in caplog.text
    beside = zoo.discriminator(alone)
    beside.parent.mkdir()
    before.discriminator.save(beside)
    here, there = (arrays(n) for n in (start.discriminator(alone, before.ema, None), before.discriminator))
    assert here.keys() == there.keys() and all(np.array_equal(here[path], there[path]) for path in there)


def test_lower_layers_stay_and_a_run_that_goes_on_cannot_be_told_from_another(trained, tmp_path):
    overrides = ("model.freeze=1", "model.augment=[color]", "model.augment_target=0.6")
    whole = placed(tmp_path, trained[0], Data(*STYLES), *overrides)
    frozen = arrays(whole.discriminator)["down_8/kernel"]
    step(whole)
    checkpoint.save(Run(tmp_path), whole, keep=1)
    step(whole)
    again = placed(tmp_path, Run("nowhere"), Data(*STYLES), *overrides)  # a start is of no matter any more
    assert int(again.step) == 1
    step(again)
    for here, there in zip(checkpoint.variables(again), checkpoint.variables(whole), strict=True):
        np.testing.assert_array_equal(here, there)
    after = arrays(whole.discriminator)
    np.testing.assert_array_equal(after["down_8/kernel"], frozen)
    assert not np.array_equal(after["down_4/kernel"], arrays(trained[1].discriminator)["down_4/kernel"])


@pytest.mark.parametrize(("build", "size", "blocks", "frozen"), [
    (fastgan.discriminator, 32, 1, {"stem", "down_16", "down_16_2", "down_16_direct"}),
    (r3gan.discriminator, 32, 1, {
        "from_image", *(f"block_32_{i}_{part}" for i in (0, 1) for part in ("expand", "mix", "project")),
    }),
    (stylegan2.discriminator, 16, 1, {"from_image", "block_16", "block_16_half", "block_16_direct"}),
    (dcgan.discriminator, 32, 2, {"down_16", "down_8"}),
])  # fmt: skip
def test_blocks_are_what_looks_at_one_size(build, size, blocks, frozen):
    network = build((size, size, 3), width=16)
    freeze(network, blocks)
    assert {v.path.split("/")[0] for v in network.variables if not v.trainable and "kernel" in v.path} == frozen


def test_freezing_no_block_or_all_is_refused():
    network = fastgan.discriminator((32, 32, 3), width=2)
    for other, blocks in ((network, 9), (mlp.discriminator((32, 32, 3), width=4), 1)):
        with pytest.raises(GessoError, match="no such blocks"):
            freeze(other, blocks)


def test_a_style_begins_as_the_average_of_those_learned():
    learned = transformer(4, 1, styles=3)
    for weight in learned.weights:
        if weight.path.endswith(("gamma", "beta")):
            weight.assign(keras.random.uniform(weight.shape, 0.5, 1.5))
    image = np.random.default_rng(0).uniform(-1, 1, (1, 16, 16, 3)).astype(np.float32)
    average = learned([image, np.full((1, 3), 1 / 3, np.float32)])
    alone, two = transformer(4, 1), transformer(4, 1, styles=2)
    transfer_styles(learned, alone)
    transfer_styles(learned, two)
    np.testing.assert_allclose(alone(image), average, atol=1e-5)
    np.testing.assert_allclose(two([image, np.float32([[0.2, 0.8]])]), average, atol=1e-5)
    several = transformer(4, 1, styles=3)
    transfer_styles(learned, several)
    np.testing.assert_array_equal(several.get_layer("in_norm").gamma, learned.get_layer("in_norm").gamma)


def test_styles_of_another_network_change_nothing():
    alone = transformer(4, 1)
    before = arrays(alone)
    for other in (transformer(4, 2, styles=3), transformer(8, 1, styles=3)):
        with pytest.raises(GessoError, match="of another width or depth"):
            transfer_styles(other, alone)
    for path, array in arrays(alone).items():
        np.testing.assert_array_equal(array, before[path])
