from functools import partial
from itertools import pairwise

import keras
import numpy as np
import pytest
import tensorflow as tf

from losses import adversarial
from models.gan import GAN
from models.networks import projected, vgg
from training import checkpoint


@pytest.fixture(scope="module")
def random_vgg():
    """VGG16 with random weights, in place of ImageNet's."""
    network = keras.applications.VGG16(include_top=False, weights=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vgg, "pretrained", lambda *_: network)
        yield network


def pictures(num: int = 4, channels: int = 3) -> tf.Tensor:
    return tf.random.stateless_uniform([num, 32, 32, channels], (1, 2), -1, 1)


def test_four_discriminators_of_the_authors_shapes(random_vgg):
    network = projected.discriminator((256, 256, 3))
    kernels = {layer.name: tuple(layer.kernel.shape) for layer in network.layers if hasattr(layer, "kernel")}
    # SingleDisc of 64, 64, 128 and 256 channels: down to 512, by as many blocks as there are halvings left.
    blocks = {0: (64, 64, 128, 256, 512), 1: (64, 128, 256, 512), 2: (128, 256, 512), 3: (256, 512)}
    expected = {}
    for i, channels in blocks.items():
        for k, pair in enumerate(pairwise(channels)):
            expected[f"look_{i}_{len(channels) - 2 - k}"] = (4, 4, *pair)
        expected[f"look_{i}"] = (4, 4, 512, 1)
    assert kernels == expected
    # VGG16's maps of 128 to 16 px, doubled and halved again: 16 px, of which a window of 4 has 13 places each way.
    assert network.output.shape == (None, 4 * 13**2)


def test_of_small_pictures_the_last_blocks_stay(random_vgg):
    network = projected.discriminator((32, 32, 3), width=4)
    channels = {layer.name: layer.kernel.shape[-1] for layer in network.layers if hasattr(layer, "kernel")}
    # Maps of 32, 16, 8 and 4 px: each down to 4 px, the last time to 8 times the width.
    assert channels == {
        "look_0_2": 8, "look_0_1": 16, "look_0_0": 32, "look_0": 1, "look_1_1": 16, "look_1_0": 32, "look_1": 1,
        "look_2_0": 32, "look_2": 1, "look_3": 1,
    }  # fmt: skip


def test_mixtures_are_random_and_the_same_for_a_seed(random_vgg):
    encoder = projected.encoder("vgg16", 32, None)
    first, again, other = (projected.mixtures(encoder, 4, seed)(pictures()) for seed in (0, 0, 1))
    assert [tuple(x.shape[1:]) for x in first] == [(32, 32, 4), (16, 16, 4), (8, 8, 8), (4, 4, 16)]
    for one, two, three in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one, two)
        assert not np.allclose(one, three)
    # By hand: the deepest features, mixed, doubled with corners on corners, mixed again.
    deep = encoder(pictures())[3].numpy()
    network = projected.mixtures(encoder, 4, 0)
    (one, one_bias), (two, two_bias) = (
        [weight.numpy() for weight in network.get_layer(name).weights]
        for name in ("mix_channels_3", "mix_scales_3_out")
    )
    mixed = deep @ one[0, 0] + one_bias
    assert mixed.shape[1] == 2  # to 4: at 0, 1/3, 2/3 and 1
    place = (2 * mixed[:, 0, 0] + mixed[:, 1, 0]) / 3 * 2 / 3 + (2 * mixed[:, 0, 1] + mixed[:, 1, 1]) / 3 / 3
    np.testing.assert_allclose(first[3][:, 1, 1], place @ two[0, 0] + two_bias, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(first[3][:, 3, 0], mixed[:, 1, 0] @ two[0, 0] + two_bias, rtol=1e-3, atol=1e-5)
    for weights, bias, fan_in in ((one, one_bias, deep.shape[-1]), (two, two_bias, 32)):
        bound = 1 / np.sqrt(fan_in)
        assert np.abs(weights).max() <= bound and np.abs(bias).max() <= bound and np.abs(bias).max() > 0
        np.testing.assert_allclose(weights.std(), bound / np.sqrt(3), rtol=0.1)  # PyTorch's uniform


def test_what_is_frozen_is_neither_trained_nor_in_checkpoints(random_vgg):
    def generator(image_shape, latent_dim):
        latent = keras.Input((latent_dim,))
        image = keras.layers.Reshape(image_shape)(keras.layers.Dense(32 * 32 * 3, activation="tanh")(latent))
        return keras.Model(latent, image)

    judge = partial(projected.discriminator, width=2)
    gan = GAN(generator, judge, image_shape=(32, 32, 3), latent_dim=4)
    losses = adversarial.hinge_generator_loss, adversarial.hinge_discriminator_loss
    gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), *losses)
    features = [weight.numpy() for weight in random_vgg.weights]
    before = [variable.numpy() for variable in gan.generator.trainable_variables]
    gan.train_step({"image": pictures()})
    assert all(
        np.array_equal(*pair) for pair in zip(features, [w.numpy() for w in random_vgg.weights], strict=True)
    )
    moved = [np.abs(new - old).max() for new, old in zip(gan.generator.trainable_variables, before, strict=True)]
    assert max(moved) > 0  # gradients came through
    kept = sum(int(np.prod(variable.shape)) for variable in checkpoint.variables(gan))
    assert kept < 300_000 and sum(w.numpy().size for w in random_vgg.weights) > 14_000_000


