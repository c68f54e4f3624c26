import keras
import numpy as np
import pytest
import tensorflow as tf

from core.cli import ROOT
from models import augmentation
from models.augmentation import TRANSFORMATIONS, Augmentation

SEED = tf.constant([3, 4], tf.int32)
STEP = tf.constant(0, tf.int64)
EVERYTHING = ["color", "translation", "cutout"]


def pictures(num=6, height=16, width=16, channels=3, dtype=tf.float32) -> tf.Tensor:
    return tf.random.stateless_uniform([num, height, width, channels], (1, 2), -1, 1, dtype)


def shifted(image: np.ndarray, down: int, right: int) -> np.ndarray:
    height, width, _ = image.shape
    padded = np.pad(image, [(abs(down), abs(down)), (abs(right), abs(right)), (0, 0)])
    top, left = abs(down) - down, abs(right) - right
    return padded[top : top + height, left : left + width]


def color_draws(image: np.ndarray, changed: np.ndarray) -> tuple[float, float, float]:
    """(brightness, saturation, contrast) that turn one image into the other."""
    spread = changed.mean(axis=2) - changed.mean()  # of the pixels' means: saturation leaves it
    contrast = (spread / (image.mean(axis=2) - image.mean())).mean()
    apart = (changed - changed.mean(axis=2, keepdims=True)) / (image - image.mean(axis=2, keepdims=True))
    return changed.mean() - image.mean(), np.median(apart) / contrast, contrast


def test_color_is_brightness_then_saturation_then_contrast():
    images = pictures(8, dtype=tf.float64).numpy()
    keys = tf.unstack(tf.random.split(SEED, 3))
    draws = [np.float64(tf.random.stateless_uniform([8, 1, 1, 1], key)) for key in keys]
    expected = images + (draws[0] - 0.5)
    gray = expected.mean(axis=3, keepdims=True)
    expected = (expected - gray) * (2 * draws[1]) + gray
    mean = expected.mean(axis=(1, 2, 3), keepdims=True)
    expected = (expected - mean) * (draws[2] + 0.5) + mean
    np.testing.assert_allclose(augmentation.color(images, SEED), expected, atol=1e-6)


def test_color_draws_cover_the_papers_ranges():
    images = pictures(400, 8, 8)
    changed = augmentation.color(images, SEED).numpy()
    draws = np.array([color_draws(*pair) for pair in zip(images.numpy(), changed, strict=True)])
    for values, low, high in zip(draws.T, (-0.5, 0, 0.5), (0.5, 2, 1.5), strict=True):
        middle, width = (low + high) / 2, high - low
        assert low - 1e-3 < values.min() < low + width / 20 and high - width / 20 < values.max() < high + 1e-3
        assert values.mean() == pytest.approx(middle, abs=0.06 * width)
    assert np.abs(np.corrcoef(draws.T) - np.eye(3)).max() < 0.2  # three draws, not one used thrice


def test_color_of_one_channel_knows_no_saturation():
    images = pictures(channels=1)
    changed = augmentation.color(images, SEED).numpy()
    keys = tf.unstack(tf.random.split(SEED, 3))
    contrast = tf.random.stateless_uniform([6, 1, 1, 1], keys[2]).numpy() + 0.5
    mean, middle = (x.mean(axis=(1, 2, 3), keepdims=True) for x in (images.numpy(), changed))
    np.testing.assert_allclose(changed - middle, (images - mean) * contrast, atol=1e-5)


@pytest.mark.parametrize(("height", "width", "channels"), [(16, 16, 3), (24, 16, 1)])
def test_translation_shifts_by_whole_pixels_and_lets_zeros_in(height, width, channels):
    images = pictures(300, height, width, channels).numpy()
    changed = augmentation.translation(images, SEED).numpy()
    shifts = []
    for image, out in zip(images, changed, strict=True):
        most = (height // 8, width // 8)
        candidates = [(i, j) for i in range(-most[0], most[0] + 1) for j in range(-most[1], most[1] + 1)]
        fitting = [shift for shift in candidates if np.array_equal(out, shifted(image, *shift))]
        assert len(fitting) == 1
        shifts += fitting
    assert set(shifts) == set(candidates)  # all of them occur, both directions apart


def test_translation_keeps_what_stays_inside():
    images = np.zeros((20, 16, 16, 3), "float32")
    images[:, 4:12, 4:12] = pictures(20, 8, 8)
    changed = augmentation.translation(images, SEED).numpy()
    np.testing.assert_allclose(changed.sum(axis=(1, 2)), images.sum(axis=(1, 2)), atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (10, 12)])  # 5 is an odd length
