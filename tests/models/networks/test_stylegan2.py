"""StyleGAN2: its authors' parameter counts, labels, truncation, a run that is resumed."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from core.errors import GessoError
from core.run import Run
from losses import adversarial
from losses.penalties import Penalty, r1
from models import directions, latent, trained
from models.gan import GAN
from models.networks import stylegan2
from models.path_length import PathLength
from training import checkpoint

# What the authors' code prints of its layers (print_module_summary): github.com/open-mmlab/mmgeneration/issues/394
# and NVlabs/stylegan2-ada-pytorch/issues/181, "Parameters".
GENERATOR = {
    "b4": 2622465 + 264195 + 8192,
    "b8 to b64": 4 * (2622465 + 2622465 + 264195),
    "b128": 1442561 + 721409 + 132099,
    "b256": 426369 + 213249 + 66051,
}
DISCRIMINATOR = {
    "b256": 512 + 32768 + 147584 + 295168,
    "b128": 131072 + 590080 + 1180160,
    "b64 to b8": 4 * (262144 + 2359808 + 2359808),
    "b4": 2364416 + 4194816 + 513,
}


def count(network: keras.Model) -> int:
    return sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)


def test_parameters_are_those_of_the_authors_configuration_f(monkeypatch):
    zeros = keras.initializers.Zeros()  # drawing 60 million numbers takes longer than all else
    monkeypatch.setattr(keras.initializers.RandomNormal, "__call__", lambda self, *a, **o: zeros(*a, **o))
    made = stylegan2.generator((256, 256, 3), fmaps=1.0)
    assert count(made.get_layer("mapping")) == 8 * 262656
    assert count(made) == 8 * 262656 + sum(GENERATOR.values()) == 30034338
    assert made.get_layer("mapping").output_shape == (None, 14, 512)
    assert count(stylegan2.discriminator((256, 256, 3), fmaps=1.0)) == sum(DISCRIMINATOR.values()) == 28864129


def test_channels_by_size_are_those_of_auto():
    at_256 = [stylegan2.channels_at(r, 256, 512) for r in (4, 32, 64, 128, 256)]
    assert at_256 == [512, 512, 256, 128, 64]
    assert [stylegan2.channels_at(r, 512, 512) for r in (64, 128, 512)] == [512, 256, 64]
    assert stylegan2.channels_at(64, 64, 1) == 1


def networks(condition="none", **options):
    labels = {"num_classes": 3, "condition": condition} if condition != "none" else {}
    small = {"image_shape": (8, 8, 1), "width": 4, **labels}
    return (
        stylegan2.generator(latent_dim=6, mapping_layers=2, **small, **options),
        stylegan2.discriminator(**small),
    )


@pytest.fixture(scope="module")
def generator() -> keras.Model:
    keras.utils.set_random_seed(0)
    made, _ = networks()
    for _ in range(2):
        made(tf.random.stateless_normal([16, 6], (1, 2)), training=True)
    return made


def test_a_generator_is_a_function_of_its_latent_but_in_training(generator):
    latents = latent.sample(0, 5, 6)
    images = generator(latents).numpy()
    assert images.shape == (5, 8, 8, 1) and abs(images).max() <= 1
    np.testing.assert_allclose(images[3:], generator(latents[3:]), atol=1e-6)
    in_training = generator(np.repeat(100 * latents, 50, axis=0), training=True).numpy()
    assert abs(in_training).max() > 1  # the authors' are any number


def test_truncation_moves_pictures_towards_the_average_styles(generator):
    latents, styles = latent.sample(0, 8, 6), generator.get_layer("mapping").get_layer("styles")
    everywhere = np.tile(styles.average.numpy(), (1, 4, 1))
    mean = generator.get_layer("synthesis")(everywhere).numpy()
    distances = []
    try:
        for truncation in (1.0, 0.5, 0.25, 1e-6):
            assert trained.truncate(generator, truncation) is None  # nothing is left to do for the latents
            distances.append(abs(trained.drawer(generator)(latents, None) - mean).mean())
    finally:
        trained.truncate(generator, 1.0)
    assert distances == sorted(distances, reverse=True) and distances[0] > 0.01 > 1e-4 > distances[-1]
    assert trained.truncate(generator, None) is None
    plain = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    assert trained.truncate(plain, 0.5) == 0.5 and trained.truncate(plain, 2.0) == 2.0
    with pytest.raises(GessoError, match=r"truncation=1\.5"):
        trained.truncate(generator, 1.5)


def test_directions_are_those_of_the_mapping_network():
    for condition in ("concat", "projection"):
        made, _ = networks(condition)
        for find in (directions.sefa, directions.ganspace):
            found = find(made, 2)
            assert found.shape == (2, 6)
            np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
        # What GANSpace looks at is each latent's own style, and not that which is mixed in.
        mapping = made.get_layer("mapping")
        early = keras.Model(mapping.inputs, directions._first_block(mapping))
        latents, labels = latent.sample(0, 4, 6), np.zeros(4, np.int32)
        own = early([latents, labels]).numpy()
        np.testing.assert_allclose(early([latents[[0, 2, 1, 3]], labels]), own[[0, 2, 1, 3]], atol=1e-5)
        assert np.abs(own[0] - own[1]).max() > 1e-3


@pytest.mark.parametrize("condition", ["none", "concat", "projection", "text"])
def test_latents_alone_have_no_length(condition):
    """What is joined to them has: a label's one is not made smaller by a long latent."""
    made, _ = networks(condition)
    mapping, latents = made.get_layer("mapping"), latent.sample(0, 4, 6)
    given = (
        [np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]] if condition == "text" else [np.arange(4, dtype=np.int32) % 3]
    )
    short, long = (np.asarray(mapping([z, *given] if condition != "none" else z)) for z in (latents, 7 * latents))
    np.testing.assert_allclose(short, long, rtol=1e-4, atol=1e-5)
    if condition == "text":
        assert directions._first(mapping).name == "map_0" and directions.sefa(made, 2).shape == (2, 6)


