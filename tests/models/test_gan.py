import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from losses import adversarial, scores
from losses.penalties import Penalty, r1
from models import base, gan, latent
from models.augmentation import Augmentation
from models.gan import GAN
from models.networks import dcgan


def make(seed=0, rate=1e-3, **options) -> GAN:
    keras.utils.set_random_seed(seed)
    model = GAN(
        lambda **a: dcgan.generator(**a, width=2),
        lambda **a: dcgan.discriminator(**a, width=2),
        image_shape=(16, 16, 1),
        latent_dim=5,
        seed=seed,
        **options,
    )
    model.compile(
        keras.optimizers.Adam(rate, beta_1=0.5),
        keras.optimizers.Adam(rate, beta_1=0.5),
        adversarial.non_saturating_generator_loss,
        adversarial.non_saturating_discriminator_loss,
        score=scores.probabilities,
    )
    return model


def reals(num=8) -> dict[str, tf.Tensor]:
    return {"image": tf.random.stateless_uniform([num, 16, 16, 1], (1, 2), -1, 1)}


def test_step_is_that_of_two_separate_updates():
    """The shared generator pass beside the textbook's: pictures, discriminator update, then generator update."""
    ours, theirs = make(), make()
    data = reals()
    latents = theirs._latents(8)
    images = theirs.generator(latents, training=True)
    with tf.GradientTape() as tape:
        loss = adversarial.non_saturating_discriminator_loss(
            theirs.discriminator(data["image"], training=True), theirs.discriminator(images, training=True)
        )
    variables = theirs.discriminator.trainable_variables
    theirs.discriminator_optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
    with tf.GradientTape() as tape:
        fakes = theirs.generator(latents, training=True)
        loss = adversarial.non_saturating_generator_loss(theirs.discriminator(fakes, training=True))
    variables = theirs.generator.trainable_variables
    theirs.generator_optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)

    means = ours.train_step(data)
    assert float(means["generator_loss"]) == pytest.approx(float(loss), rel=1e-5)
    for network in ("generator", "discriminator"):
        pairs = zip(
            getattr(ours, network).trainable_variables, getattr(theirs, network).trainable_variables, strict=True
        )
        for mine, other in pairs:
            np.testing.assert_allclose(mine, other, atol=2e-5)


def test_average_follows_the_ramp():
    model = make(ema_decay=0.9)
    before = [v.numpy() for v in model.ema.variables]
    model.train_step(reals())
    decay = 1 / 10  # (1 + step) / (10 + step) at step 0
    for average, old, variable in zip(model.ema.variables, before, model.generator.variables, strict=True):
        np.testing.assert_allclose(average, decay * old + (1 - decay) * variable.numpy(), rtol=1e-4, atol=1e-6)
    assert int(model.step.numpy()) == 1


def test_latents_are_a_function_of_seed_and_step():
    model, same, other = make(), make(), make(seed=1)
    first = model._latents(8)
    np.testing.assert_array_equal(first, same._latents(8))
    assert not np.allclose(first, other._latents(8))
    model.step.assign(1)
    assert not np.allclose(first, model._latents(8))


def test_gradient_norm_is_the_gradients():
    model = make(rate=0.0)
    data = reals()
    with tf.GradientTape() as tape:
        fakes = model.generator(model._latents(8), training=True)
        loss = adversarial.non_saturating_generator_loss(model.discriminator(fakes, training=True))
    gradients = tape.gradient(loss, [v.value for v in model.generator.trainable_variables])
    expected = np.sqrt(sum(float(tf.reduce_sum(g**2)) for g in gradients))
    assert float(model.train_step(data)["generator_gradient_norm"]) == pytest.approx(expected, rel=1e-4)


def test_discriminator_learns_to_tell_bright_from_generated():
    model = make(rate=2e-3)
    model.generator_optimizer.learning_rate = 0.0
    data = {"image": tf.ones([8, 16, 16, 1])}
    stream = tf.data.Dataset.from_tensors(data).repeat()
    model.fit(stream, steps_per_epoch=30, epochs=1, verbose=0, shuffle=False)
    model.reset_metrics()
    means = model.train_step(data)
    assert float(means["real_probability"]) > 0.7 > 0.3 > float(means["fake_probability"])


