"""Evaluation of a model in training: numbers by the metrics of its configuration, and the best state so far."""

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from omegaconf import DictConfig, OmegaConf

from core import rows
from core.errors import GessoError
from core.files import expanded, read_json, write_json
from core.instantiate import build
from core.results import badness
from core.run import Run
from data import ImageDataset
from evaluation import sets
from metrics import fid
from training import checkpoint
from training.callbacks import StepCallback
from training.checks import draws

log = logging.getLogger(__name__)

BATCH = 64  # pictures at a time
LARGEST = 2**18  # bytes of the file of the best score: ours have some hundred
EVALUATED = "evaluated"  # in a system's `memory`: what the numbers of the last evaluation depend on


class Evaluator:
    """Called with a model that draws pictures (`draw(num, labels)`): numbers by name, beside the data set's.

    Pictures pass by in batches: only metrics of pictures themselves, without a feature space, keep them.

    The first name, `objective`, is what runs, seeds and sweeps are ranked by.
    """

    def __init__(self, config: DictConfig, dataset: ImageDataset):
        self.metrics = build(config.metrics)
        self.kinds = {metric["of"] for metric in self.metrics.values()}
        self.space = build(config.features) if self.kinds - {"images"} else None
        self.modes = {name: metric["mode"] for metric in self.metrics.values() for name in metric["names"]}
        self.objective = next(iter(self.modes))
        self.dataset, self.chosen = dataset, dataset.drawn(config.evaluate_num)
        self.scale, self.reference = 1.0, None
        self.settings_of = {
            name: self._settings(config, dataset, metric)
            for metric in config.metrics.values()
            for name in metric["names"]
        }
        if len(self.chosen) < config.evaluate_num:
            log.info("Evaluated with %d pictures: there are no more.", len(self.chosen))

    @classmethod
    def checked(cls, config: DictConfig, dataset: ImageDataset) -> "Evaluator | None":
        """Returns the evaluator of a configuration; None where it draws no pictures from noise. See `check`."""
        if not draws(config):
            return None
        evaluator = cls(config, dataset)
        evaluator.check()
        return evaluator

    def check(self) -> None:
        """Compares the reals with themselves. Raises `GessoError` where a metric cannot be measured.

        Before the first step: an error at the first evaluation would come after hours.
        """
        self._prepare()
        try:
            sets.measure(self.reference, self.reference, self.metrics)
        except GessoError as error:
            raise GessoError(f"evaluate_num={len(self.chosen)}: {error}") from error
        if "moments" in self.kinds and (said := fid.warning(len(self.chosen), self.space.dimensions)):
            log.warning("%s", said)

    def badness(self, value: float) -> float:
        """Returns what is less the better a value of the objective is."""
        return badness(value, self.modes[self.objective])

    @property
    def settings(self) -> dict[str, Any]:
        """What the objective's numbers depend on besides the model; `settings_of` has those of all names."""
        return self.settings_of[self.objective]

    def _settings(self, config: DictConfig, dataset: ImageDataset, metric: DictConfig) -> dict[str, Any]:
        """Returns what a metric's numbers depend on besides the model: only with the same do they compare."""
        through = None if metric.of == "images" else OmegaConf.to_container(config.features, resolve=True)
        weights = None if through is None or config.weights is None else expanded(config.weights).stat()
        # But for metrics of classes, pictures compare whatever is said of them.
        data = dataset.fingerprint if metric.of == "labelled" else dataset.of_pictures
        return {
            "metric": OmegaConf.to_container(metric, resolve=True), "features": through,
            "weights": weights and [weights.st_size, weights.st_mtime_ns], "num": len(self.chosen),
            "image_shape": list(dataset.spec.image_shape), "data": data,
            "features_resizer": None if through is None else self.space.resizer,
            "reals": f"{dataset.resizer}, uint8", "generated": sets.GENERATED,
        }  # fmt: skip

    def __call__(self, model: keras.Model) -> dict[str, float]:
        self._prepare()
        # A generator with labels is asked for the reals' own: classes may be of unequal sizes.
        classes = None if self.dataset.labels is None else self.dataset.labels[self.chosen]
        asked = self.dataset.texts(self.chosen) if self.dataset.spec.has_text else classes
        drawn = model.draw(len(self.chosen), asked, BATCH)
        # Those of a model that was asked for no class are of one kind.
        classes = classes if asked is classes and model.num_classes else None
        batches = _labelled(drawn, classes)
        found = sets.gather_statistics(batches, self.kinds, self.space, self.scale)
        return sets.measure(found, self.reference, self.metrics)

    def _prepare(self) -> None:
        if self.reference is not None:
            return
        self.reference = self._gather_reals({"images"} & self.kinds)
        if self.space is not None:
            raw = self._gather_reals({"features"}).features
            self.scale = sets.choose_scale(self.space, raw)
            found = sets.summarize_features(raw, None, self.kinds, self.scale)
            self.reference.features, self.reference.moments = found.features, found.moments

    def _gather_reals(self, kinds: set[str]) -> sets.SetStatistics:
        batches = ((images, None) for images, _ in sets.dataset_batches(self.dataset, self.chosen, BATCH))
        return sets.gather_statistics(batches, kinds, self.space, self.scale)


