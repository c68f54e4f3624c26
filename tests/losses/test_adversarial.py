import inspect
import math

import numpy as np
import pytest
import tensorflow as tf

from losses import adversarial

NAMES = ("minimax", "non_saturating", "least_squares", "hinge", "wasserstein", "relativistic")
SMOOTHED = ("minimax", "non_saturating", "least_squares")


def losses(name):
    """The pair as functions of (real_logits, fake_logits)."""
    generator = getattr(adversarial, f"{name}_generator_loss")
    if name == "relativistic":
        return adversarial.relativistic_discriminator_loss, lambda real, fake: generator(fake, real_logits=real)
    return getattr(adversarial, f"{name}_discriminator_loss"), lambda real, fake: generator(fake)


def sigmoid(logits):
    return 1 / (1 + np.exp(-np.asarray(logits, np.float64)))


def by_the_papers(name, real, fake, smoothing=0.0):
    """Both losses as the papers write them, by probabilities, with no care for large logits."""
    if name in ("minimax", "non_saturating"):
        on_real = (1 - smoothing) * np.log(sigmoid(real)) + smoothing * np.log(1 - sigmoid(real))
        discriminator = -np.mean(on_real) - np.mean(np.log(1 - sigmoid(fake)))
        if name == "minimax":
            return discriminator, np.mean(np.log(1 - sigmoid(fake)))
        return discriminator, -np.mean(np.log(sigmoid(fake)))
    if name == "least_squares":
        b, c = 1 - smoothing, 1
        return 0.5 * np.mean((real - b) ** 2) + 0.5 * np.mean(fake**2), 0.5 * np.mean((fake - c) ** 2)
    if name == "hinge":
        margins = np.mean(np.minimum(0, real - 1)) + np.mean(np.minimum(0, -fake - 1))
        return -margins, -np.mean(fake)
    if name == "wasserstein":
        return -(np.mean(real) - np.mean(fake)), -np.mean(fake)
    return -np.mean(np.log(sigmoid(real - fake))), -np.mean(np.log(sigmoid(fake - real)))


# Of real logits [2, -0.5] and fake logits [-1, 3].
SOFTPLUS = {t: math.log(1 + math.exp(t)) for t in (-3, -2, -1, 0.5, 1, 3, 3.5, -3.5)}
BY_HAND = {
    "minimax": (
        (SOFTPLUS[-2] + SOFTPLUS[0.5]) / 2 + (SOFTPLUS[-1] + SOFTPLUS[3]) / 2,
        -(SOFTPLUS[-1] + SOFTPLUS[3]) / 2,
    ),
    "non_saturating": (
        (SOFTPLUS[-2] + SOFTPLUS[0.5]) / 2 + (SOFTPLUS[-1] + SOFTPLUS[3]) / 2,
        (SOFTPLUS[1] + SOFTPLUS[-3]) / 2,
    ),
    "least_squares": ((1 + 2.25) / 4 + (1 + 9) / 4, (4 + 4) / 4),
    "hinge": ((0 + 1.5) / 2 + (0 + 4) / 2, -1.0),
    "wasserstein": (1 - 0.75, -1.0),
    "relativistic": ((SOFTPLUS[-3] + SOFTPLUS[3.5]) / 2, (SOFTPLUS[3] + SOFTPLUS[-3.5]) / 2),
}


@pytest.mark.parametrize("name", NAMES)
def test_values_worked_by_hand(name):
    real, fake = tf.constant([2.0, -0.5]), tf.constant([-1.0, 3.0])
    values = [float(loss(real, fake)) for loss in losses(name)]
    assert values == pytest.approx(BY_HAND[name], rel=1e-6)


@pytest.mark.parametrize("shape", [(64,), (8, 3, 3)], ids=["one", "patches"])
@pytest.mark.parametrize("name", NAMES)
def test_values_by_probabilities_in_numpy(name, shape):
    real, fake = np.random.default_rng(0).normal(0, 3, (2, *shape)).astype(np.float32)
    values = [loss(tf.constant(real), tf.constant(fake)) for loss in losses(name)]
    assert all(value.shape == () for value in values)
    assert [float(value) for value in values] == pytest.approx(by_the_papers(name, real, fake), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "blind"),
    [
        ("minimax", 2 * math.log(2)),
        ("non_saturating", 2 * math.log(2)),
        ("hinge", 2.0),
        ("wasserstein", 0.0),
        ("relativistic", math.log(2)),
    ],
)
def test_what_a_blind_discriminator_loses(name, blind):
    zero = tf.zeros([5])
    assert float(losses(name)[0](zero, zero)) == pytest.approx(blind)


