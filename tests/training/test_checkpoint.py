from types import SimpleNamespace

import keras
import numpy as np
import pytest

from core.errors import GessoError
from core.run import Run
from losses import adversarial, scores
from models.gan import GAN
from models.networks import dcgan
from training import checkpoint

NON_SATURATING = adversarial.non_saturating_generator_loss, adversarial.non_saturating_discriminator_loss


def make(width=2, seed=0, losses=NON_SATURATING, **options) -> GAN:
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model = GAN(
        lambda **a: dcgan.generator(**a, width=width),
        lambda **a: dcgan.discriminator(**a, width=width),
        image_shape=(16, 16, 1),
        latent_dim=4,
    )
    model.compile(
        keras.optimizers.Adam(),
        keras.optimizers.Adam(),
        *losses,
        **options,
    )
    return model


def train(model: GAN, steps: int) -> None:
    for _ in range(steps):
        model.train_step({"image": keras.random.uniform((4, 16, 16, 1), seed=1)})


def state(model: GAN) -> list[np.ndarray]:
    return [variable.numpy() for variable in checkpoint.variables(model)]


def test_covers_weights_averages_optimizers_step_and_running_means():
    model = make()
    paths = [variable.path for variable in checkpoint.variables(model)]
    assert len(paths) == len({id(v) for v in checkpoint.variables(model)}), "a variable twice would hide another"
    weights = len(model.generator.variables)
    assert len(paths) == (
        2 * weights + len(model.discriminator.variables) + 2  # the step, and the probability of augmentation
        + sum(len(optimizer.variables) - 1 for optimizer in model.optimizers.values())  # not the learning rate
        + 2 * len(model.metrics)
    )  # fmt: skip
    assert sum("momentum" in path for path in paths) >= len(model.generator.trainable_variables)


def test_restore_brings_back_every_bit(tmp_path):
    model = make()
    train(model, 2)
    model.memory = {"images": 8, "collapse": {"best": 0.1}}
    checkpoint.save(Run(tmp_path), model, keep=2)
    saved = state(model)
    other = make(seed=5)
    assert checkpoint.restore(Run(tmp_path), other) == 2
    assert other.memory == {"images": 8, "collapse": {"best": 0.1}}
    for one, two in zip(saved, state(other), strict=True):
        np.testing.assert_array_equal(one, two)


def test_keeps_the_newest(tmp_path):
    model = make()
    for _ in range(4):
        model.step.assign_add(1)
        checkpoint.save(Run(tmp_path / "max"), model, keep=5)
        checkpoint.save(Run(tmp_path), model, keep=2)
    assert len(Run(tmp_path / "max").saved()) == 4
    assert [p.name for p in Run(tmp_path).saved()] == ["step_00000003.npz", "step_00000004.npz"]


def test_what_a_killed_process_left_is_removed_and_what_is_written_stays(tmp_path):
    model = make()
    model.step.assign(2)
    checkpoint.save(Run(tmp_path), model, keep=1)
    (Run(tmp_path).checkpoints / ".step_00000003.abc.npz").touch()
    model.step.assign(1)
    checkpoint.save(Run(tmp_path), model, keep=1)  # as best/ does after a resume from further back
    assert [path.name for path in Run(tmp_path).checkpoints.iterdir()] == ["step_00000001.npz"]


def test_another_precision_is_named(tmp_path, monkeypatch):
    model = make()
    monkeypatch.setattr(keras.config, "dtype_policy", lambda: SimpleNamespace(name="mixed_float16"))
    checkpoint.save(Run(tmp_path), model, keep=1)
    monkeypatch.undo()
    with pytest.raises(GessoError, match=r"Give precision=mixed_float16"):
        checkpoint.restore(Run(tmp_path), model)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_damaged_newest_falls_back(tmp_path, damage, caplog):
    model = make()
    train(model, 1)
    checkpoint.save(Run(tmp_path), model, keep=3)
    good = state(model)
    train(model, 1)
    newest = checkpoint.save(Run(tmp_path), model, keep=3)
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1  # one bit
    newest.write_bytes({"truncated": content[:-1000], "flipped": content, "empty": b""}[damage])
    other = make(seed=3)
    assert checkpoint.restore(Run(tmp_path), other) == 1
    assert "is damaged" in caplog.text and newest.name in caplog.text
    for one, two in zip(good, state(other), strict=True):
        np.testing.assert_array_equal(one, two)
    train(other, 2)
    checkpoint.save(Run(tmp_path), other, keep=2)  # the damaged one is not one of these
    assert [path.name for path in Run(tmp_path).saved()] == ["step_00000001.npz", "step_00000003.npz"]
    assert newest.with_suffix(".damaged").is_file()


def test_what_says_nothing_sensible_of_itself_is_damaged(tmp_path):
    model = make()
    path = checkpoint.save(Run(tmp_path), model, keep=1)
    with np.load(path) as file:
        arrays = dict(file)
    for meta in ("[]", "{}", '{"step": 1, "precision": "float32", "memory": []}', "3"):
        np.savez(path, **(arrays | {"meta": np.array(meta)}))
        with pytest.raises(GessoError, match="damaged"):
            checkpoint.restore(Run(tmp_path), model)


def test_all_damaged_is_an_error_and_none_is_the_start(tmp_path):
    model = make()
    assert checkpoint.restore(Run(tmp_path), model) == 0
    checkpoint.save(Run(tmp_path), model, keep=1).write_bytes(b"PK")
    with pytest.raises(GessoError, match="damaged"):
        checkpoint.restore(Run(tmp_path), model)


def test_other_networks_are_refused_in_words(tmp_path):
    checkpoint.save(Run(tmp_path), make(width=2), keep=1)
    with pytest.raises(GessoError, match=r"other networks.*there.*here"):
        checkpoint.restore(Run(tmp_path), make(width=3))


def test_another_loss_measures_anew_and_all_else_goes_on(tmp_path):
    """The relativistic loss has a mean of its own; a row of numbers is begun anew."""
    model = make()
    train(model, 2)
    checkpoint.save(Run(tmp_path), model, keep=2)
    there = {variable.path: variable.numpy() for variable in checkpoint.variables(model)}
    losses = adversarial.relativistic_generator_loss, adversarial.relativistic_discriminator_loss
    other = make(seed=1, losses=losses, score=scores.pair_probability)
    assert checkpoint.restore(Run(tmp_path), other) == 2
    here = {variable.path: variable.numpy() for variable in checkpoint.variables(other)}
    assert here.keys() != there.keys()
    for path, value in here.items():
        expected = 0 if path.endswith(("/total", "/count")) else there[path]
        np.testing.assert_array_equal(value, expected, err_msg=path)
