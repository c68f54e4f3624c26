"""What models with words need besides: a data set that says something, and a text encoder of their own."""

import logging
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from core import distribution
from core.config import compose, options_that
from core.errors import GessoError
from core.network_file import find_network, read_metadata
from core.resume import begin
from core.run import Run
from data import Dataset

if TYPE_CHECKING:
    from models.words import Words

log = logging.getLogger(__name__)


def reads(config: DictConfig) -> bool:
    """Says whether the model learns from what is said of pictures."""
    return config.model.get("condition") == "text"


def asked_of_data(config: DictConfig) -> dict[str, Any]:
    """Returns what a data set is to be loaded with besides.

    Raises `GessoError` for one that says nothing, and where words are asked for that nobody would read.
    """
    if not reads(config):
        if config.dataset.get("text"):
            raise GessoError("dataset.text=true has no effect: this model= reads words with model.condition=text.")
        if config.model.get("words") is not None:
            raise GessoError("model.words= has no effect without model.condition=text.")
        return {}
    if config.model.get("start") is not None:
        raise GessoError("model.start= goes on from networks with labels or none; words have to be learned anew.")
    if "text" not in config.dataset:
        fitting = options_that("dataset", lambda other: "text" in other)
        raise GessoError(
            f"This model= learns from words, of which this dataset= has none. {', '.join(fitting)} have."
        )
    return {"text": True}


def ready(config: DictConfig, run: Run, dataset: Dataset, writes: bool = True) -> "Words | None":
    """Returns the text encoder of a GAN that takes sentences, which lies in its run; None for all others.

    It is a copy of the one that `model.words` names, made anew until the run has a checkpoint; where it names none,
    one is trained first, for `model.words_steps` steps. Of several processes that train together one `writes` the
    copy, and none trains one.
    Raises `GessoError` for one that is none, and `Stopped` as `loop.fit`.
    """
    if not reads(config) or "words" not in config.model:
        return None
    from models import trained
    from models.words import Words
    from training import checkpoint, data_record, loop

    own, path = run.words, run.words.network("text_encoder")
    if config.model.words is not None and not (run.has_checkpoints and path.is_file()):
        given = find_network(config.model.words, "model.words", ["text_encoder"])
        if not writes:
            return Words.load(given, dataset.captions)
        trained.save(trained.load_network(given), path, read_metadata(given))
    if config.model.words is None and config.trainer.strategy == "multi_worker":
        raise GessoError("trainer=multi_worker: train a text encoder first, and name it in model.words=.")
    if config.model.words is None:
        settings = _settings(config, len(dataset))
        if not path.is_file() or own.saved()[-1:] != [own.checkpoint(settings.steps)]:
            encoder = loop.make(settings, dataset, config.seed)
            known = data_record.words_of(encoder)
            data_record.check(run, dataset, conditional=False, words=known)
            data_record.write(run, dataset, known)
            begin(config, run)  # an interrupted run goes on from here
            log.info("No model.words= is given: a text encoder is trained first, %d steps.", settings.steps)
            checkpoint.restore(own, encoder)
            loop.fit(loop.Training(own, settings, dataset, "text_encoder", config.seed), encoder, settings.steps)
    return Words.load(path, dataset.captions)


def _settings(config: DictConfig, num: int) -> DictConfig:
    """Returns the configuration of the text encoder of a GAN."""
    settings = compose("train", ["model=text_encoder"])
    for key in (
        "image_size", "seed", "precision", "trainer", "dataset", "cache_dir", "log_every", "checkpoint_every",
        "keep_checkpoints",
    ):  # fmt: skip
        settings[key] = config[key]
    settings.steps = settings.sample_every = config.model.words_steps
    kind = config.trainer.strategy
    devices = 1 if kind == "one" else distribution.strategy(kind).num_replicas_in_sync
    settings.batch_size = min(settings.batch_size, num) // devices * devices
    return settings