def test_mixed_float16_scales_the_loss_and_reports_true_norms():
    norms = []
    for policy in ("float32", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        try:
            norms.append(float(make(rate=0.0).train_step(reals())["generator_gradient_norm"]))
        finally:
            keras.config.set_dtype_policy("float32")
    assert norms[1] == pytest.approx(norms[0], rel=0.05)


def labelled(num=8) -> dict[str, tf.Tensor]:
    return reals(num) | {"label": tf.range(num) % 3}


@pytest.mark.parametrize("steps", [1, 3])
def test_discriminator_steps(steps):
    model = make(discriminator_steps=steps)
    assert model.batches_per_step == steps
    for _ in range(2):
        model.train_step(reals(8 * steps))
    assert int(model.generator_optimizer.iterations.numpy()) == 2
    assert int(model.discriminator_optimizer.iterations.numpy()) == 2 * steps
    assert int(model.step.numpy()) == 2


def test_schedules_of_a_discriminator_that_learns_more_often_go_by_the_step():
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.5, 0.0])  # of the first step alone
    model = make(discriminator_steps=3)
    optimizers = [keras.optimizers.SGD(rate) for _ in range(2)]
    losses = adversarial.non_saturating_generator_loss, adversarial.non_saturating_discriminator_loss
    model.compile(*optimizers, *losses)
    seen = []
    for _ in range(2):
        before = [v.numpy() for v in model.discriminator.trainable_variables]
        seen.append(float(model.discriminator_optimizer.learning_rate))
        model.train_step(reals(24))
    after = model.discriminator.trainable_variables
    assert seen == [0.5, 0.0] and int(model.discriminator_optimizer.iterations) == 6
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))
    model.step.assign(0)  # a run that goes on may have had other numbers of updates
    assert float(model.discriminator_optimizer.learning_rate) == 0.5


def test_discriminator_steps_see_other_pictures_and_other_noise(monkeypatch):
    model, seen = make(discriminator_steps=3), []
    original = model._train_discriminator

    def watched(reals, fakes, labels, i):
        seen.append((reals.numpy(), fakes.numpy()))
        return original(reals, fakes, labels, i)

    monkeypatch.setattr(model, "_train_discriminator", watched)
    model.train_step(reals(24))
    for i, (pictures, _) in enumerate(seen[::-1]):
        np.testing.assert_array_equal(pictures, reals(24)["image"][i::3])
    assert not np.allclose(seen[0][1], seen[1][1]) and not np.allclose(seen[1][1], seen[2][1])


def test_relativistic_generator_loss_gets_the_real_logits():
    model, got = make(rate=0.0), {}

    def loss(fake_logits, real_logits):
        got.update(fake=fake_logits.numpy(), real=real_logits.numpy())
        return tf.reduce_mean(fake_logits - real_logits)

    model.compile(
        keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), loss, adversarial.relativistic_discriminator_loss
    )
    model.train_step(reals())
    np.testing.assert_allclose(got["real"], model.discriminator(reals()["image"], training=True), atol=1e-5)
    fakes = model.generator(model._latents(8, 0), training=True)  # the step is one further now
    assert got["fake"].shape == (len(fakes),)


def test_weight_clipping():
    model = make(rate=1e-1)
    model.compile(
        keras.optimizers.SGD(1.0),
        keras.optimizers.SGD(1.0),
        adversarial.wasserstein_generator_loss,
        adversarial.wasserstein_discriminator_loss,
        weight_clipping=0.01,
    )
    model.train_step(reals())
    weights = np.concatenate([v.numpy().ravel() for v in model.discriminator.trainable_variables])
    assert abs(weights).max() == pytest.approx(0.01) and (abs(weights) < 0.0099).any()
    weights = np.concatenate([v.numpy().ravel() for v in model.generator.trainable_variables])
    assert abs(weights).max() > 0.02


