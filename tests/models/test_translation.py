"""The systems of translation: single steps on tiny networks."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from core.errors import GessoError
from losses import adversarial, reconstruction
from losses.penalties import Penalty, r1
from models.adain import AdaIN
from models.content_style_gan import ContentStyleGAN
from models.cyclegan import CycleGAN
from models.image_pool import ImagePool
from models.networks import patchgan, srresnet, unet
from models.networks.transform_net import transformer
from models.pix2pix import Pix2Pix
from models.preview import fit_to
from models.srgan import SRGAN
from training.schedules import ConstantThenLinear

random = np.random.default_rng(0)


def pictures(*shape: int) -> tf.Tensor:
    return tf.constant(random.uniform(-1, 1, shape), tf.float32)


def compiled(model, loss="least_squares", learning_rate=1e-3, **options):
    model.compile(
        keras.optimizers.Adam(learning_rate),
        keras.optimizers.Adam(learning_rate),
        getattr(adversarial, f"{loss}_generator_loss"),
        getattr(adversarial, f"{loss}_discriminator_loss"),
        **options,
    )
    return model


def pix2pix(**options) -> Pix2Pix:
    keras.utils.set_random_seed(0)
    return Pix2Pix(
        lambda **shapes: unet.generator(**shapes, width=4, dropout=0.0),
        lambda **shapes: patchgan.discriminator(**shapes, width=4, receptive_field=16),
        (32, 32, 3), (32, 32, 1), **options,
    )  # fmt: skip


def test_translators_go_on_from_others_of_their_kind():
    """With the start's weights, generator and average alike; one of other pictures is refused."""
    first = pix2pix().generator
    for weight in first.weights:
        weight.assign(weight + 1)
    model = pix2pix(start=first)
    for network in (model.generator, model.ema):
        for one, other in zip(first.get_weights(), network.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    with pytest.raises(GessoError, match="other sizes"):
        pix2pix(start=srresnet.generator((32, 32, 3), (8, 8, 3), width=4, blocks=1))


def test_pix2pix_counts_the_error_of_holes_alone():
    target, holes = pictures(2, 32, 32, 3), np.zeros((2, 32, 32, 1), np.float32)
    holes[0, 4:12, 8:20] = 1
    keras.utils.set_random_seed(0)
    model = Pix2Pix(
        lambda **shapes: unet.generator(**shapes, width=4),
        lambda **shapes: patchgan.discriminator(**shapes, width=4, receptive_field=16),
        (32, 32, 3), (32, 32, 4),
    )  # fmt: skip
    source = tf.concat([target * (1 - holes), holes], axis=-1)
    before = model.generator(source, training=True).numpy()
    loss = float(compiled(model).train_step({"source": source, "target": target})["l1_loss"])
    assert loss == pytest.approx(abs(before - target.numpy())[0, 4:12, 8:20].mean(), rel=1e-5)
    assert float(reconstruction.l1(target, target + 1, tf.zeros_like(holes))) == 0


@pytest.mark.parametrize("loss", ["hinge", "relativistic"])
def test_pix2pix_learns_its_pairs(loss):
    model = compiled(pix2pix(), loss)
    data = {"source": pictures(2, 32, 32, 1), "target": pictures(2, 32, 32, 3) * 0.5}
    step = tf.function(model.train_step, autograph=False)
    first = float(step(data)["l1_loss"])
    for _ in range(30):
        model.reset_metrics()
        last = step(data)
    assert float(last["l1_loss"]) < 0.92 * first
    assert all(np.isfinite(float(value)) for value in last.values())
    rows = model.preview({"source": data["source"].numpy(), "target": data["target"].numpy()}, columns=2)
    assert rows.shape == (6, 32, 32, 3)
    np.testing.assert_allclose(rows[2:4], model.ema(data["source"], training=False), atol=1e-6)
    np.testing.assert_array_equal(rows[4:], data["target"])


def test_fit_to():
    grey, small, masked = pictures(2, 8, 8, 1), pictures(2, 4, 4, 3), pictures(2, 8, 8, 4)
    np.testing.assert_array_equal(fit_to(grey, (2, 8, 8, 3)), tf.repeat(grey, 3, -1))
    np.testing.assert_array_equal(fit_to(small, (2, 8, 8, 3))[:, ::2, ::2], small)
    np.testing.assert_array_equal(fit_to(masked, (2, 8, 8, 3)), masked[..., :3])


def test_history_keeps_and_swaps():
    history = ImagePool((1, 1, 1), size=4)
    given = [history(tf.fill([2, 1, 1, 1], float(i)), tf.constant([1, i])).numpy().ravel() for i in range(40)]
    np.testing.assert_array_equal(np.concatenate(given[:2]), [0, 0, 1, 1])  # while it fills, what it is given
    same = [value == i for i, pair in enumerate(given) if i >= 2 for value in pair]
    assert 0.3 < np.mean(same) < 0.7
    assert all(value <= i for i, pair in enumerate(given) for value in pair)
    assert (np.ravel(history.pictures) > 1).all()  # of those that came first none is left, after so many
    again = ImagePool((1, 1, 1), size=4)
    for i in range(40):
        repeated = again(tf.fill([2, 1, 1, 1], float(i)), tf.constant([1, i])).numpy().ravel()
        np.testing.assert_array_equal(repeated, given[i])
    assert {variable.path.split("/")[-1] for variable in history.variables} == {"pictures", "count"}


def test_cyclegan_cycles_close():
    keras.utils.set_random_seed(0)
    model = compiled(
        CycleGAN(
            lambda: transformer(width=4, blocks=1, edge=7),
            lambda **shape: patchgan.discriminator(**shape, width=4, receptive_field=16, normalization="instance"),
            (32, 32, 3), pool_size=3,
        ),
        learning_rate=2e-3,
    )  # fmt: skip
    data = {"a": pictures(2, 32, 32, 3) * 0.3 + 0.5, "b": pictures(2, 32, 32, 3) * 0.3 - 0.5}
    step = tf.function(model.train_step, autograph=False)
    first = {name: float(value) for name, value in step(data).items()}
    for _ in range(40):
        model.reset_metrics()
        last = step(data)
    assert float(last["cycle_loss"]) < 0.7 * first["cycle_loss"]
    assert float(last["identity_loss"]) < 0.7 * first["identity_loss"]
    rows = model.preview({name: value.numpy() for name, value in data.items()}, columns=2)
    assert rows.shape == (12, 32, 32, 3)
    to = {"a": model.ema_b_to_a, "b": model.ema_a_to_b}
    for half, one, other in ((rows[:6], "a", "b"), (rows[6:], "b", "a")):
        np.testing.assert_array_equal(half[:2], data[one])
        np.testing.assert_allclose(half[2:4], to[other](half[:2], training=False), atol=1e-5)
        np.testing.assert_allclose(half[4:], to[one](half[2:4], training=False), atol=1e-5)
    with pytest.raises(ValueError, match="relativistic"):
        compiled(model, "relativistic")


def test_cyclegan_judges_what_is_augmented():
    """Reals, fakes of the pool and new ones, of both kinds, with draws of their own; grey ones are all the same."""
    seen = []

    class Grey:
        policy = ("grey",)

        def __call__(self, images, seed, step):
            seen.append((tuple(seed.numpy()), images.shape[0], int(step)))
            return 0 * images + 0.5

    model = compiled(
        CycleGAN(
            lambda: transformer(width=2, blocks=1, edge=7),
            lambda **shape: patchgan.discriminator(**shape, width=2, receptive_field=16, normalization="none"),
            (16, 16, 3), augmentation=Grey(),
        )
    )  # fmt: skip
    logs = model.train_step({"a": pictures(2, 16, 16, 3), "b": pictures(2, 16, 16, 3)})
    assert len(seen) == len({seed for seed, *_ in seen}) == 6
    assert float(logs["discriminator_accuracy"]) == 0.5


def test_srgan_changes_its_aim(vgg_weights):
    keras.utils.set_random_seed(0)
    model = compiled(
        SRGAN(
            lambda **shapes: srresnet.generator(**shapes, width=4, blocks=1),
            lambda image_shape: srresnet.discriminator(image_shape, width=2),
            (32, 32, 3), (8, 8, 3), pretrain_steps=2, content_layer="block2_conv1", weights=vgg_weights,
        ),
        "non_saturating",
    )  # fmt: skip
    data = {"source": pictures(2, 8, 8, 3), "target": pictures(2, 32, 32, 3)}
    step = tf.function(model.train_step, autograph=False)
    judge = [variable.numpy() for variable in model.discriminator.trainable_variables]
    for _ in range(2):
        logs = step(data)
        assert float(logs["content_loss"]) == float(logs["discriminator_loss"]) == 0
    for variable, value in zip(model.discriminator.trainable_variables, judge, strict=True):
        np.testing.assert_array_equal(variable, value)
    model.reset_metrics()
    logs = step(data)
    assert float(logs["content_loss"]) > 0 and float(logs["discriminator_loss"]) > 0
    assert not np.array_equal(model.discriminator.trainable_variables[0], judge[0])
    assert not any("block" in v.path and "conv" in v.path for v in model.discriminator.variables)
    rows = model.preview({name: value.numpy() for name, value in data.items()}, columns=2)
    assert rows.shape == (6, 32, 32, 3) and abs(rows).max() <= 1
    np.testing.assert_array_equal(rows[:2, ::4, ::4], data["source"])
    np.testing.assert_allclose(rows[2:4], np.clip(model.ema(data["source"], training=False), -1, 1), atol=1e-5)
    np.testing.assert_array_equal(rows[4:], data["target"])


@pytest.mark.parametrize("classes", [0, 2])
def test_content_and_style_with_an_adversary(vgg_weights, classes):
    keras.utils.set_random_seed(0)
    model = compiled(
        ContentStyleGAN(
            lambda **shapes: patchgan.discriminator(**shapes, width=4, receptive_field=16, normalization="none"),
            (32, 32, 3), ["block1_conv1", "block2_conv1"], classes, width=4, weights=vgg_weights,
        ),
        "hinge", penalties={"r1": Penalty(r1, 1.0, 1)},
    )  # fmt: skip
    data = {"content": pictures(2, 32, 32, 3), "style": pictures(2, 32, 32, 3), "label": tf.constant([0, 1])}
    encoder = model.painter.stylizer.get_layer("block1_conv1").get_weights()
    step = tf.function(model.train_step, autograph=False)
    first = {name: float(value) for name, value in step(data).items()}
    for _ in range(6):
        model.reset_metrics()
        last = step(data)
    assert float(last["style_loss"]) < first["style_loss"]
    assert all(np.isfinite(float(value)) for value in last.values())
    for value, before in zip(model.painter.stylizer.get_layer("block1_conv1").get_weights(), encoder, strict=True):
        np.testing.assert_array_equal(value, before)


def test_learning_rate_stays_and_falls():
    schedule = ConstantThenLinear(0.2, 1 / 3, 300)
    assert [round(float(schedule(step)), 6) for step in (0, 100, 200, 300, 400)] == [0.2, 0.2, 0.1, 0.0, 0.0]


def test_objectives_that_a_system_does_not_have_are_refused():
    with pytest.raises(ValueError, match="pix2pix does not take this objective: weight_clipping"):
        compiled(pix2pix(), "wasserstein", weight_clipping=0.01)


@pytest.mark.slow
def test_pix2pix_learns_two_facades_by_heart(test_data, tmp_path):
    """From label maps to photos, at a small width: the mean absolute error falls below 0.05."""
    from data import paired

    root = test_data / "facades"
    if not root.is_dir():
        pytest.skip(f"no {root}")
    dataset = paired.load(
        str(root), 32, str(tmp_path), direction="backward", split="train", crop="center", flip=False, limit=2
    )
    keras.utils.set_random_seed(0)
    model = Pix2Pix(
        lambda **shapes: unet.generator(**shapes, width=16, upsampling="resize"),
        lambda **shapes: patchgan.discriminator(**shapes, width=8, receptive_field=16),
        dataset.spec.image_shape, dataset.spec.source_shape,
    )  # fmt: skip
    compiled(model, "non_saturating", learning_rate=2e-3)
    data = {name: tf.constant(images) for name, images in dataset.examples(2).items()}
    step = tf.function(model.train_step, autograph=False)
    for _ in range(500):
        model.reset_metrics()
        if float(step(data)["l1_loss"]) < 0.04:
            break
    image = model.generator(data["source"], training=True)
    error = float(tf.reduce_mean(tf.abs(image - data["target"])))
    assert error < 0.05


def test_adain_weighs_layers_by_their_strength(vgg_weights):
    """A layer whose activations are a hundred times as large, here and there, says as much as before."""
    system = AdaIN(width=4, weights=vgg_weights)
    system.set_losses(["block1_conv1"], content_weight=0.0, style_weight=1.0, gram_weight=2.0)
    random = np.random.default_rng(0)
    picture, style, target = (random.uniform(1, 2, (1, 4, 4, 8)).astype(np.float32) for _ in range(3))

    def loss(scale: float) -> float:
        system.encoder = lambda images, training: {"block1_conv1": scale * picture, "block4_conv1": picture}
        return float(system.losses_of(None, target, {"block1_conv1": scale * style})["style_loss"])

    painted, wanted = ((x.mean((1, 2)), x.std((1, 2))) for x in (picture, style))
    distance = sum(np.square(a - b).mean() for a, b in zip(painted, wanted, strict=True))
    made, aim = (np.einsum("bhwi,bhwj->ij", x, x) / x.size for x in (picture, style))
    apart = np.square(made - aim).mean() / np.square(aim).mean()
    assert loss(1.0) == pytest.approx(distance / np.square(style).mean() + 2 * apart, rel=1e-3)
    assert loss(100.0) == pytest.approx(loss(1.0), rel=1e-3)
