"""Every architecture with every objective, penalty and condition, in pairs, on tiny networks.

Each architecture with each condition makes a step, by one objective with two penalties; the other objectives meet
its logits alone, which are all that an objective sees.
"""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hydra import initialize_config_dir

from core.cli import ROOT
from core.config import compose
from core.instantiate import build
from models.gan import GAN

CLASSES, BATCH = 3, 4
TINY = {
    "mlp": ["model.width=8", "model.discriminator_width=4"],
    "dcgan": ["model.width=2", "model.normalization=layer"],
    "resnet": ["model.width=2"],
    "progressive": ["model.width=4", "model.phase_steps=1"],
    "fastgan": ["model.width=2"],
    "stylegan2": ["model.width=4", "model.latent_dim=6"],
    "r3gan": ["model.width=2", "model.blocks=1"],
}
SIZE = {  # the smallest they make
    "mlp": 8, "dcgan": 16, "resnet": 32, "progressive": 8, "fastgan": 32, "stylegan2": 8, "r3gan": 32,
}  # fmt: skip


def _names(folder: str, text: str) -> list[str]:
    """The options of a group whose YAML says `text`."""
    return sorted(path.stem for path in (ROOT / "conf" / folder).glob("*.yaml") if text in path.read_text())


OBJECTIVES, PENALTIES = _names("loss", "discriminator_loss:"), _names("penalty", "@package loss.penalties")
CONDITIONS = ("none", "concat", "projection", "auxiliary")


@functools.cache
def composed(*overrides: str):
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("train", list(overrides))


