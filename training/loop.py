"""Makes the composed model and trains it to a step, with all that happens beside the steps."""

import inspect
import json
import logging
from collections.abc import Collection
from contextlib import closing
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from omegaconf import DictConfig, OmegaConf

from core.errors import GessoError
from core.files import atomic
from core.images import provenance
from core.instantiate import build
from data import Dataset
from models.pix2pix import shown
from training import callbacks, collapse, tensorboard
from training.checks import draws
from training.evaluator import EvaluationCallback, Evaluator

log = logging.getLogger(__name__)


def make(config: DictConfig, dataset: Dataset, seed: int) -> keras.Model:
    """The compiled model of a configuration, with the weights that `seed` gives it whatever was made before."""
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
    model = build(config.model.system, **{name: fact for name, fact in facts.items() if name in asked})
    optimizers = {name: build(part) for name, part in config.model.items() if name.endswith("optimizer")}
    try:
        model.compile(**optimizers, **build(config.loss), jit_compile=config.trainer.jit_compile)
    except ValueError as error:
        raise GessoError(str(error)) from error
    return model


def _parameters(target: str) -> Collection[str]:
    """Returns the names of what a system's builder takes."""
    builder = build(OmegaConf.create({"_target_": target, "_partial_": True}))  # by the one door there is
    return inspect.signature(builder.func).parameters


def fit(
    config: DictConfig,
    model: keras.Model,
    dataset: Dataset,
    folder: Path,
    name: str,
    seed: int,
    last: int,
    evaluator: Evaluator | None = None,
) -> int | None:
    """Trains `model` from the step that it has to step `last`; writes the run directory `folder`.

    With `evaluator`, evaluates it now and then. Returns the number of the signal (Ctrl-C) that ended it before its
    time, or None.
    """
    start = int(model.step.numpy())
    writer = tf.summary.create_file_writer(str(folder / "tensorboard"))
    examples = dataset.examples(64)
    *_, last_kind = examples.values()
    reals = np.concatenate([shown(tf.constant(images), last_kind.shape) for images in examples.values()])
    tensorboard.describe(config, folder, writer, reals, start)
    if dataset.spec.class_names:
        with atomic(folder / "classes.json") as path:
            path.write_text(json.dumps(dataset.spec.class_names, ensure_ascii=False) + "\n", encoding="utf-8")
    if task := dataset.spec.task:  # stylize.py makes sources the same way
        with atomic(folder / "translator.json") as path:
            path.write_text(json.dumps({"task": task, "image_size": config.image_size}) + "\n", encoding="utf-8")
    chunks = provenance(name, config, seed)
    batch_size = config.batch_size * model.batches_per_step
    scalars = callbacks.ScalarLogger(folder, writer, batch_size, config.log_every, last)
    checkpoints = callbacks.Checkpoints(
        folder, model.exports, config.keep_checkpoints, config.checkpoint_every, last
    )
    samples = callbacks.Samples(folder, writer, partial(model.preview, examples), chunks, config.sample_every, last)
    every = [scalars, samples]
    if draws(config):
        every += [
            collapse.CollapseMonitor(writer, samples, scalars, reals, model.threshold, config.sample_every, last)
        ]
    if evaluator is not None:
        often = config.evaluate_every or last + 1  # at the end alone
        every += [EvaluationCallback(folder, writer, evaluator, model.exports, batch_size, often, last)]
    every += [checkpoints]  # after the others: a killed run that has one has all that was done before it
    progress, stop = callbacks.Progress(scalars, last), callbacks.GracefulStop(checkpoints, last)
    with closing(writer), closing(progress), stop:
        model.fit(
            dataset.stream(batch_size, seed, start_step=start),
            epochs=-(-(last - start) // config.checkpoint_every),
            steps_per_epoch=config.checkpoint_every,
            callbacks=[*every, progress, stop],
            verbose=0,
            shuffle=False,  # the stream is shuffled
        )
    return stop.signal
