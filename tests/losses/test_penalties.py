import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from losses import penalties
from losses.penalties import Penalty
from models.layers.convolution import Conv2D
from models.layers.normalization import BatchNormalization

SEED = tf.constant([3, 4])
ALL = {
    "gradient": penalties.gradient_penalty,
    "one_sided": lambda *a: penalties.gradient_penalty(*a, one_sided=True),
    "r1": penalties.r1,
    "r2": penalties.r2,
    "dragan": penalties.dragan,
}
# XLA takes seconds to compile each: these two have all that the others are made of.
every_penalty_compiled = pytest.mark.parametrize(
    ("penalty", "jit"),
    [*((penalty, False) for penalty in ALL.values()), (ALL["dragan"], True), (ALL["r1"], True)],
    ids=[*ALL, "dragan-xla", "r1-xla"],
)
every_penalty = pytest.mark.parametrize("penalty", ALL.values(), ids=ALL.keys())


def pictures(*shape, seed=0, dtype=np.float32):
    return tf.constant(np.random.default_rng(seed).uniform(-1, 1, shape).astype(dtype))


def linear(*weights):
    """A critic of 2x2 grey pictures whose gradient is `weights` everywhere."""
    weights = tf.constant(weights, shape=(2, 2, 1))
    return lambda images: tf.reduce_sum(images * weights, axis=[1, 2, 3])


def square(images):
    """A critic whose gradient is the picture itself."""
    return tf.reduce_sum(images**2, axis=[1, 2, 3]) / 2


@pytest.mark.parametrize(
    ("name", "steep", "flat"),
    [
        ("gradient", 16.0, 0.25),  # (5 - 1)^2, (0.5 - 1)^2
        ("one_sided", 16.0, 0.0),
        ("dragan", 16.0, 0.25),
        ("r1", 12.5, 0.125),  # 5^2 / 2, 0.5^2 / 2
        ("r2", 12.5, 0.125),
    ],
)
def test_linear_critic_worked_by_hand(name, steep, flat):
    reals, fakes = pictures(4, 2, 2, 1), pictures(4, 2, 2, 1, seed=1)
    value = ALL[name](linear(3.0, 0.0, 0.0, 4.0), reals, fakes, SEED)
    assert value.shape == () and value.dtype == tf.float32
    assert float(value) == pytest.approx(steep, rel=1e-6)
    assert float(ALL[name](linear(0.3, 0.0, 0.4, 0.0), reals, fakes, SEED)) == pytest.approx(flat, rel=1e-6)


def test_r1_is_of_reals_and_r2_of_fakes():
    reals, fakes = pictures(5, 4, 4, 3), 2 * pictures(5, 4, 4, 3, seed=1)
    for penalty, images in ((penalties.r1, reals), (penalties.r2, fakes)):
        expected = np.mean(np.sum(images.numpy() ** 2, axis=(1, 2, 3))) / 2
        assert float(penalty(square, reals, fakes, SEED)) == pytest.approx(expected, rel=1e-5)


def test_drift_is_of_what_the_critic_says_of_reals():
    reals, fakes = pictures(5, 4, 4, 3), 2 * pictures(5, 4, 4, 3, seed=1)
    expected = np.mean((np.sum(reals.numpy() ** 2, axis=(1, 2, 3)) / 2) ** 2)
    assert float(penalties.drift(square, reals, fakes, SEED)) == pytest.approx(expected, rel=1e-5)
    patches = penalties.drift(lambda x: tf.constant([[[1.0, 3.0]], [[-4.0, 2.0]]]), reals, fakes, SEED)
    assert float(patches) == pytest.approx((2.0**2 + 1.0**2) / 2)  # a picture's score is the mean of its logits
    weights = tf.Variable(pictures(4, 4, 3, seed=2))
    with tf.GradientTape() as tape:
        value = penalties.drift(lambda x: tf.reduce_sum(x * weights, axis=[1, 2, 3]), reals, fakes, SEED)
    said = np.sum(reals.numpy() * weights.numpy(), axis=(1, 2, 3))
    by_hand = np.mean(2 * said[:, None, None, None] * reals.numpy(), axis=0)
    np.testing.assert_allclose(tape.gradient(value, weights), by_hand, rtol=1e-4, atol=1e-6)


