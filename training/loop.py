"""Makes the composed model and trains it to a step, with all that happens beside the steps."""

import inspect
import logging
from collections.abc import Collection
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
import tensorflow as tf
from omegaconf import DictConfig, OmegaConf

from core import distribution
from core.errors import GessoError, Stopped
from core.images import provenance
from core.instantiate import build
from core.run import Run
from data import Dataset
from models.preview import fit_to
from models.words import Words
from training import callbacks, collapse, stopping, tensorboard
from training.checks import draws
from training.evaluator import EvaluationCallback, Evaluator
from training.export import Exporter

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Training:
    """A training: what is trained, on what, and where it is written.

    `name` is that of the model, for pictures' provenance; `seed` is of noise and the order of pictures; without an
    `evaluator`, nothing is evaluated on the way. `words` as `make` takes it. Of several processes that train
    together, one `writes`.
    """

    run: Run
    config: DictConfig
    dataset: Dataset
    name: str
    seed: int
    evaluator: Evaluator | None = None
    words: Words | None = None
    writes: bool = True


def make(config: DictConfig, dataset: Dataset, seed: int, words: Words | None = None) -> keras.Model:
    """Returns the compiled model of a configuration, its weights those of `seed` whatever was made before.

    The system is built from its keys in the configuration and those facts of the data that its signature names;
    `words` is the text encoder of one that takes sentences.
    """
    policy = keras.config.dtype_policy()
    keras.utils.clear_session()  # numbers in names start anew: checkpoints go by names
    keras.config.set_dtype_policy(policy)  # which that forgets
    keras.utils.set_random_seed(seed)
    spec = dataset.spec
    facts = {
        "image_shape": spec.image_shape, "source_shape": spec.source_shape, "num_classes": spec.num_classes,
        "seed": seed,
    }  # fmt: skip
    asked = _parameters(config.model.system._target_)
    if spec.has_text:
        facts |= {"captions": dataset.captions, "words": words}
    with distribution.scope(config.trainer.strategy):
        model = build(config.model.system, **{name: fact for name, fact in facts.items() if name in asked})
        optimizers = {name: build(part) for name, part in config.model.items() if name.endswith("optimizer")}
        objective = build(config.loss) if "loss" in config else {}  # some systems have their own
        try:
            model.compile(**optimizers, **objective, jit_compile=config.trainer.jit_compile)
        except ValueError as error:
            raise GessoError(str(error)) from error
    model.steps_per_execution = config.trainer.steps_per_execution
    if config.model.get("synchronized"):
        synchronize(model)
    return model


def synchronize(model: keras.Model) -> None:
    """Has batch normalisation go by the whole batch, where each replica would by its part of it."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


def _parameters(target: str) -> Collection[str]:
    """Returns the names of what a system's builder takes."""
    builder = build(OmegaConf.create({"_target_": target, "_partial_": True}))  # by the one door there is
    return inspect.signature(builder.func).parameters


def check(config: DictConfig, model: keras.Model) -> None:
    """Raises `GessoError` where a model cannot go on from where it stands in the steps and batches asked for."""
    start, replicas = int(model.step.numpy()), model.distribute_strategy.num_replicas_in_sync
    if start < config.steps and start % model.steps_per_execution:
        raise GessoError(
            f"trainer.steps_per_execution={model.steps_per_execution}: the run stands at step {start}."
        )
    if config.batch_size % replicas:
        raise GessoError(f"batch_size={config.batch_size} must be a multiple of the {replicas} devices.")
    if config.model.get("condition") == "text" and config.batch_size == replicas:
        raise GessoError(
            f"batch_size={config.batch_size}: with model.condition=text each device takes two pictures at least, "
            "as one is shown beside another's sentence."
        )


