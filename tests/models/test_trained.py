import keras
import numpy as np
import pytest

from core.errors import GessoError
from core.images import to_uint8
from core.network_metadata import Geometry, Metadata
from models import trained
from models.networks.transform_net import transformer

STYLIZER = Metadata("stylizer", "fast", styles=("1",), geometry=Geometry(4, 28))


def toy(conditional: bool) -> keras.Model:
    """Latents as 1x3 pictures, plus the label."""
    latent = keras.Input((3,), name="latent")
    image = keras.layers.Reshape((1, 3, 1))(latent)
    if not conditional:
        return keras.Model(latent, image)
    label = keras.Input((), dtype="int32", name="label")
    embedded = keras.layers.Embedding(5, 3, embeddings_initializer="identity")(label)
    return keras.Model([latent, label], image + keras.layers.Reshape((1, 3, 1))(embedded))


@pytest.mark.parametrize("conditional", [False, True])
def test_a_saved_generator_draws_what_it_is_asked(conditional, tmp_path):
    metadata = Metadata("generator", classes=tuple("abcde") if conditional else ())
    trained.save(toy(conditional), tmp_path / "generator.keras", metadata)
    generator, found = trained.load(tmp_path / "generator.keras", "generator")
    assert found == metadata
    assert trained.latent_dim(generator) == 3
    latents = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    labels = np.array([0, 1, 2, 0, 1, 2, 1]) if conditional else None
    images = trained.draw(generator, latents, labels, batch_size=3)
    assert images.dtype == np.float32
    expected = latents + np.eye(3)[labels] if conditional else latents
    np.testing.assert_allclose(images[:, 0, :, 0], expected, rtol=1e-6)


def test_nan_is_no_picture():
    with pytest.raises(GessoError, match="NaN or infinite"):
        trained.draw(toy(False), np.full((2, 3), np.nan, np.float32), kept=to_uint8)


def test_what_is_no_generator_is_refused(tmp_path):
    (tmp_path / "text.keras").write_text("no")
    trained.save(toy(False), tmp_path / "unlabelled.keras", Metadata("generator", classes=("a", "b")))
    trained.save(transformer(width=4, blocks=1), tmp_path / "stylizer.keras", STYLIZER)
    toy(False).save(tmp_path / "plain.keras")
    for name in ("text.keras", "missing.keras", "unlabelled.keras", "stylizer.keras", "plain.keras"):
        with pytest.raises(GessoError, match=name):
            trained.load(tmp_path / name, "generator")


def test_a_network_goes_on_from_another(tmp_path):
    first = transformer(width=4, blocks=1)
    trained.save(first, tmp_path / "stylizer.keras", STYLIZER)
    other = transformer(width=4, blocks=1)
    assert not np.array_equal(other.get_weights()[0], first.get_weights()[0])
    trained.take_over(trained.stylizer_of(tmp_path), other)
    for one, two in zip(first.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    with pytest.raises(GessoError, match="other sizes"):
        trained.take_over(first, transformer(width=4, blocks=2))
    assert trained.stylizer_of(None) is None
    with pytest.raises(GessoError, match=r"model.start=.*there is no"):
        trained.stylizer_of(tmp_path / "nowhere")


def test_networks_compute_in_the_precision_of_here_not_of_where_they_were_trained(tmp_path):
    keras.utils.set_random_seed(0)
    plain = transformer(width=4, blocks=1)
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        mixed = transformer(width=4, blocks=1)
        mixed.set_weights(plain.get_weights())
        trained.save(mixed, tmp_path / "stylizer.keras", STYLIZER)
    finally:
        keras.config.set_dtype_policy(before)
    image = np.random.default_rng(0).uniform(-1, 1, (1, 32, 32, 3)).astype(np.float32)
    assert not np.array_equal(mixed(image), plain(image))
    np.testing.assert_array_equal(trained.load(tmp_path / "stylizer.keras", "stylizer")[0](image), plain(image))


def test_a_classifier_is_one_of_these_pictures_and_classes(tmp_path):
    image = keras.Input((8, 8, 3))
    keras.Model(image, keras.layers.Dense(4)(keras.layers.Flatten()(image))).save(tmp_path / "c.keras")
    pooled = keras.layers.GlobalAveragePooling2D()
    anything = keras.Input((None, None, 3))
    keras.Model(anything, pooled(anything)).save(tmp_path / "any.keras")
    toy(True).save(tmp_path / "generator.keras")
    assert trained.load_classifier(tmp_path / "c.keras", (8, 8, 3), 4).output_shape == (None, 4)
    trained.load_classifier(tmp_path / "c.keras", (8, 8, 3))
    trained.load_classifier(tmp_path / "any.keras", (9, 7, 3), 3)
    for name, shape, classes, words in (
        ("c", (16, 16, 3), None, "takes pictures of 8x8x3, and these are of 16x16x3"),
        ("c", (8, 8, 3), 10, "knows 4 classes, and these pictures have 10"),
        ("generator", (8, 8, 3), None, "is none"),
    ):
        with pytest.raises(GessoError, match=words):
            trained.load_classifier(tmp_path / f"{name}.keras", shape, classes)