def test_gradient_penalty_at_one_point_on_the_line_of_every_pair():
    reals, fakes, seen = pictures(256, 4, 4, 3), pictures(256, 4, 4, 3, seed=1), []
    value = penalties.gradient_penalty(lambda x: seen.append(x) or square(x), reals, fakes, SEED)
    part = (seen[0] - reals) / (fakes - reals)  # 0 at the real picture, 1 at the generated one
    per_picture = np.median(part, axis=(1, 2, 3))
    np.testing.assert_allclose(seen[0], reals + per_picture[:, None, None, None] * (fakes - reals), atol=1e-5)
    assert 0 <= per_picture.min() < 0.05 and 0.95 < per_picture.max() < 1
    assert per_picture.mean() == pytest.approx(0.5, abs=0.06)  # 3 standard errors of uniform numbers
    norms = np.sqrt(np.sum(seen[0].numpy() ** 2, axis=(1, 2, 3)))
    assert float(value) == pytest.approx(np.mean((norms - 1) ** 2), rel=1e-5)


def test_dragan_raises_reals_by_up_to_half_a_standard_deviation():
    reals, seen = 3 * pictures(256, 16, 16, 3) + 1, []
    value = penalties.dragan(lambda x: seen.append(x) or square(x), reals, tf.zeros_like(reals), SEED)
    raised = (seen[0] - reals).numpy() / (0.5 * reals.numpy().std())
    assert raised.min() > -1e-5 and raised.max() < 1
    part = raised.max(axis=(1, 2, 3))  # of 768 pixels, one has noise of almost 1: the place on the line
    assert part.mean() == pytest.approx(0.5, abs=0.06) and part.min() < 0.05 and part.max() > 0.95
    noise = raised / part[:, None, None, None]
    np.testing.assert_allclose(noise.mean(axis=(1, 2, 3)), 0.5, atol=0.06)  # each picture's own pixels differ
    norms = np.sqrt(np.sum(seen[0].numpy() ** 2, axis=(1, 2, 3)))
    assert float(value) == pytest.approx(np.mean((norms - 1) ** 2), rel=1e-5)


@pytest.mark.parametrize("name", ["gradient", "dragan"])
def test_seeds_draw_the_points(name):
    reals, fakes = pictures(4, 4, 4, 1), pictures(4, 4, 4, 1, seed=1)
    first, again, other = (float(ALL[name](square, reals, fakes, tf.constant([3, s]))) for s in (4, 4, 5))
    assert first == again != other


class SmallCritic:
    """Convolution, tanh, dense, tanh, dense, in float64: smooth, so that differences are good derivatives."""

    def __init__(self, scale=1.0):
        rng = np.random.default_rng(5)
        shapes = [(3, 3, 2, 3), (3,), (12, 4), (4,), (4, 1)]
        self.weights = [tf.Variable(scale * rng.normal(size=shape)) for shape in shapes]

    def __call__(self, images):
        kernel, bias, dense, dense_bias, judge = self.weights
        x = tf.tanh(tf.nn.conv2d(images, kernel, 2, "SAME") + bias)
        x = tf.tanh(tf.reshape(x, [-1, 12]) @ dense + dense_bias)
        return (x @ judge)[:, 0]