def fit(training: Training, model: keras.Model, last: int) -> None:
    """Trains `model` from the step that it has to step `last`; writes the run directory.

    If it is there already, exports it once more: a kill may have come between its last checkpoint and that. Raises
    `Stopped` when a signal (Ctrl-C) ends it before its time, after a checkpoint, and `DivergedError` when a
    loss becomes NaN or infinite.
    """
    run, config, start = training.run, training.config, int(model.step.numpy())
    export = Exporter(config, training.name, model, training.dataset.spec)
    if start >= last:
        log.info("Nothing to do: already at step %d. Raise steps= to go on.", start)
        if training.writes:
            export(run)
        return
    log.info(
        "%s on %d pictures of %s, steps %d to %d: %s",
        training.name, len(training.dataset), training.dataset.spec.name, start, last, run.folder,
    )  # fmt: skip
    batch_size = config.batch_size * model.batches_per_step
    before = [every for every in (config.sample_every, config.checkpoint_every, config.evaluate_every) if every]
    scalar_options = (batch_size, config.log_every, last, before)
    with ExitStack() as stack:
        if training.writes:
            writer = stack.enter_context(closing(tf.summary.create_file_writer(str(run.tensorboard))))
            scalars = callbacks.ScalarLogger(run, writer, *scalar_options)
            checkpoints = callbacks.Checkpoints(
                run, writer, export, config.keep_checkpoints, config.checkpoint_every, last
            )
            progress = stack.enter_context(closing(callbacks.Progress(scalars, last)))
            watching = _watching(training, model, writer, scalars, export, last)
            # Checkpoints after the others: a killed run that has one has all that was done before it.
            others = [stopping.Presence(run, last), scalars, *watching, checkpoints, progress]
        else:
            checkpoints = None
            scalars = callbacks.ScalarLogger(None, tf.summary.create_noop_writer(), *scalar_options)
            others = [scalars]
        stop = stopping.GracefulStop(checkpoints, scalars, last)
        stack.enter_context(stop.listening())
        model.fit(
            _stream(training, model, batch_size, start),
            epochs=-(-(last - start) // config.checkpoint_every),
            steps_per_epoch=config.checkpoint_every,
            callbacks=[*others, stop],
            verbose=0,
            shuffle=False,  # the stream is shuffled
        )
    if stop.signal is not None:
        raise Stopped(stop.signal)


def _stream(training: Training, model: keras.Model, batch_size: int, start: int):
    """Returns the batches from a step on, as the system wants them; of several replicas, each gets its own part."""
    strategy, replicas = model.distribute_strategy, model.distribute_strategy.num_replicas_in_sync
    prepare = model.prepare  # which reads all sentences

    def part(**whose: int) -> tf.data.Dataset:
        stream = training.dataset.stream(batch_size, training.seed, start_step=start, **whose)
        if replicas > 1:
            stream = stream.rebatch(batch_size // replicas, drop_remainder=True)
        return stream if prepare is None else stream.map(prepare, num_parallel_calls=2).prefetch(2)

    if replicas == 1:
        return part()
    return strategy.distribute_datasets_from_function(
        lambda context: part(worker=context.input_pipeline_id, workers=context.num_input_pipelines)
    )


def _watching(
    training: Training,
    model: keras.Model,
    writer: tf.summary.SummaryWriter,
    scalars: callbacks.ScalarLogger,
    export: Exporter,
    last: int,
) -> list[callbacks.StepCallback]:
    """Returns what looks at the pictures now and then, and shows the data's before the first step."""
    run, config, evaluator = training.run, training.config, training.evaluator
    examples = training.dataset.examples(64)
    *_, last_kind = examples.values()
    reals = np.concatenate([fit_to(tf.constant(images), last_kind.shape) for images in examples.values()])
    tensorboard.describe(config, run, writer, reals, int(model.step.numpy()))
    chunks = provenance(training.name, config, training.seed)
    draw = partial(model.preview, examples)
    samples = callbacks.Samples(run, writer, draw, chunks, config.sample_every, last)
    watching: list[callbacks.StepCallback] = [samples]
    if draws(config):
        watching += [
            collapse.CollapseMonitor(writer, samples, scalars, reals, model.threshold, config.sample_every, last)
        ]
    if evaluator is not None:
        often = config.evaluate_every or last + 1  # at the end alone
        watching += [EvaluationCallback(run, writer, evaluator, export, often, last)]
    return watching
