"""The end of a training: what there is to see, and `result.json`."""

import logging
import shlex
from pathlib import Path

import keras
from hydra.core.hydra_config import HydraConfig

from core.errors import GessoError
from core.overrides import own_overrides, typed
from core.results import last_values, write_result
from core.run import Run
from training.checks import draws
from training.evaluator import EVALUATED
from training.loop import Training

log = logging.getLogger(__name__)


def finish(training: Training, model: keras.Model) -> float:
    """Says where the pictures are and what can be done with the networks, and writes the result of the run.

    Returns the number by which runs are ranked. Raises `GessoError` where it has not been measured yet.
    """
    run, evaluator = training.run, training.evaluator
    log.info("Done. Pictures: %s\nMore of them: %s\nDashboard: %s", run.samples, _more(training), _dashboard(run))
    objective, modes, settings = model.monitor, {model.monitor: "min"}, {}
    if evaluator is not None:
        objective, modes, settings = evaluator.objective, evaluator.modes, evaluator.settings_of
    (step, values), end = last_values(run), int(model.step.numpy())
    # Stopped early, or, in a resume with nothing left to train, measured in another way than before.
    if evaluator is not None and (step < end or objective not in values or model.memory.get(EVALUATED) != settings):
        step, values = end, values | evaluator(model)
    if objective not in values:
        often = training.config.log_every
        raise GessoError(f"{run.folder} has no {objective} yet: train it for a step of log_every={often}.")
    return write_result(run, step, values, objective, modes, own_overrides(), settings)


def _more(training: Training) -> str:
    """Returns the command that makes pictures with what has been trained."""
    folder, spec = training.run.folder, training.dataset.spec
    if draws(training.config):
        return f"python generate.py {typed('network', folder)}"
    if training.config.model.kind == "text_encoder":
        return f"python train.py model=dcgan model.condition=text {typed('model.words', folder)} {_data(training)}"
    style = " style=<painting>" if "style" in spec.batch_keys else ""
    mask = " mask=<picture of the holes>" if spec.task == "inpaint" else ""
    return f"python stylize.py {typed('network', folder)} content=<picture>{style}{mask}"


def _data(training: Training) -> str:
    """Returns the overrides that name the data set."""
    option, root = HydraConfig.get().runtime.choices.dataset, training.config.dataset.get("root")
    return f"dataset={option}" + (f" {typed('dataset.root', root)}" if root else "")


def _dashboard(run: Run) -> str:
    """Returns the command that shows the run's curves: beside those of others where it is one of `outputs/`."""
    if run.folder.resolve().is_relative_to(Path("outputs").resolve()):
        return "make dashboard (tensorboard --logdir outputs)"
    return f"tensorboard --logdir {shlex.quote(str(run.folder))}"