@every_penalty_compiled
def test_gradient_by_weights_against_central_differences(penalty, jit):
    critic = SmallCritic()
    reals, fakes = pictures(3, 4, 4, 2, dtype=np.float64), pictures(3, 4, 4, 2, seed=1, dtype=np.float64)

    @tf.function(jit_compile=jit)
    def value():
        return penalty(critic, reals, fakes, SEED)

    @tf.function(jit_compile=jit)
    def gradients():
        with tf.GradientTape() as tape:
            loss = value()
        return tape.gradient(loss, critic.weights, unconnected_gradients="zero")

    assert value().dtype == tf.float64 and float(value()) > 0.01
    for weight, gradient in zip(critic.weights, gradients(), strict=True):
        start, numeric = weight.numpy(), np.zeros(weight.shape)
        for index in np.ndindex(*start.shape):
            ends = []
            for step in (1e-5, -1e-5):
                moved = start.copy()
                moved[index] += step
                weight.assign(moved)
                ends.append(float(value()))
            numeric[index] = (ends[0] - ends[1]) / 2e-5
        weight.assign(start)
        np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-8)
        assert np.abs(numeric).max() > 1e-3


def test_one_sided_is_zero_with_zero_gradient_below_slope_one():
    critic = SmallCritic(scale=0.2)
    reals, fakes = pictures(3, 4, 4, 2, dtype=np.float64), pictures(3, 4, 4, 2, seed=1, dtype=np.float64)
    with tf.GradientTape(persistent=True) as tape:
        one = penalties.gradient_penalty(critic, reals, fakes, SEED, one_sided=True)
        two = penalties.gradient_penalty(critic, reals, fakes, SEED)
    assert float(one) == 0 and float(two) > 0.1
    assert all(not np.any(g) for g in tape.gradient(one, critic.weights, unconnected_gradients="zero"))
    assert any(np.any(g) for g in tape.gradient(two, critic.weights, unconnected_gradients="zero"))


@every_penalty_compiled
def test_a_critic_without_slope_has_a_finite_gradient(penalty, jit):
    weights, images = tf.Variable(tf.zeros([4, 4, 3])), pictures(2, 4, 4, 3)

    @tf.function(jit_compile=jit)
    def run():
        with tf.GradientTape() as tape:
            loss = penalty(lambda x: tf.reduce_sum(weights * x, axis=[1, 2, 3]), images, images, SEED)
        return loss, tape.gradient(loss, weights)

    loss, gradient = run()
    two_sided = penalty in (penalties.gradient_penalty, penalties.dragan)
    assert float(loss) == pytest.approx(1.0 if two_sided else 0.0, abs=1e-5)
    assert np.isfinite(gradient).all()


@every_penalty
def test_of_patch_logits_the_score_is_the_mean(penalty):
    reals, fakes = pictures(4, 4, 4, 3), pictures(4, 4, 4, 3, seed=1)

    def patches(images):
        return 9 * tf.reduce_sum(images**2, axis=-1)  # [batch, 4, 4]

    mean = penalty(lambda images: tf.reduce_mean(patches(images), axis=[1, 2]), reals, fakes, SEED)
    assert float(penalty(patches, reals, fakes, SEED)) == pytest.approx(float(mean), rel=1e-5)
    assert float(mean) > 0.1


@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16])
@every_penalty
def test_norms_are_summed_in_float32(penalty, dtype):
    # 12,288 equal terms: a sum in bfloat16 stops growing at 256 of them, one in float16 at 2,048.
    reals, fakes = (tf.cast(pictures(2, 64, 64, 3, seed=seed), dtype) for seed in (0, 1))

    def critic(images):
        slope = tf.constant(0.03125, dtype)  # exact in all types; norm: sqrt(12288) / 32 = 3.4641
        return tf.reduce_sum(tf.cast(tf.cast(images, dtype) * slope, tf.float32), axis=[1, 2, 3])

    squared = penalty in (penalties.r1, penalties.r2)
    value = penalty(critic, reals, fakes, SEED)
    assert value.dtype == tf.float32
    assert float(value) == pytest.approx(6.0 if squared else 2.4641016**2, rel=1e-5)


