"""What models with words are given: a data set that says something, and a text encoder of their own."""

from types import SimpleNamespace

import numpy as np
import pytest
from hydra import initialize_config_dir
from omegaconf import OmegaConf

from core.cli import ROOT
from core.config import compose
from core.errors import GessoError
from core.network_metadata import Metadata
from core.resume import opened
from core.run import Run
from data import DatasetSpec
from models import trained
from training import checkpoint, data_record, loop, words


@pytest.fixture(scope="module")
def composed():
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield lambda *overrides: compose("train", list(overrides))


def test_data_is_asked_for_words_where_they_are_learned_from(composed):
    assert words.asked_of_data(composed("model=dcgan", "dataset=mnist")) == {}
    assert words.asked_of_data(composed("model=dcgan", "model.condition=text")) == {"text": True}
    assert words.asked_of_data(composed("model=text_encoder")) == {"text": True}
    with pytest.raises(GessoError, match=r"has none\. image_folder, paintings, .*have"):
        words.asked_of_data(composed("model=dcgan", "model.condition=text", "dataset=mnist"))
    with pytest.raises(GessoError, match=r"dataset.text=true has no effect"):
        words.asked_of_data(composed("model=dcgan", "dataset.text=true"))
    with pytest.raises(GessoError, match=r"model.words= has no effect without model.condition=text"):
        words.asked_of_data(composed("model=dcgan", "model.words=run"))
    with pytest.raises(GessoError, match=r"model.start= goes on from networks with labels"):
        words.asked_of_data(composed("model=dcgan", "model.condition=text", "model.start=somewhere"))


def test_of_several_workers_one_writes(composed, tmp_path, tiny_words):
    given, data = tiny_words(), SimpleNamespace(captions=[["a red circle"], ["a blue square"]])
    file, run, known = tmp_path / "text_encoder.keras", Run(tmp_path / "run"), given.vocabulary
    trained.save(given.network, file, Metadata("text_encoder", words=known.words, sentence_length=known.length))
    several = composed("model=dcgan", "model.condition=text", f"model.words={file}", "trainer=multi_worker")
    found = words.ready(several, run, data, writes=False)
    np.testing.assert_allclose(found.vectors(["a red circle"]), given.vectors(["a red circle"]), atol=1e-6)
    assert not run.folder.exists()
    several.model.words = None
    with pytest.raises(GessoError, match="train a text encoder first"):
        words.ready(several, run, data)


def test_an_encoders_batch_is_shared_by_all_devices(composed, monkeypatch):
    config = composed("model=dcgan", "model.condition=text", "trainer=mirrored", "batch_size=48")
    monkeypatch.setattr(words.distribution, "strategy", lambda kind: SimpleNamespace(num_replicas_in_sync=3))
    assert words._settings(config, 1000).batch_size == 255 and words._settings(config, 200).batch_size == 198


def test_a_run_has_a_text_encoder_of_its_own(composed, tmp_path, tiny_words):
    given, data = tiny_words(), SimpleNamespace(captions=[["a red circle"], ["a blue square"]])
    file = tmp_path / "text_encoder.keras"
    known = given.vocabulary
    trained.save(given.network, file, Metadata("text_encoder", words=known.words, sentence_length=known.length))
    config = composed(
        "model=dcgan", "model.condition=text", f"model.words={file}", "model.width=2", "image_size=32"
    )
    run = Run(tmp_path / "run")
    first = words.ready(config, run, data)
    run.checkpoints.mkdir()
    run.checkpoint(1).touch()
    file.unlink()  # what the run has counts
    again = words.ready(config, run, data)
    expected = given.vectors(["a red circle"])
    for found in (first, again):
        assert found.shown == ("a red circle", "a blue square") and found.dimensions == 6
        np.testing.assert_allclose(found.vectors(["a red circle"]), expected, atol=1e-6)
    spec = SimpleNamespace(image_shape=(32, 32, 3), source_shape=None, num_classes=0, has_text=True)
    model = loop.make(config, SimpleNamespace(spec=spec, captions=data.captions), 1, again)
    assert model.generator.inputs[1].shape == (None, 6)
    assert words.ready(composed("model=dcgan"), run, data) is None
    with pytest.raises(GessoError, match="knows none of the words"):
        words.ready(config, run, SimpleNamespace(captions=[["nothing"]]))


def test_until_there_is_a_checkpoint_the_text_encoder_is_the_one_that_is_named(composed, tmp_path, tiny_words):
    """A start that was refused later has copied one already."""
    data, run = SimpleNamespace(captions=[["a red circle"]]), Run(tmp_path / "run")
    for name in ("a", "b"):
        given, file = tiny_words(), tmp_path / f"{name}.keras"
        known = given.vocabulary
        trained.save(given.network, file, Metadata("text_encoder", words=known.words, sentence_length=known.length))
        found = words.ready(composed("model=dcgan", "model.condition=text", f"model.words={file}"), run, data)
        np.testing.assert_allclose(found.vectors(["a circle"]), given.vectors(["a circle"]), atol=1e-6)


class Said(SimpleNamespace):
    """A data set of which only what is said of it is asked."""

    spec = DatasetSpec("made", ("image",), (16, 16, 3))

    def __len__(self) -> int:
        return len(self.captions)


def test_a_text_encoder_of_other_data_is_not_taken_in_silence(composed, tmp_path, tiny_words, monkeypatch, caplog):
    """The run was stopped while its text encoder was trained, before it had a checkpoint of its own."""
    run, given = Run(tmp_path / "run"), tiny_words()

    def fit(training, model, steps):
        training.run.checkpoints.mkdir(parents=True)
        training.run.checkpoint(steps).touch()
        known = Metadata("text_encoder", words=given.vocabulary.words, sentence_length=given.vocabulary.length)
        trained.save(given.network, training.run.network("text_encoder"), known)

    def begin(config, run):
        run.config.parent.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(config, run.config)

    monkeypatch.setattr(words, "begin", begin)
    monkeypatch.setattr(loop, "make", lambda *arguments: None)
    monkeypatch.setattr(loop, "fit", fit)
    monkeypatch.setattr(checkpoint, "restore", lambda run, model: 0)
    config = composed("model=dcgan", "model.condition=text", "dataset=paintings")
    captions = [["a red circle"], ["a blue square"]]
    words.ready(config, run, Said(captions=captions, fingerprint="1"))
    opened(config, run)
    with pytest.raises(GessoError, match="another configuration: seed was 1, not 2"):
        opened(composed("model=dcgan", "model.condition=text", "dataset=paintings", "seed=2"), run)
    assert not caplog.records
    other = Said(captions=captions, fingerprint="2")
    words.ready(config, run, other)
    data_record.check(run, other, conditional=False)
    assert "or were copied since" in caplog.text