def test_the_best_that_a_blind_least_squares_discriminator_can_do_is_its_threshold():
    says = {logit: float(losses("least_squares")[0](*[tf.fill([3], logit)] * 2)) for logit in (0.4, 0.5, 0.6)}
    assert says[0.5] == pytest.approx(0.25) == min(says.values())


@pytest.mark.parametrize("name", NAMES)
def test_each_side_pulls_its_own_way(name):
    logits = tf.constant([-0.3, 0.2, 0.6])  # within the hinge's margin and below the least squares' target
    discriminator, generator = losses(name)
    with tf.GradientTape(persistent=True) as tape:
        real, fake = tf.identity(logits), tf.identity(-logits)
        tape.watch([real, fake])
        loss, answer = discriminator(real, fake), generator(real, fake)
    assert (tape.gradient(loss, real).numpy() < 0).all()  # descending it raises D(x)
    pushed_down = fake.numpy() > 0 if name == "least_squares" else np.full(3, True)  # there down to 0 alone
    np.testing.assert_array_equal(tape.gradient(loss, fake).numpy() > 0, pushed_down)
    assert (tape.gradient(answer, fake).numpy() < 0).all()  # descending it raises D(G(z))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("which", ["real", "fake", "generator"])
def test_gradients_against_numeric_ones(name, which):
    point, other = np.random.default_rng(1).normal(size=(2, 6))
    discriminator, generator = losses(name)
    of = {
        "real": lambda t: discriminator(t, tf.constant(other)),
        "fake": lambda t: discriminator(tf.constant(other), t),
        "generator": lambda t: generator(tf.constant(other), t),
    }
    theory, numeric = tf.test.compute_gradient(of[which], [tf.constant(point)])
    np.testing.assert_allclose(theory[0], numeric[0], atol=1e-6)


# Of logits of 10,000: where the discriminator is right about both pictures, and where it is wrong.
SURE = {
    "minimax": (0.0, 2e4),
    "non_saturating": (0.0, 2e4),
    "least_squares": ((9999**2 + 1e8) / 2, (10001**2 + 1e8) / 2),
    "hinge": (0.0, 2e4 + 2),
    "wasserstein": (-2e4, 2e4),
    "relativistic": (0.0, 2e4),
}


@pytest.mark.parametrize("name", NAMES)
def test_values_at_large_logits(name):
    real, fake = tf.constant([1e4]), tf.constant([-1e4])
    loss = losses(name)[0]
    assert [float(loss(real, fake)), float(loss(fake, real))] == pytest.approx(SURE[name], rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_stays_finite_at_large_logits(name, signs):
    real, fake = (tf.constant(1e4 * sign) for sign in signs)
    smoothing = {"label_smoothing": 0.1} if name in SMOOTHED else {}
    discriminator, generator = losses(name)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([real, fake])
        values = discriminator(real, fake), discriminator(real, fake, **smoothing), generator(real, fake)
    for value in values:
        gradients = tape.gradient(value, [real, fake], unconnected_gradients="zero")
        assert np.isfinite([value, *gradients]).all()


@pytest.mark.parametrize(("name", "slope"), [("minimax", 0.0), ("non_saturating", -1.0)])
def test_what_the_generator_learns_from_a_sure_discriminator(name, slope):
    logits = tf.constant([-1e4])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = losses(name)[1](None, logits)
    assert float(tape.gradient(loss, logits)[0]) == pytest.approx(slope)


@pytest.mark.parametrize("name", SMOOTHED)
def test_label_smoothing_is_of_real_pictures_alone(name):
    real, fake = np.random.default_rng(2).normal(0, 2, (2, 32)).astype(np.float32)
    loss = losses(name)[0](tf.constant(real), tf.constant(fake), label_smoothing=0.1)
    assert float(loss) == pytest.approx(by_the_papers(name, real, fake, smoothing=0.1)[0], rel=1e-5)


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [
        # real: 0.9 log(1 + e^-2) + 0.1 log(1 + e^2); fake: log(1 + e^-1)
        ("minimax", 0.9 * 0.12692801 + 0.1 * 2.12692801 + 0.31326169),
        ("non_saturating", 0.9 * 0.12692801 + 0.1 * 2.12692801 + 0.31326169),
        ("least_squares", (1.1**2 + 1) / 2),
    ],
)
def test_label_smoothing_worked_by_hand(name, by_hand):
    loss = losses(name)[0](tf.constant([2.0]), tf.constant([-1.0]), label_smoothing=0.1)
    assert float(loss) == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize(("name", "logit"), [("non_saturating", math.log(9)), ("least_squares", 0.9)])
