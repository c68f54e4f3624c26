"""What a step does about networks that grow: when their optimizers begin anew."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from core.run import Run
from losses import adversarial
from losses.penalties import Penalty, drift
from models import growth
from models.gan import GAN
from models.networks import progressive
from training import checkpoint

PHASE = 3


def make(optimizer=lambda: keras.optimizers.Adam(1e-3, beta_1=0.0, beta_2=0.99)) -> GAN:
    policy = keras.config.dtype_policy()
    keras.utils.clear_session()  # checkpoints go by names
    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(0)
    options = {"width": 4, "phase_steps": PHASE}
    model = GAN(
        lambda **a: progressive.generator(**a, **options),
        lambda **a: progressive.discriminator(**a, **options),
        image_shape=(8, 8, 1),
        latent_dim=5,
    )
    model.compile(
        optimizer(),
        optimizer(),
        adversarial.wasserstein_generator_loss,
        adversarial.wasserstein_discriminator_loss,
        penalties={"drift": Penalty(drift, 0.001)},
    )
    return model


def reals() -> dict[str, tf.Tensor]:
    return {"image": tf.random.stateless_uniform([4, 8, 8, 1], (1, 2), -1, 1)}


def test_levels_change_where_one_begins_to_fade_in_and_where_it_has():
    # 4 px for 3 steps; 8 px fade in by thirds at steps 4 to 6; and so do 16 px at steps 10 to 12. The authors' code
    # asks whether the level of detail has another whole number below or above it.
    network = progressive.generator((16, 16, 1), 5, 4, phase_steps=PHASE)
    changes = tf.function(network.changes_level, input_signature=[tf.TensorSpec((), tf.int64)])
    assert [step for step in range(40) if changes(step)] == [4, 6, 10, 12]


def test_a_restarted_optimizer_is_a_new_one():
    """With the same gradients it takes the steps of one that was just built, not those of one that goes on."""

    def variables():
        return [keras.Variable(np.arange(3, dtype="float32")), keras.Variable(np.ones((2, 2), "float32"))]

    def walk(optimizer, weights, gradients):
        for gradient in gradients:
            optimizer.apply([tf.fill(w.shape, gradient) for w in weights], weights)

    for build in (
        lambda: keras.optimizers.Adam(0.1, amsgrad=True),
        lambda: keras.optimizers.Nadam(0.1),  # a product that begins at 1
        lambda: keras.optimizers.Adagrad(0.1),  # sums that begin at 0.1
        lambda: keras.optimizers.Adam(0.1, gradient_accumulation_steps=2),
    ):
        ends = []
        for restarted in (True, False, None):
            optimizer, weights = build(), variables()
            optimizer.build(weights)
            restart = growth.restarts(optimizer)
            if restarted is not None:
                walk(optimizer, weights, [3.0, -1.0, 5.0])
                for weight, start in zip(weights, variables(), strict=True):
                    weight.assign(start)
                before = [v.numpy() for v in optimizer.variables]
                restart(tf.constant(restarted))
                if not restarted:
                    for old, v in zip(before, optimizer.variables, strict=True):
                        np.testing.assert_array_equal(old, v)
            walk(optimizer, weights, [0.5, 0.25, -0.125, 1.0])
            ends.append(np.concatenate([w.numpy().ravel() for w in weights]))
        np.testing.assert_array_equal(ends[0], ends[2])
        assert not np.allclose(ends[1], ends[2])


def test_a_run_that_goes_on_from_a_checkpoint_ends_with_the_same_bits(tmp_path):
    """Also where it stopped just before and just after a level's beginning, at which optimizers begin anew."""
    straight, since = make(), 0
    for done in range(7):
        if done in (4, 5):
            checkpoint.save(Run(tmp_path / str(done)), straight, keep=1)
        since = 1 if done in (4, 6) else since + 1
        straight.train_step(reals())
        for name, optimizer in straight.optimizers.items():
            assert int(optimizer.iterations) == since, (done, name)
            assert float(optimizer.learning_rate) == pytest.approx(1e-3)
    for stopped in (4, 5):
        again = make()
        assert checkpoint.restore(Run(tmp_path / str(stopped)), again) == stopped
        for _ in range(stopped, 7):
            again.train_step(reals())
        for one, other in zip(checkpoint.variables(straight), checkpoint.variables(again), strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy(), err_msg=one.path)


def test_float16_keeps_the_scale_of_its_loss():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = make()
        model.step.assign(PHASE + 1)
        for optimizer in model.optimizers.values():
            optimizer.inner_optimizer.iterations.assign(7)
            optimizer.step_counter.assign(5)
        model.train_step(reals())
        for optimizer in model.optimizers.values():
            assert int(optimizer.inner_optimizer.iterations) == 1 and int(optimizer.step_counter) == 6
    finally:
        keras.config.set_dtype_policy(before)


def test_schedules_go_on_where_optimizers_begin_anew():
    """By the step: to 0 at the sixth, at which the optimizers begin anew."""
    model = make(lambda: keras.optimizers.SGD(keras.optimizers.schedules.PolynomialDecay(0.1, 6, 0.0)))
    moved = []
    for _ in range(8):
        before = [v.numpy() for v in model.trainable_variables]
        model.train_step(reals())
        both = zip(model.trainable_variables, before, strict=True)
        moved.append(any((variable.numpy() != old).any() for variable, old in both))
    assert moved == [True] * 6 + [False] * 2