def make(architecture: str, *overrides: str) -> GAN:
    keras.utils.set_random_seed(0)
    config = composed(f"model={architecture}", *TINY[architecture], *overrides)
    size = SIZE[architecture]
    return build(config.model.system, image_shape=(size, size, 1), num_classes=CLASSES, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", TINY)
def test_a_step_with_words(architecture, tiny_words):
    """The discriminator sees three kinds of pairs, and slopes in pictures and sentences."""
    size = SIZE[architecture]
    config = composed(f"model={architecture}", *TINY[architecture], "model.condition=text")
    keras.utils.set_random_seed(0)
    model = build(config.model.system, image_shape=(size, size, 1), words=tiny_words(), seed=0)
    objective = build(_config(architecture, "hinge", ["matching_aware"]).loss)
    # Not by plain gradients: the sixth power of slopes that nothing has flattened yet would throw all weights away.
    model.compile(keras.optimizers.Adam(1e-4), keras.optimizers.Adam(1e-4), **objective)
    model.step.assign(16)  # all of a progressive network has grown
    before = model.generator.get_weights()
    data = model.prepare(batch(architecture) | {"text": tf.constant(["a red circle", "a blue square"] * 2)})
    means = {name: float(value) for name, value in model.train_step(data).items()}
    assert all(np.isfinite(value) for value in means.values()), means
    assert means["matching_aware_penalty"] > 0 and means["generator_sentence_loss"] > 0
    assert means["discriminator_gradient_norm"] > 0 and means["generator_gradient_norm"] > 0
    assert any((a != b).any() for a, b in zip(before, model.generator.get_weights(), strict=True))


def compiled(model: GAN, config) -> GAN:
    model.compile(keras.optimizers.SGD(1e-3), keras.optimizers.SGD(1e-3), **build(config.loss))
    return model


def batch(architecture: str) -> dict[str, tf.Tensor]:
    size = SIZE[architecture]
    images = tf.random.stateless_uniform([BATCH, size, size, 1], (1, 2), -1, 1)
    return {"image": images, "label": tf.constant([0, 1, 2, 1])}


def test_there_are_all_of_them():
    assert len(OBJECTIVES) == 7 and len(PENALTIES) == 6
    looks_through_vgg = {"projected"}  # as tests/models/networks/test_projected.py does: its steps are slow
    assert set(_names("model", "base/gan")) == set(TINY) | looks_through_vgg


def some(architecture: str, condition: str) -> list[str]:
    """As few objectives as let each architecture and each condition meet all of them."""
    each = -(-len(OBJECTIVES) // len(CONDITIONS))
    first = each * CONDITIONS.index(condition) + 3 * list(TINY).index(architecture)
    return [OBJECTIVES[(first + i) % len(OBJECTIVES)] for i in range(each)]


def two_penalties(architecture: str, condition: str) -> list[str]:
    """As few penalties as let each architecture and each condition meet all of them."""
    first = 2 * CONDITIONS.index(condition) + list(TINY).index(architecture)
    return [PENALTIES[(first + i) % len(PENALTIES)] for i in range(2)]


def test_there_are_all_pairs():
    assert all({p for c in CONDITIONS for p in two_penalties(a, c)} == set(PENALTIES) for a in TINY)
    assert all({p for a in TINY for p in two_penalties(a, condition)} == set(PENALTIES) for condition in CONDITIONS)
    assert all({o for c in CONDITIONS for o in some(architecture, c)} == set(OBJECTIVES) for architecture in TINY)
    assert all({o for a in TINY for o in some(a, condition)} == set(OBJECTIVES) for condition in CONDITIONS)
    assert {some(a, condition)[0] for a in TINY for condition in CONDITIONS} == set(OBJECTIVES)  # with penalties


@pytest.mark.slow
@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("architecture", TINY)
def test_a_step_of_everything(architecture, condition):
    model = make(architecture, f"model.condition={condition}")
    networks = {"generator": model.generator, "discriminator": model.discriminator}
    weights = {name: network.get_weights() for name, network in networks.items()}
    objective, *others = some(architecture, condition)
    penalties = two_penalties(architecture, condition)
    case = f"{objective} {penalties}"
    model.step.assign(16)  # lazy penalties are computed here; all of a progressive network has grown
    compiled(model, _config(architecture, objective, penalties))
    means = {name: float(value) for name, value in model.train_step(batch(architecture)).items()}
    assert all(np.isfinite(value) for value in means.values()), (case, means)
    assert means["discriminator_gradient_norm"] > 0 and means["generator_gradient_norm"] > 0, case
    assert all(means[f"{penalty}_penalty"] > 0 for penalty in penalties), case
    assert ("generator_class_loss" in means) == (condition == "auxiliary"), case
    for name, network in networks.items():
        pairs = zip(weights[name], network.get_weights(), strict=True)
        assert any((before != after).any() for before, after in pairs), (case, name)

    data = batch(architecture)
    real, fake = (
        model._discriminate(images, data["label"])["logits"] for images in (data["image"], -data["image"])
    )
    for objective in others:
        compiled(model, _config(architecture, objective, []))
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([real, fake])
            losses = [
                model.loss_of_discriminator(real, fake),
                model.generator_loss(fake, **({"real_logits": real} if model.relativistic else {})),
            ]
        slopes = [*tape.gradient(losses[0], [real, fake]), tape.gradient(losses[1], fake)]
        assert np.isfinite(losses).all() and np.isfinite(slopes).all(), objective
        assert all(np.abs(slope).max() > 0 for slope in slopes), objective


def _config(architecture: str, objective: str, penalties: list[str]):
    # Of the model, an objective asks for one thing: how closely to clip its weights.
    model = "progressive" if architecture in ("progressive", "stylegan2") else "dcgan"
    return composed(f"model={model}", f"loss={objective}", f"penalty=[{','.join(penalties)}]")


@pytest.mark.slow
@pytest.mark.parametrize("architecture", TINY)
def test_compiled_in_bfloat16(architecture):
    """Two steps under `tf.function`, as in training, with what is hardest on the networks."""
    switches = ["model.condition=projection", "model.augment=[color,translation,cutout]"]
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = make(architecture, *switches)
        styles = "mapping" in [layer.name for layer in model.generator.layers]
        compiled(model, composed("loss=wgan_gp", *(["penalty=path_length"] if styles else [])))
        data = batch(architecture)
        stream = tf.data.Dataset.from_tensors(data).repeat()
        model.fit(stream, steps_per_epoch=2, epochs=1, verbose=0, shuffle=False)
        assert all(np.isfinite(float(mean.result())) for mean in model.metrics)
        assert int(model.step.numpy()) == 2
        images = model.preview(columns=2)
        assert images.shape == (2 * CLASSES, *data["image"].shape[1:]) and abs(images).max() <= 1
    finally:
        keras.config.set_dtype_policy("float32")