def test_labels_move_all_logits_of_one_channel_pictures(random_vgg):
    network = projected.discriminator((32, 32, 1), width=2, num_classes=3, condition="projection")
    images, label = pictures(6, 1), tf.range(6) % 3
    change = network([images, label]) - network([images, (label + 1) % 3])
    assert change.shape == (6, 4) and np.abs(change).min() > 0


@pytest.mark.slow
def test_sentences_move_all_logits(random_vgg):
    network = projected.discriminator((32, 32, 1), width=2, num_classes=3, condition="text")
    found = network([tf.repeat(pictures(1, 1), 3, axis=0), tf.eye(3)])
    assert found["logits"].shape == found["mismatched_logits"].shape and found["sentence"].shape == (3, 3)
    assert np.abs(found["logits"] - found["mismatched_logits"]).min() > 0
    np.testing.assert_allclose(
        found["mismatched_logits"], np.roll(found["logits"], 1, axis=0), rtol=1e-4, atol=1e-5
    )


@pytest.mark.slow
def test_efficientnet_sees_colours_as_it_learned_to(tmp_path):
    reference = keras.applications.EfficientNetB0(include_top=False, weights=None)
    mean, deviation = projected.IMAGENET
    # ImageNet's file has the colours' mean, and their deviation for a variance.
    normalization = next(layer for layer in reference.layers if layer.name.startswith("normalization"))
    normalization.adapt_mean.assign(mean)
    normalization.adapt_variance.assign(deviation)
    path = tmp_path / "b0.weights.h5"
    reference.save_weights(path)
    images = tf.random.stateless_uniform([2, 64, 64, 3], (1, 2), -1, 1)
    found = projected.encoder("efficientnet_b0", 64, path)(images)
    assert [tuple(x.shape[1:]) for x in found] == [(16, 16, 24), (8, 8, 40), (4, 4, 112), (2, 2, 320)]
    stem = keras.Model(normalization.output, reference.get_layer("block2b_add").output)
    expected = stem(((images + 1) / 2 - mean) / deviation)
    np.testing.assert_allclose(found[0], expected, rtol=1e-3, atol=1e-4)


def test_refuses_what_does_not_fit(random_vgg):
    with pytest.raises(ValueError, match="64 px"):
        projected.discriminator((32, 32, 3), features="efficientnet_b0")
    with pytest.raises(ValueError, match="concat"):
        projected.discriminator((32, 32, 3), num_classes=2, condition="concat")