def test_accumulated_gradients_change_weights_every_second_step():
    model = make()
    optimizers = [keras.optimizers.SGD(1e-2, gradient_accumulation_steps=2) for _ in range(2)]
    model.compile(
        *optimizers, adversarial.non_saturating_generator_loss, adversarial.non_saturating_discriminator_loss
    )
    networks = (model.generator, model.discriminator)
    before = [v.numpy() for network in networks for v in network.trainable_variables]
    model.train_step(reals())
    for old, variable in zip(before, (v for n in networks for v in n.trainable_variables), strict=True):
        np.testing.assert_array_equal(old, variable)
    model.train_step(reals())
    changed = [
        (old != variable.numpy()).any()
        for old, variable in zip(before, (v for n in networks for v in n.trainable_variables), strict=True)
    ]
    assert all(changed)


def test_accuracy_by_hand():
    real, fake = tf.constant([2.0, -1.0, 0.5, 3.0]), tf.constant([1.0, -2.0, -3.0, 2.0])
    assert float(base.accuracy(real, fake, 0.0)) == pytest.approx(5 / 8)
    assert float(base.accuracy(real, fake, 1.5)) == pytest.approx(5 / 8)
    assert float(base.accuracy(real, fake, None)) == pytest.approx(1.0)


def test_labels_condition_what_is_drawn():
    model = make(condition="concat", num_classes=3)
    for _ in range(2):
        model.train_step(labelled())
    images = model.preview(columns=4)
    assert images.shape == (12, 16, 16, 1)
    latents = latent.sample(0, 4, 5)  # the same in each row
    expected = model.ema([latents, np.full(4, 2, np.int32)], training=False)
    np.testing.assert_allclose(images[8:], expected, atol=1e-6)
    assert not np.allclose(images[:4], images[8:], atol=1e-4)
    assert [len(batch) for batch in model.draw(7, batch_size=3)] == [3, 3, 1]
    given = np.concatenate([*model.draw(3, np.array([2, 2, 0], np.int32), batch_size=2)])
    expected = model.ema([latent.sample(0, 3, 5), np.array([2, 2, 0], np.int32)], training=False)
    np.testing.assert_allclose(given, expected, atol=1e-6)


def test_of_many_classes_sixteen_are_shown():
    model = make(condition="concat", num_classes=27)
    images = model.preview(columns=5)
    assert images.shape == (80, 16, 16, 1)
    latents, labels = latent.sample(0, 5, 5), np.full(5, 25, np.int32)
    np.testing.assert_allclose(images[-5:], model.ema([latents, labels], training=False), atol=1e-6)


def test_without_an_average_the_samples_are_the_generators():
    model = make(ema_decay=0)
    model.train_function = tf.function(model.train_step, autograph=False)  # where an integer and a float do not mix
    model.train_function(reals())
    for average, weight in zip(model.ema.get_weights(), model.generator.get_weights(), strict=True):
        np.testing.assert_array_equal(average, weight)


def test_generated_pictures_take_the_labels_of_the_real_ones(monkeypatch):
    model, seen = make(condition="concat", num_classes=3), []
    original = model._discriminate
    monkeypatch.setattr(
        model, "_discriminate", lambda images, labels: seen.append(labels) or original(images, labels)
    )
    model.train_step(labelled())
    assert len(seen) == 3  # real, generated, and generated again for the generator
    for labels in seen:
        np.testing.assert_array_equal(labels, labelled()["label"])


def test_auxiliary_classes_are_learned_from_real_pictures_alone():
    model, seen = make(condition="auxiliary", num_classes=3), []
    original = model._discriminate

    def judge(images, labels):
        seen.append(original(images, labels))
        return seen[-1]

    model._discriminate = judge
    means = model.train_step(labelled())
    real, _, again = (
        float(keras.ops.mean(keras.ops.sparse_categorical_crossentropy(labelled()["label"], x, from_logits=True)))
        for x in (judged["class_logits"] for judged in seen)
    )
    assert float(means["discriminator_class_loss"]) == pytest.approx(real, rel=1e-5)
    assert float(means["generator_class_loss"]) == pytest.approx(again, rel=1e-5)


