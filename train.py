"""Trains the composed experiment: `python train.py model=dcgan dataset=wikiart`; `--help` lists the keys."""

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from core.claim import claimed
from core.cli import main
from core.files import relative
from core.instantiate import build
from core.overrides import PICTURES
from core.resume import begin, opened
from core.run import Run
from core.start import train_arguments
from core.workers import this_worker, writing_nothing
from training import words
from training.checks import check_batches, check_data, check_train


@main("train", files=("model.start", "weights", *PICTURES), arguments=train_arguments)
def train(config: DictConfig) -> float:
    run = Run(relative(Path(HydraConfig.get().runtime.output_dir)))
    writes = this_worker(config).is_chief
    with claimed(run) if writes else writing_nothing():
        return train_in(run, config, writes)


def train_in(run: Run, config: DictConfig, writes: bool) -> float | None:
    """Trains, as `config` says, in a run directory that is ours alone; returns what runs are ranked by.

    Of several processes that train together one `writes`, and measures.
    """
    choices = HydraConfig.get().runtime.choices
    config = opened(config, run)
    check_train(config)
    check_batches(config, choices.dataset)
    dataset = build(config.dataset, **words.asked_of_data(config))
    check_data(config, dataset)

    from core import distribution, hardware  # TensorFlow takes seconds to import: not before all of this is right

    strategy = config.trainer.strategy
    hardware.prefer_onednn()
    hardware.set_up(config)
    from training import data_record, loop, restarts, start
    from training.evaluator import Evaluator
    from training.finish import finish

    evaluator = Evaluator.checked(config, dataset) if writes else None
    reader = words.ready(config, run, dataset, writes)
    model = loop.make(start.without_needless(config, run), dataset, config.seed, reader)
    known, painted = data_record.words_of(model), data_record.styles_of(model)
    data_record.check(run, dataset, model.num_classes > 0 and reader is None, known, painted)
    start.place(run, config, model, dataset.spec.class_names)
    loop.check(config, model)
    training = loop.Training(run, config, dataset, choices.model, config.seed, evaluator, reader, writes)
    with distribution.together(strategy, run.folder):
        distribution.meet(strategy, int(model.step.numpy()))
    if writes:
        begin(config, run)  # what cannot be made or does not fit has left no trace, and harmed nothing
        if int(model.step.numpy()) < config.steps:
            data_record.write(run, dataset, known, painted)
            run.result.unlink(missing_ok=True)  # it is no longer finished

    if config.restarts > 1:
        training = restarts.with_best_seed(training)
        model = loop.make(start.without_needless(config, run), dataset, training.seed, reader)
        start.place(run, config, model, dataset.spec.class_names)
    with distribution.together(strategy, run.folder):
        loop.fit(training, model, config.steps)
        result = finish(training, model) if writes else None
        distribution.meet(strategy)  # who left while the first still measures would be missed
    return result


if __name__ == "__main__":
    train()