def test_labels_matter_to_both():
    keras.utils.set_random_seed(0)
    generator, discriminator = networks("projection")
    latents, images = latent.sample(0, 4, 6), tf.random.stateless_uniform([4, 8, 8, 1], (1, 2), -1, 1)
    for network, values in ((generator, latents), (discriminator, images)):
        zeros, ones = (network([tf.constant(values), tf.fill([4], label)]).numpy() for label in (0, 1))
        assert abs(zeros - ones).max() > 1e-3
    assert discriminator([images, tf.range(4) % 3]).shape == (4,)


def make() -> GAN:
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    options = {"width": 4, "image_shape": (8, 8, 1)}
    model = GAN(
        lambda **a: stylegan2.generator(**a | options, mapping_layers=1),
        lambda **a: stylegan2.discriminator(**a | options),
        image_shape=(8, 8, 1),
        latent_dim=6,
        ema_kimg=0.01,
    )
    model.compile(
        keras.optimizers.Adam(2.5e-3, beta_1=0.0, beta_2=0.99),
        keras.optimizers.Adam(2.5e-3, beta_1=0.0, beta_2=0.99),
        adversarial.non_saturating_generator_loss,
        adversarial.non_saturating_discriminator_loss,
        penalties={"r1": Penalty(r1, 0.1)},
        generator_penalties={"path_length": Penalty(PathLength(), 2.0)},
    )
    return model


DATA = {"image": tf.random.stateless_uniform([4, 8, 8, 1], (1, 2), -1, 1)}


def test_a_run_that_goes_on_from_a_checkpoint_is_the_same(tmp_path):
    straight = make()
    straight.train_step(DATA)
    checkpoint.save(Run(tmp_path), straight, keep=1)
    means = straight.train_step(DATA)
    assert float(means["path_length_penalty"]) > 0 and float(means["r1_penalty"]) > 0
    again = make()
    assert checkpoint.restore(Run(tmp_path), again) == 1
    again.train_step(DATA)
    names = [variable.path for variable in checkpoint.variables(straight)]
    assert {"path_length/mean", "styles/average"} <= set(names)
    for one, other in zip(checkpoint.variables(straight), checkpoint.variables(again), strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy(), err_msg=one.path)
    assert float(straight.kept[0].mean.value) > 0
    # The export is read as any generator's is.
    straight.exports["generator"].save(tmp_path / "g.keras")
    latents = latent.sample(0, 3, 6)
    expected = straight.ema(latents, training=False)
    np.testing.assert_array_equal(trained.load_network(tmp_path / "g.keras")(latents), expected)