def test_cutout_zeroes_one_rectangle_of_half_the_size(height, width):
    images = np.ones((600, height, width, 2), "float32")
    changed = augmentation.cutout(images, SEED).numpy()
    assert set(np.unique(changed)) == {0, 1}
    spans = {0: set(), 1: set()}
    for holes in 1 - changed:
        np.testing.assert_array_equal(holes[..., 0], holes[..., 1])
        rows, columns = holes[..., 0].max(axis=1), holes[..., 0].max(axis=0)
        np.testing.assert_array_equal(holes[..., 0], np.outer(rows, columns))
        for axis, line in enumerate((rows, columns)):
            places = np.flatnonzero(line)
            assert places[-1] - places[0] + 1 == len(places)  # in one piece
            spans[axis].add((int(places[0]), len(places)))
    for axis, size in enumerate((height, width)):
        # The authors' offsets: 0 ... size where the length is even, 0 ... size - 1 where it is odd.
        length = size // 2
        starts = [offset - length // 2 for offset in range(size + 1 - length % 2)]
        pieces = [(max(start, 0), min(start + length, size)) for start in starts]
        assert spans[axis] == {(start, end - start) for start, end in pieces}


def test_cutout_leaves_the_rest_as_it_is():
    images = pictures().numpy()
    changed = augmentation.cutout(images, SEED).numpy()
    np.testing.assert_array_equal(changed[changed != 0], images[changed != 0])


@pytest.mark.parametrize("name", EVERYTHING)
def test_draws_depend_on_the_seed_and_differ_between_images(name):
    function = TRANSFORMATIONS[name]
    images = np.repeat(pictures(1), 8, axis=0)
    changed = function(images, SEED).numpy()
    np.testing.assert_array_equal(changed, function(images, SEED))
    assert not np.array_equal(changed, function(images, tf.constant([3, 5])))
    assert len({image.tobytes() for image in changed}) > 4
    assert not np.array_equal(changed, images)


@pytest.mark.parametrize("name", EVERYTHING)
def test_gradients_against_numeric_ones(name):
    images = pictures(1, 8, 6, 2, tf.float64)
    theory, numeric = tf.test.compute_gradient(tf.function(lambda x: TRANSFORMATIONS[name](x, SEED)), [images])
    np.testing.assert_allclose(theory[0], numeric[0], atol=1e-5)  # the draws are float32


@pytest.mark.parametrize(
    ("jit", "policy", "noise"),
    # XLA takes long to compile each draw: what it has to differentiate twice is the moving of pixels.
    [(False, EVERYTHING, 0.1), (True, ["translation"], 0.0)],
    ids=["graph", "xla"],
)
def test_second_order_gradients_of_a_quadratic(jit, policy, noise):
    """The layer is affine, A x + c. f(x) = |A x + c|² / 2 has the gradient g = Aᵀ(A x + c), |g|² / 2 has AᵀA g."""
    layer = Augmentation(policy, probability=0.7, noise=noise, noise_steps=10)
    images, constant = pictures(4, 8, 8), tf.zeros([4, 8, 8, 3])

    def see(x):
        return layer(x, SEED, STEP)

    @tf.function(jit_compile=jit)
    def compute():
        with tf.GradientTape() as outer:
            outer.watch(images)
            with tf.GradientTape(persistent=True) as inner:
                inner.watch(images)
                seen = see(images)
                loss = tf.reduce_sum(seen**2) / 2
            gradient = inner.gradient(loss, images)
            norm = tf.reduce_sum(gradient**2) / 2
        # A y by a difference; Aᵀ by the first-order gradient, which the test above measures.
        expected = inner.gradient(seen, images, see(gradient) - see(constant))
        return gradient, outer.gradient(norm, images), expected, seen - see(constant)

    gradient, second, expected, linear = (x.numpy() for x in compute())
    np.testing.assert_allclose(second, expected, atol=1e-4)
    assert np.isfinite(second).all()
    assert jit or not np.allclose(second, gradient, atol=0.1)
    assert not np.allclose(linear, images, atol=0.1)  # something was changed


@pytest.mark.parametrize(("jit", "dtype"), [(False, tf.float32), (False, tf.bfloat16), (True, tf.bfloat16)])
def test_compiled_step_keeps_the_dtype(jit, dtype):
    images = pictures(5, dtype=dtype)
    layer = Augmentation(EVERYTHING, target=0.6, speed=20, noise=0.1)
    reals = tf.function(lambda: layer.update(tf.ones([5]), 5), jit_compile=jit)
    see = tf.function(lambda: layer(images, SEED, STEP), jit_compile=jit)
    for _ in range(4):
        reals()
    assert float(layer.probability) == 1
    seen = see()
    assert seen.dtype == dtype and seen.shape == images.shape
    assert np.isfinite(np.asarray(seen, np.float32)).all()
    if not jit:  # XLA draws other numbers
        np.testing.assert_allclose(
            np.asarray(seen, np.float32), np.asarray(layer(images, SEED, STEP), np.float32), atol=1e-6
        )


@pytest.mark.parametrize("name", EVERYTHING)
def test_bfloat16_is_rounded_float32(name):
    images = pictures(dtype=tf.bfloat16)
    exact = TRANSFORMATIONS[name](tf.cast(images, tf.float32), SEED)
    seen = TRANSFORMATIONS[name](images, SEED)
    np.testing.assert_allclose(tf.cast(seen, tf.float32), exact, atol=0.02 if name == "color" else 0)


def test_batch_size_may_be_unknown():
    layer = Augmentation(EVERYTHING, probability=0.5, noise=0.1)
    see = tf.function(lambda x: layer(x, SEED, STEP), input_signature=[tf.TensorSpec([None, 16, 16, 3])])
    for num in (2, 5):
        np.testing.assert_allclose(see(pictures(num)), layer(pictures(num), SEED, STEP), atol=1e-6)


def test_empty_policy_returns_the_images_themselves():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        images = pictures()
        assert Augmentation()(images, SEED, STEP) is images
        assert Augmentation(EVERYTHING)(images, SEED, STEP).dtype == tf.float32
    finally:
        keras.config.set_dtype_policy("float32")


def test_transformations_follow_the_policys_order_with_draws_of_their_own():
    images = pictures()
    seen = Augmentation(["cutout", "color"])(images, SEED, STEP)
    keys = [tf.random.fold_in(SEED, i) for i in range(2)]
    np.testing.assert_array_equal(seen, augmentation.color(augmentation.cutout(images, keys[0]), keys[1]))
    twice = Augmentation(["cutout", "cutout"])(tf.ones([8, 16, 16, 1]), SEED, STEP).numpy()
    assert (twice == 0).mean() > 1.2 * (augmentation.cutout(tf.ones([8, 16, 16, 1]), keys[0]).numpy() == 0).mean()


def test_probability_zero_changes_nothing():
    images = pictures()
    np.testing.assert_array_equal(Augmentation(EVERYTHING, probability=0.0)(images, SEED, STEP), images)
    np.testing.assert_array_equal(Augmentation(EVERYTHING, target=0.6)(images, SEED, STEP), images)


def test_probability_is_that_of_each_transformation_of_each_image():
    images = tf.zeros([2000, 8, 8, 1]) + 0.25
    layer = Augmentation(["color", "cutout"], probability=0.3)
    seen = layer(images, SEED, STEP).numpy().reshape(2000, -1)
    colored = np.abs(seen).max(axis=1) != 0.25
    cut = (seen == 0).any(axis=1)
    for share, expected in ((colored, 0.3), (cut, 0.3), (colored & cut, 0.09)):
        assert share.mean() == pytest.approx(expected, abs=0.04)
    layer.probability.assign(0.0)  # as of a checkpoint: whoever goes on from it may have asked for another
    np.testing.assert_array_equal(layer(images, SEED, STEP).numpy().reshape(2000, -1), seen)
    adapts = Augmentation(["color", "cutout"], target=0.6)
    adapts.probability.assign(1.0)  # while what has adapted goes on from there
    assert (adapts(images, SEED, STEP).numpy() != images.numpy()).reshape(2000, -1).any(axis=1).all()


def test_adaptive_probability_follows_the_real_logits():
    layer = Augmentation(["cutout"], target=0.6, speed=100)
    assert float(layer.probability) == 0
    values = []
    for _ in range(12):
        layer.update(tf.constant([0.1, 3.0, 100.0]), 10)
        values.append(float(layer.probability))
    np.testing.assert_allclose(values, np.minimum(np.arange(1, 13) / 10, 1), atol=1e-6)
    for _ in range(20):
        layer.update(-tf.ones([3, 2, 2]), 10)  # patch logits
        values.append(float(layer.probability))
    assert (np.diff(values[14:]) <= 0).all() and values[-1] == 0
    assert min(values) >= 0 and max(values) <= 1


def test_single_batches_do_not_decide():
    layer = Augmentation(["cutout"], target=0.6, speed=100)
    for _ in range(3):
        layer.update(tf.ones([4]), 10)
    before = float(layer.probability)
    layer.update(tf.constant([1.0, 1.0, 1.0, -1.0]), 10)  # r = 0.5 < 0.6, amid batches of 1
    assert float(layer.probability) == pytest.approx(before + 0.1)
    r = 0.6
    for batch in (1, 1, 1, 0.5):
        r = 0.75 * r + 0.25 * batch
    assert float(layer.overfitting) == pytest.approx(r, rel=1e-5)


def test_fixed_probability_ignores_the_logits():
    layer = Augmentation(["cutout"], probability=0.4)
    layer.update(tf.ones([4]), 1_000_000)
    assert float(layer.probability) == pytest.approx(0.4) and len(layer.variables) == 1


def test_state_is_in_weights():
    layer, other = (Augmentation(["cutout"], target=0.0, speed=100) for _ in range(2))
    for value in (1.0, 1.0, -1.0):
        layer.update(tf.constant([value]), 10)
    assert not layer.trainable_variables
    other.set_weights(layer.get_weights())
    for one in (layer, other):
        one.update(tf.constant([-1.0]), 10)
    assert layer.get_weights() == other.get_weights() != [0.0, 0.0]
    np.testing.assert_array_equal(layer(pictures(), SEED, STEP), other(pictures(), SEED, STEP))


def test_noise_fades_to_nothing():
    layer = Augmentation(noise=0.2, noise_steps=100)
    images = tf.zeros([8, 16, 16, 3])
    see = tf.function(lambda step: layer(images, SEED, step))
    noise = [see(tf.constant(step, tf.int64)).numpy() for step in (0, 25, 50, 100, 1000)]
    assert noise[0].std() == pytest.approx(0.2, rel=0.03) and abs(noise[0].mean()) < 0.01
    np.testing.assert_allclose(noise[1], 0.75 * noise[0], atol=1e-6)
    np.testing.assert_allclose(noise[2], 0.5 * noise[0], atol=1e-6)
    assert not noise[3].any() and not noise[4].any()
    assert len(np.unique(noise[0][:, 0, 0, 0])) == 8


def test_noise_without_steps_stays():
    layer = Augmentation(noise=0.2)
    images = pictures().numpy()
    first, last = (layer(images, SEED, tf.constant(step, tf.int64)).numpy() for step in (0, 10**9))
    np.testing.assert_array_equal(first, last)
    assert (first - images).std() == pytest.approx(0.2, rel=0.05)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"policy": ["color", "mixup"]}, "color, translation, cutout.*mixup"),
        ({"policy": "color"}, "is a list"),
        ({"probability": 1.5}, r"\[0, 1\]"),
        ({"policy": ["color"], "target": 1.0}, "target"),
        ({"target": 0.6}, "policy"),
        ({"speed": 0}, "speed=0"),
        ({"noise": -0.1}, "noise=-0.1"),
        ({"noise_steps": -1}, "noise_steps=-1"),
    ],
)
def test_refuses_what_makes_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**arguments)