def test_auxiliary_classes_are_learned():
    """Three grey values: with the classes' loss alone to go by, generated pictures come to the asked one."""
    levels = tf.constant([-0.8, 0.0, 0.8])
    labels = tf.range(24) % 3
    data = {"image": tf.ones([24, 16, 16, 1]) * tf.gather(levels, labels)[:, None, None, None], "label": labels}
    model = make(condition="auxiliary", num_classes=3, rate=2e-3)
    stream = tf.data.Dataset.from_tensors(data).repeat()
    model.fit(stream, steps_per_epoch=120, epochs=1, verbose=0, shuffle=False)
    model.reset_metrics()
    means = model.train_step(data)
    assert float(means["discriminator_class_loss"]) < 0.5 * np.log(3)
    assert float(means["generator_class_loss"]) < 0.5 * np.log(3)


def test_what_is_logged_is_on_the_objectives_own_scale():
    model = make(rate=0.0)
    for score in (scores.outputs, scores.pair_probability, scores.probabilities):
        model.compile(
            keras.optimizers.SGD(0.0),
            keras.optimizers.SGD(0.0),
            adversarial.least_squares_generator_loss,
            adversarial.least_squares_discriminator_loss,
            score=score,
        )
        fakes = model.generator(model._latents(8), training=True)
        expected = score(
            model.discriminator(reals()["image"], training=True), model.discriminator(fakes, training=True)
        )
        means = model.train_step(reals())
        assert {name: float(means[name]) for name in expected} == pytest.approx(
            {name: float(value) for name, value in expected.items()}, rel=1e-4
        )
        right = base.accuracy(
            model.discriminator(reals()["image"], training=True), model.discriminator(fakes, training=True),
            model.threshold,
        )  # fmt: skip
        assert float(means["discriminator_accuracy"]) == pytest.approx(float(right)) and 0 < float(right) < 1
        named = {name for name in means if name.startswith(("real_", "fake_", "pair_"))}
        assert named == set(expected)


def test_random_margins_are_a_function_of_seed_and_step():
    def losses(model):
        loss = functools.partial(adversarial.hinge_discriminator_loss, least_margin=0.5)
        model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), adversarial.hinge_generator_loss, loss)
        zeros = tf.zeros([8])
        values = [float(model.loss_of_discriminator(zeros, zeros, i)) for i in (0, 0, 1)]
        model.step.assign(1)
        return [*values, float(model.loss_of_discriminator(zeros, zeros))]

    one, again, other = losses(make(seed=3)), losses(make(seed=3)), losses(make(seed=4))
    assert one == again and one[0] == one[1] and len({*one, *other}) == 6


def test_slopes_are_penalised_at_the_pictures_through_the_augmentation():
    """As ADA's authors do: what is differentiated by is the picture, not what was made of it."""
    model = make(rate=0.0, augmentation=Augmentation(["color", "translation", "cutout"]))
    model.compile(
        keras.optimizers.SGD(0.0),
        keras.optimizers.SGD(0.0),
        adversarial.non_saturating_generator_loss,
        adversarial.non_saturating_discriminator_loss,
        penalties={"r1": Penalty(r1, 1.0)},
    )
    images = reals()["image"]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(images)
        seen = model.augmentation(images, model._key(gan.REALS, 0), model.step)
        tape.watch(seen)
        logits = model.discriminator(seen, training=True)
    through, beyond = (
        float(tf.reduce_mean(tf.reduce_sum(tf.square(tape.gradient(logits, x)), axis=[1, 2, 3]))) / 2
        for x in (images, seen)
    )
    penalty = float(model.train_step(reals())["r1_penalty"])
    assert penalty == pytest.approx(through, rel=1e-3) and penalty != pytest.approx(beyond, rel=0.1)


def test_all_that_is_judged_is_augmented():
    """Reals, generated ones, and these again for the generator, with draws of their own; grey ones look alike."""
    seen = []

    class Grey:
        policy, target, varies = ("grey",), None, False

        def __call__(self, images, seed, step):
            seen.append((tuple(seed.numpy()), images.shape[0]))
            return 0 * images + 0.5

    model = make(rate=0.0, augmentation=Grey())
    logit = float(model.discriminator(tf.fill([8, 16, 16, 1], 0.5), training=True)[0])
    means = model.train_step(reals())
    assert len(seen) == len({seed for seed, _ in seen}) == 3 and {size for _, size in seen} == {8}
    assert float(means["discriminator_loss"]) == pytest.approx(np.logaddexp(0, -logit) + np.logaddexp(0, logit))
    assert float(means["generator_loss"]) == pytest.approx(np.logaddexp(0, -logit))


