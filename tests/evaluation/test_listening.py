"""How well a generator does what it is asked for, by a text encoder that listens."""

import keras
import numpy as np
import pytest
from hydra import initialize_config_dir

from core.config import CONF, compose
from core.network_metadata import Metadata
from data import paintings
from evaluation import listening
from models import latent, trained
from models.networks import dcgan, stylegan2

SHAPE = (32, 32, 3)


@pytest.mark.parametrize("architecture", [dcgan, stylegan2])
def test_pictures_are_those_that_generate_makes(architecture, tiny_words, tmp_path):
    """Truncated in the way of the network: by its latents, or by its styles."""
    words = tiny_words(SHAPE)
    what = {"words": words.vocabulary.words, "sentence_length": words.vocabulary.length}
    trained.save(words.network, tmp_path / "reader.keras", Metadata("text_encoder", **what))
    keras.utils.set_random_seed(0)
    options = {"latent_dim": 4, "width": 4, "num_classes": words.dimensions, "condition": "text"}
    network = words.spoken_to(architecture.generator(SHAPE, **options))
    trained.save(network, tmp_path / "g.keras", Metadata("generator", **what))
    with initialize_config_dir(str(CONF), version_base="1.3"):
        overrides = [f"network={tmp_path}/g.keras", f"reader={tmp_path}/reader.keras", "truncation=0.5"]
        overrides += ["dataset=paintings", "dataset.num_images=9", f"cache_dir={tmp_path}", "num=8"]
        config = compose("evaluate", overrides)
    seen = []
    metrics = {
        "kept": {"of": "sentences", "names": ["kept"], "function": lambda found, _: seen.append(found) or 0.0}
    }
    rows, settings = listening.evaluate(config, metrics, tmp_path / "g.keras")
    assert list(rows) == [f"{tmp_path}/g.keras", "painted", "painted, sentences shuffled"]
    assert settings["truncation"] == 0.5 and settings["num"] == 8

    data = paintings.load(32, str(tmp_path), 9, text=True)
    tokens = words.vocabulary.tokens(data.texts(data.drawn(8, config.seed)))
    generator, _ = trained.load(tmp_path / "g.keras", "generator")
    left = trained.truncate(generator, 0.5)
    assert left == (None if architecture is stylegan2 else 0.5)
    pictures = trained.draw(generator, latent.sample(config.seed, 8, 4, left), tokens)
    np.testing.assert_allclose(seen[0], words.look(pictures), atol=1e-5)