REPLICAS = """
import tensorflow as tf

half = tf.config.LogicalDeviceConfiguration()
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [half, half])

from models.augmentation import Augmentation

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    layer = Augmentation(["color", "translation", "cutout"], target=0.3, speed=80, noise=0.1, noise_steps=10)

@tf.function
def step(signs):
    def replica():
        me = tf.distribute.get_replica_context().replica_id_in_sync_group
        layer.update(tf.ones([4]) * signs[me], 8)
        return layer(tf.ones([4, 16, 16, 3]), tf.constant([3, 4]), tf.constant(0, tf.int64))
    return strategy.run(replica)

for _ in range(3):
    seen = step(tf.constant([1.0, -1.0]))  # the mean, 0, is below the target; one replica's is not
for weight, expected in ((layer.overfitting, 0.3 * 0.75**3), (layer.probability, 0.0)):
    for value in strategy.experimental_local_results(weight.value):
        assert abs(float(value) - expected) < 1e-6, (weight.path, float(value))
for _ in range(4):
    seen = step(tf.constant([1.0, 1.0]))
for value in strategy.experimental_local_results(layer.probability.value):
    assert abs(float(value) - 0.4) < 1e-6, float(value)
print("replicas agree")
"""


def test_replicas_share_one_probability(script, tmp_path):
    (tmp_path / "replicas.py").write_text(REPLICAS)
    done = script(tmp_path / "replicas.py", PYTHONPATH=str(ROOT))
    assert "replicas agree" in done.stdout, done.stderr[-2000:]