@pytest.mark.parametrize("penalty", [penalties.r1, penalties.gradient_penalty], ids=["r1", "gradient"])
def test_lazy_penalty_counts_more_when_it_counts(penalty):
    critic = SmallCritic()
    reals, fakes = pictures(3, 4, 4, 2, dtype=np.float64), pictures(3, 4, 4, 2, seed=1, dtype=np.float64)
    lazy = Penalty(penalty, weight=0.5, every=4)

    @tf.function
    def run(step):
        with tf.GradientTape(persistent=True) as tape:
            loss = lazy(critic, reals, fakes, SEED, step)
            plain = penalty(critic, reals, fakes, SEED)
        return loss, tape.gradient(loss, critic.weights), plain, tape.gradient(plain, critic.weights)

    total = 0.0
    for step in range(8):
        loss, gradients, plain, plain_gradients = run(tf.constant(step, tf.int64))
        assert loss.dtype == tf.float32 and loss.shape == ()
        total += float(loss)
        factor = 0.5 * 4 if step in (0, 4) else 0.0
        assert float(loss) == pytest.approx(factor * float(plain), rel=1e-6)
        for gradient, other in zip(gradients, plain_gradients, strict=True):
            np.testing.assert_allclose(gradient, factor * other, rtol=1e-5, atol=1e-12)
    assert total / 8 == pytest.approx(0.5 * float(plain), rel=1e-5)  # on average as if at every step


def test_lazy_penalty_does_not_ask_the_critic_otherwise():
    asked = tf.Variable(0)

    def critic(images):
        asked.assign_add(1)
        return square(images)

    @tf.function
    def run(step):
        images = pictures(2, 4, 4, 1)
        return Penalty(penalties.r1, 1.0, every=3)(critic, images, images, SEED, step)

    for step in range(7):
        run(tf.constant(step, tf.int64))
    assert int(asked) == 3  # at 0, 3 and 6


def test_a_penalty_at_every_step():
    images = pictures(2, 2, 2, 1)
    values = [
        float(Penalty(penalties.r1, 2.0)(linear(3.0, 0.0, 0.0, 4.0), images, images, SEED, s)) for s in (0, 1)
    ]
    assert values == pytest.approx([25.0, 25.0])
    with pytest.raises(ValueError, match="every=0"):
        Penalty(penalties.r1, 1.0, every=0)


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "xla"])
def test_clip_weights(jit):
    values = np.array([-3.0, -0.01, 0.004, 0.01, 0.5], np.float32)
    variables = [keras.Variable(values), keras.Variable(values[:, None])]
    tf.function(lambda: penalties.clip_weights(variables, 0.01), jit_compile=jit)()
    clipped = np.array([-0.01, -0.01, 0.004, 0.01, 0.01], np.float32)
    np.testing.assert_array_equal(variables[0], clipped)
    np.testing.assert_array_equal(variables[1], clipped[:, None])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Conv2D(128, 4, 2, "same", dtype="mixed_bfloat16"), layers.Conv2D(128, 4, 2, "same")),
        (BatchNormalization(), layers.BatchNormalization()),
    ],
    ids=["convolution", "batch_norm"],
)
def test_our_own_layers_can_be_differentiated_twice(ours, theirs):
    images, gradients = pictures(4, 8, 8, 128), []
    for layer in (ours, theirs):
        layer.build(images.shape)
    theirs.set_weights(ours.get_weights())
    for layer in (ours, theirs):

        def critic(x, layer=layer):
            return tf.reduce_sum(tf.tanh(tf.cast(layer(x, training=True), tf.float32)), axis=[1, 2, 3])

        with tf.GradientTape() as tape:
            loss = penalties.r1(critic, images, images, SEED)
        gradients.append(tape.gradient(loss, layer.trainable_variables[0].value).numpy().ravel())
    one, other = gradients
    np.testing.assert_allclose(np.linalg.norm(one), np.linalg.norm(other), rtol=0.02)
    assert one @ other / np.linalg.norm(one) / np.linalg.norm(other) > 0.999