def test_smoothed_discriminator_is_content_at_nine_tenths(name, logit):
    real = tf.constant([logit])
    with tf.GradientTape() as tape:
        tape.watch(real)
        loss = losses(name)[0](real, tf.zeros([1]), label_smoothing=0.1)
    assert float(tape.gradient(loss, real)[0]) == pytest.approx(0, abs=1e-6)


def test_only_the_paired_objective_depends_on_differences_alone():
    real, fake = tf.constant([0.3, -2.0]), tf.constant([1.0, 0.5])
    unmoved = [
        name
        for name in NAMES
        if all(
            float(loss(real + 7, fake + 7)) == pytest.approx(float(loss(real, fake)), rel=1e-5)
            for loss in losses(name)
        )
    ]
    assert unmoved == ["relativistic"]
    swapped = adversarial.relativistic_discriminator_loss(fake, real)  # the generator plays the mirrored game
    assert float(adversarial.relativistic_generator_loss(fake, real)) == float(swapped)


def test_the_generators_that_ask_for_real_logits():
    asks = {
        name: "real_logits" in inspect.signature(getattr(adversarial, f"{name}_generator_loss")).parameters
        for name in NAMES
    }
    assert [name for name in NAMES if asks[name]] == ["relativistic"]


def test_random_margins_lie_between_the_least_and_one_and_are_each_logits_own():
    real, fake = tf.linspace(-0.9, 0.6, 400), tf.linspace(0.9, -0.6, 400)
    margins = []
    for i in range(3):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([real, fake])
            loss = adversarial.hinge_discriminator_loss(real, fake, least_margin=0.8, seed=tf.constant([7, i]))
        # Within the least margin all logits learn, and as fast as ever.
        np.testing.assert_allclose(tape.gradient(loss, real), np.full(400, -1 / 400), rtol=1e-5)
        np.testing.assert_allclose(tape.gradient(loss, fake), np.full(400, 1 / 400), rtol=1e-5)
        plain = float(tf.reduce_mean(-real) + tf.reduce_mean(fake))
        margins.append(float(loss) - plain)
    assert len(set(margins)) == 3  # another seed, other margins
    assert np.mean(margins) == pytest.approx(2 * 0.9, abs=0.02)
    # One logit beyond some margins and within others: each is asked for its own.
    between = tf.fill([2000], 0.9)
    loss = adversarial.hinge_discriminator_loss(between, between - 10, least_margin=0.8, seed=tf.constant([1, 2]))
    assert float(loss) == pytest.approx(0.1 / 2 / 2, rel=0.1)  # half of them are above, by 0.05 on average


def test_random_margins_of_real_and_generated_are_drawn_apart():
    zeros, far = tf.zeros([50]), tf.fill([50], 9.0)
    seed = tf.constant([3, 4])
    on_real = float(adversarial.hinge_discriminator_loss(zeros, -far, least_margin=0.5, seed=seed))
    on_fake = float(adversarial.hinge_discriminator_loss(far, zeros, least_margin=0.5, seed=seed))
    assert on_real != on_fake and 0.5 < on_real < 1 and 0.5 < on_fake < 1


def test_a_margin_of_one_draws_nothing():
    real, fake = tf.constant([0.3, -2.0]), tf.constant([0.1, -0.4])
    plain = adversarial.hinge_discriminator_loss(real, fake)
    seeded = adversarial.hinge_discriminator_loss(real, fake, least_margin=1.0, seed=tf.constant([1, 2]))
    assert float(plain) == float(seeded)


@pytest.mark.parametrize(("least", "seed", "message"), [(0.8, None, "no seed"), (1.5, [1, 2], "between 0 and 1")])
def test_random_margins_refuse_what_makes_no_sense(least, seed, message):
    with pytest.raises(ValueError, match=message):
        adversarial.hinge_discriminator_loss(tf.zeros([2]), tf.zeros([2]), least_margin=least, seed=seed)