def test_adaptive_augmentation_adapts_in_training():
    """Of 64 pictures, at most a probability of 64 / 1,000, as it moves from 0 to 1 over that many."""
    model = make(augmentation=Augmentation(["color"], target=-0.99, speed=1000))
    for _ in range(8):
        means = model.train_step(reals())
    assert 0 < float(model.augmentation.probability) <= 0.064 + 1e-6
    assert 0 < float(means["augment_probability"]) <= 0.064 + 1e-6


def test_adaptive_augmentation_counts_from_the_objective_s_own_threshold(monkeypatch):
    """Least squares divides real from generated at 0.5, not at 0."""
    given = []
    model = make(rate=0.0, augmentation=Augmentation(["color"], target=0.6))
    model.threshold = 0.5
    monkeypatch.setattr(model.augmentation, "update", lambda signs, number: given.append(signs.numpy()))
    judge = model.discriminator.get_layer("judge")
    judge.set_weights([np.zeros(judge.kernel.shape)])  # all logits are 0
    model.train_step(reals())
    np.testing.assert_allclose(np.ravel(given), [-0.5] * 8, atol=1e-6)


@pytest.mark.parametrize("kimg", [0.02, lambda step: 0.02 * tf.cast(step, tf.float32) / 1000])
def test_the_average_forgets_a_half_over_so_many_pictures(kimg):
    model = make(ema_kimg=kimg)
    model.step.assign(1000)
    before = [v.numpy() for v in model.ema.variables]
    model.train_step(reals())
    decay = 0.5 ** (8 / 20)
    for average, old, variable in zip(model.ema.variables, before, model.generator.variables, strict=True):
        np.testing.assert_allclose(average, decay * old + (1 - decay) * variable.numpy(), rtol=1e-4, atol=1e-6)


def test_a_discriminator_that_grows_sees_real_pictures_as_coarse_as_it_is(monkeypatch):
    model, seen = make(), []
    model.discriminator.fade = lambda images: 0 * images + 0.25
    judge = model._discriminate
    monkeypatch.setattr(model, "_discriminate", lambda images, labels: seen.append(images) or judge(images, labels))
    model.train_step(reals())
    assert [bool((images.numpy() == 0.25).all()) for images in seen] == [True, False, False]


def test_a_discriminator_learns_to_rebuild_real_pictures():
    """FastGAN's: the gradient of the mean of its error is in the step, once."""

    def discriminator(image_shape, **_):
        images = keras.Input(image_shape)
        flat = keras.layers.Flatten()(images)
        error = keras.ops.square(keras.layers.Dense(1, use_bias=False, name="rebuilt")(flat))[:, 0]
        return keras.Model(images, {"logits": keras.layers.Dense(1)(flat), "reconstruction_error": error})

    model = GAN(
        lambda **a: dcgan.generator(**a, width=2), discriminator, image_shape=(16, 16, 1), latent_dim=5, seed=0
    )
    rates = keras.optimizers.SGD(0.0), keras.optimizers.SGD(1e-3)
    losses = adversarial.non_saturating_generator_loss, adversarial.non_saturating_discriminator_loss
    model.compile(*rates, *losses)
    kernel, flat = model.discriminator.get_layer("rebuilt").kernel, reals()["image"].numpy().reshape(8, -1)
    before = kernel.numpy()
    means = model.train_step(reals())
    error = flat @ before
    assert float(means["reconstruction_loss"]) == pytest.approx(np.mean(error**2), rel=1e-4)
    step = 1e-3 * 2 * (error * flat).mean(axis=0)[:, None]
    np.testing.assert_allclose(before - kernel.numpy(), step, rtol=1e-3, atol=1e-6)
