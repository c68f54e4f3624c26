"""How well a generator does what it is asked for, by a text encoder that listens."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from hydra import initialize_config_dir

from core.config import CONF, compose
from core.images import to_float
from core.network_metadata import Metadata
from data import paintings
from evaluation import attributes, listening, subject
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


def test_each_row_has_its_own_pictures_and_sentences(monkeypatch, private_cache):
    """By a reader to whom a sentence's vector is the sentence, and a generator that notes what it is asked for."""
    reader = SimpleNamespace(look=lambda images: images.mean(axis=(1, 2)), vectors=np.array)
    asked, dark = [], np.full((9, 16, 16, 3), -1, np.float32)
    generator = SimpleNamespace(
        vocabulary=SimpleNamespace(tokens=list), size=16,
        batches=lambda num, tokens: asked.append(tokens) or [(dark[:num], None)],
    )  # fmt: skip
    monkeypatch.setattr(listening.Words, "load", lambda path: reader)
    monkeypatch.setattr(subject, "of_generator", lambda config, network: generator)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        overrides = ["dataset=paintings", "dataset.num_images=9", f"cache_dir={private_cache}", "num=8"]
        config = compose("evaluate", [*overrides, "dataset.without=[blue rectangle,purple circle]"])
    given = {"sentences": [], "attributes": []}
    metrics = {
        of: {"of": of, "names": [of], "function": lambda *of_row, kept=kept: kept.append(of_row) or 0.0}
        for of, kept in given.items()
    }
    rows, settings = listening.evaluate(config, metrics, "g.keras")
    painted = ["painted", "painted, sentences shuffled"]
    assert list(rows) == ["g.keras", *painted, "held out", "held out, painted"]
    assert settings["num"] == 8 and settings["num_held_out"] == 2

    data = paintings.load(16, private_cache, 9, text=True, without=config.dataset.without)
    whole = paintings.load(16, private_cache, 9, text=True)
    chosen, left_out = data.drawn(8, config.seed), [1, 2]
    texts, held_out = data.texts(chosen).tolist(), whole.texts(left_out).tolist()
    assert "three blue rectangles" in held_out[0] and "a large purple circle" in held_out[1]
    assert asked == [texts, held_out]
    shown, shown_held_out = to_float(data.images[chosen]), to_float(whole.images[left_out])
    expected = [
        (dark[:8], texts), (shown, texts), (shown, [texts[-1], *texts[:-1]]),
        (dark[:2], held_out), (shown_held_out, held_out),
    ]  # fmt: skip
    for (seen, read), (_, choices), (pictures, said) in zip(*given.values(), expected, strict=True):
        np.testing.assert_allclose(seen, pictures.mean(axis=(1, 2)), atol=1e-6)
        assert read.tolist() == said and list(choices) == list(attributes.GROUPS)
        for name, found in choices.items():
            options = [(i, attributes.alternatives(text, name)) for i, text in enumerate(said)]
            assert [(i, vectors.tolist()) for i, vectors in found] == [(i, some) for i, some in options if some]