def _labelled(drawn: Iterable[np.ndarray], labels: np.ndarray | None) -> Iterator[tuple]:
    """Yields batches of pictures with their labels, if they have some."""
    start = 0
    for pictures in drawn:
        yield pictures, None if labels is None else labels[start : start + len(pictures)]
        start += len(pictures)


class EvaluationCallback(StepCallback):
    """Writes rows of numbers, points in TensorBoard, and the run's `best`, every `every` steps and at the end.

    `best` holds the networks and the checkpoint of the step with the best objective so far, and what that is. Only
    numbers that depend on the same are compared: with another metric or other data, it begins anew; and so it does
    where the training is back before that step, from where it may go another way.
    """

    def __init__(
        self,
        run: Run,
        writer: tf.summary.SummaryWriter,
        evaluator: Evaluator,
        export: Callable[[Run], None],
        every: int,
        last: int,
    ):
        super().__init__(every, last)
        self.run = run
        self.writer = writer
        self.evaluator = evaluator
        self.export = export
        self.outlived = False  # whether `best` is of a step that this training has yet to come to

    def on_train_begin(self, logs: dict | None = None) -> None:
        super().on_train_begin()
        # Also rows of another objective, from before it was changed: all but the losses' are evaluations.
        self.cut(self.run.metrics, "evaluate_every", lambda row: "images_per_second" not in row)
        before = _read(self.run.best_score)
        self.outlived = before is not None and before["step"] > self.step

    def at(self, step: int) -> None:
        values = self.evaluator(self.model)
        self.model.memory[EVALUATED] = self.evaluator.settings_of
        rows.append(self.run.metrics, {"step": step, "images": self.model.memory["images"], **values})
        with self.writer.as_default():
            for name, value in values.items():
                tf.summary.scalar(f"evaluation/{name}", value, step=step)
        self._keep(step, values[self.evaluator.objective])

    def _keep(self, step: int, value: float) -> None:
        if not math.isfinite(value):
            return
        score, mine = self.run.best_score, self.evaluator
        before = _read(score)
        same = before is not None and before["settings"] == mine.settings and not self.outlived
        if same and mine.badness(value) >= mine.badness(before["value"]):
            return
        score.unlink(missing_ok=True)  # until all that it is about has been written
        self.outlived = False
        checkpoint.save(self.run.best, self.model, keep=1)
        self.export(self.run.best)
        content = {"step": step, "objective": mine.objective, "value": value, "settings": mine.settings}
        write_json(score, content)


def _read(score: Path) -> dict[str, Any] | None:
    """Returns what stands in a score file; None if there is none, or it is damaged."""
    try:
        content = read_json(score, LARGEST)
        whole = isinstance(content["value"], float) and isinstance(content["step"], int) and "settings" in content
        return content if whole else None
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
