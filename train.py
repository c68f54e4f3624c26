"""Trains the composed experiment: `python train.py model=dcgan dataset=wikiart`; `--help` lists the keys."""

import logging
import sys
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from core.cli import main
from core.errors import GessoError
from core.files import relative
from core.instantiate import build
from core.overrides import begin, resume_arguments, resumed, store
from training.checks import check_data, check_train, draws

log = logging.getLogger(__name__)


@main("train", arguments=resume_arguments)
def train(config: DictConfig) -> float | None:
    if config.resume:
        config = resumed(config, "train", HydraConfig.get().overrides.task)
    check_train(config)
    folder = relative(Path(HydraConfig.get().runtime.output_dir))
    name = HydraConfig.get().runtime.choices.model

    dataset = build(config.dataset)
    check_data(config, dataset)
    if not config.resume:
        begin(config, folder)

    from core import hardware  # TensorFlow takes seconds to import: not before all of this is right

    hardware.set_up(config)
    from core.results import last_values, write_result
    from training import checkpoint, loop, restarts
    from training.evaluator import Evaluator

    evaluator = Evaluator(config, dataset) if draws(config) else None
    if evaluator is not None:
        evaluator.check()
    seed, signal = config.seed, None
    if config.restarts > 1:
        seed, signal = restarts.best_seed(config, dataset, folder, name, evaluator)
    if signal is None:
        model = loop.make(config, dataset, seed)
        start = checkpoint.restore(folder / "checkpoints", model)
        if config.resume:
            store(config, folder)
        if start >= config.steps:
            log.info("Nothing to do: already at step %d. Raise steps= to go on.", start)
        else:
            log.info(
                "%s on %d pictures of %s, steps %d to %d: %s",
                name, len(dataset), dataset.spec.name, start, config.steps, folder,
            )  # fmt: skip
            signal = loop.fit(config, model, dataset, folder, name, seed, config.steps, evaluator)
    if signal is not None:
        log.info("Interrupted. To go on: python train.py resume=%s", folder)
        sys.exit(128 + signal)
    more = f"python generate.py run={folder}"
    if "generator" not in model.exports:
        style = " style=<painting>" if "style" in dataset.spec.batch_keys else ""
        mask = " mask=<picture of the holes>" if dataset.spec.task == "inpaint" else ""
        more = f"python stylize.py model={folder} content=<picture>{style}{mask}"
    log.info(
        "Done. Pictures: %s\nMore of them: %s\nDashboard: make dashboard (tensorboard --logdir outputs)",
        folder / "samples", more,
    )  # fmt: skip
    objective, modes = model.monitor, {model.monitor: "min"}
    if evaluator is not None:
        objective, modes = evaluator.objective, evaluator.modes
    (step, values), end = last_values(folder), int(model.step.numpy())
    if evaluator is not None and (step < end or objective not in values):  # stopped early, or ranked by another now
        step, values = end, values | evaluator(model)
    if objective not in values:
        raise GessoError(f"{folder} has no {objective} yet: train it for a step of log_every={config.log_every}.")
    return write_result(folder, step, values, objective, modes, HydraConfig.get().overrides.task)


if __name__ == "__main__":
    train()
