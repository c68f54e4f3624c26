import keras
import numpy as np
import pytest

from models import saved
from training.errors import GessoError


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
    toy(conditional).save(tmp_path / "generator.keras")
    generator = saved.load(tmp_path / "generator.keras")
    assert saved.latent_dim(generator) == 3
    assert saved.is_conditional(generator) == conditional
    latents = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    labels = np.array([0, 1, 2, 0, 1, 2, 1]) if conditional else None
    images = saved.draw(generator, latents, labels, batch_size=3)
    assert images.dtype == np.float32
    expected = latents + np.eye(3)[labels] if conditional else latents
    np.testing.assert_allclose(images[:, 0, :, 0], expected, rtol=1e-6)


def test_what_is_no_generator_is_refused(tmp_path):
    (tmp_path / "text.keras").write_text("no")
    for name in ("text.keras", "missing.keras"):
        with pytest.raises(GessoError, match=name):
            saved.load(tmp_path / name)
