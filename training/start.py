"""Where a training begins: at its run's last checkpoint, at another network (`model.start`), or from nothing."""

import copy
import logging
from pathlib import Path
from types import SimpleNamespace

import keras
from omegaconf import DictConfig, OmegaConf

from core import zoo
from core.config import CONF
from core.errors import GessoError
from core.network_file import find_network
from core.network_metadata import Metadata
from core.run import Run
from data import DatasetSpec
from models import trained
from models.transfer import transfer
from training import checkpoint, loop

log = logging.getLogger(__name__)


def place(run: Run, config: DictConfig, model: keras.Model, classes: tuple[str, ...] = ()) -> None:
    """Brings a new system to where its run is: to the newest checkpoint, or, if there is none, to `model.start`.

    Of a start, what the system says that it goes on from (`Trainable.starts`) takes over the weights; step,
    optimizers and averages' decay begin anew. As many other `classes` take the place of those that it knew, in
    their order, which is said. Raises `GessoError` where it does not fit.
    """
    value = OmegaConf.select(config, "model.start")
    if checkpoint.restore(run, model) or value is None or not model.starts:
        return
    path = find_network(value, "model.start", [config.model.kind])
    generator, metadata = trained.load(path, config.model.kind)
    there, here = len(metadata.classes), model.num_classes
    for name, source in {"generator": generator, "discriminator": discriminator(path, generator, metadata)}.items():
        for network in model.starts[name] if source is not None else ():
            transfer(source, network, there, here)
    labels = "" if there == here else f" It knew {there or 'no'} classes, this one learns {here or 'none'}."
    if there == here and here and metadata.classes != classes:
        labels = f" What it knows of {_some(metadata.classes)} goes over to {_some(classes)}, in this order."
    log.info("Goes on from %s, which trained for %s steps.%s", path, metadata.step, labels)


def without_needless(config: DictConfig, run: Run) -> DictConfig:
    """Returns the configuration to build a system by: where a checkpoint has all weights, one without its start.

    A run that goes on has taken over what it began with, which may be gone.
    """
    if not run.saved() or OmegaConf.select(config, "model.system.start") is None:
        return config
    config = copy.deepcopy(config)
    config.model.start = None
    return config


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + ", ..." * (len(names) > 3)


def discriminator(path: Path, generator: keras.Model, metadata: Metadata) -> keras.Model | None:
    """Returns the discriminator that trained the generator in a file: of its run's checkpoint, or beside it.

    None, and a warning, where there is none.
    """
    here, run = Run(path.parent), Run.of(path)
    if run is not None and here.saved():
        system = _system(run, generator, metadata)
        checkpoint.restore(here, system, weights_alone=True)
        return system.discriminator
    beside = zoo.discriminator(path)
    if beside.is_file():
        return trained.load_network(beside)
    log.warning("There is no discriminator for %s (looked for %s): a new one has all to learn.", path, beside)
    return None


def _system(run: Run, generator: keras.Model, metadata: Metadata) -> keras.Model:
    """Builds the system of a run as its configuration says, whatever has become of its data."""
    config = run.load_config()
    if "kind" not in config.model:
        raise GessoError(f"model.start={run.folder}: an earlier Gesso made this run. Take its generator.keras.")
    config.trainer = OmegaConf.load(CONF / "trainer" / "default.yaml")  # whatever it was trained on
    shape = generator.output_shape[1:]
    spec = DatasetSpec("", tuple(config.model.batch_keys), shape, class_names=metadata.classes)
    return loop.make(config, SimpleNamespace(spec=spec), config.seed)
