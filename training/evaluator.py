"""How good a model in training is: numbers by the metrics of its configuration, and the best state so far."""

import json
import logging
import math
import shutil
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from omegaconf import DictConfig

from core.errors import GessoError
from core.files import atomic
from core.images import to_float
from core.instantiate import build
from data import ImageDataset
from evaluation import sets
from metrics import fid
from training import checkpoint
from training.callbacks import StepCallback, cut_rows

log = logging.getLogger(__name__)


class Evaluator:
    """Called with a model that draws pictures (`draw(num, labels)`): numbers by name, beside the data set's.

    The first name, `objective`, is what runs, seeds and sweeps are ranked by; times `sign`, less is better.
    """

    def __init__(self, config: DictConfig, dataset: ImageDataset):
        self.metrics = build(config.metrics)
        self.kinds = {metric["of"] for metric in self.metrics.values()}
        self.space = build(config.features) if self.kinds - {"images"} else None
        self.modes = {name: metric["mode"] for metric in self.metrics.values() for name in metric["names"]}
        self.objective = next(iter(self.modes))
        self.sign = {"min": 1, "max": -1}[self.modes[self.objective]]
        # A generator with labels is asked for the reals' own: classes may be of unequal sizes.
        pictures, self.labels = dataset.pictures(dataset.drawn(config.evaluate_num))
        self.reals = to_float(pictures)
        self.batch_size, self.scale, self.reference = 64, 1.0, None
        if len(self.reals) < config.evaluate_num:
            log.info("Evaluated with %d pictures: there are no more.", len(self.reals))

    def check(self) -> None:
        """Compares the reals with themselves. Raises `GessoError` where a metric cannot be measured.

        Before the first step: an error at the first evaluation would come after hours.
        """
        self._prepare()
        try:
            sets.measured(self.reference, self.reference, self.metrics)
        except GessoError as error:
            raise GessoError(f"evaluate_num={len(self.reals)}: {error}") from error
        if "moments" in self.kinds and (said := fid.warning(len(self.reals), self.space.dimensions)):
            log.warning("%s", said)

    def __call__(self, model: keras.Model) -> dict[str, float]:
        self._prepare()
        pictures = model.draw(len(self.reals), self.labels)
        return sets.measured(self._look(pictures, self.kinds), self.reference, self.metrics)

    def _prepare(self) -> None:
        if self.reference is not None:
            return
        self.reference = self._look(self.reals, {"images"} & self.kinds)
        if self.space is not None:
            raw = self._look(self.reals, {"features"}).features
            self.scale = sets.scale_for(self.space, raw)
            found = sets.of_features(raw, None, self.kinds, self.scale)
            self.reference.features, self.reference.moments = found.features, found.moments

    def _look(self, images: np.ndarray, kinds: set[str]) -> sets.SetStatistics:
        starts = range(0, len(images), self.batch_size)
        batches = ((images[i : i + self.batch_size], None) for i in starts)
        return sets.look(batches, kinds, self.space, self.scale)


class EvaluationCallback(StepCallback):
    """Every `every` steps and at the end: rows in `metrics.jsonl`, points in TensorBoard, and `best/`.

    `best/` holds the networks and the checkpoint of the step with the best objective so far, as a run directory
    does, and `score.json`.
    """

    def __init__(
        self,
        folder: Path,
        writer: tf.summary.SummaryWriter,
        evaluator: Evaluator,
        exports: dict[str, keras.Model],
        batch_size: int,
        every: int,
        last: int,
    ):
        super().__init__(every, last)
        self.folder = folder
        self.writer = writer
        self.evaluator = evaluator
        self.exports = exports
        self.batch_size = batch_size

    def on_train_begin(self, logs: dict | None = None) -> None:
        super().on_train_begin()
        cut_rows(self.folder / "metrics.jsonl", self.step, self.every, self._is_ours)

    def at(self, step: int) -> None:
        values = self.evaluator(self.model)
        with open(self.folder / "metrics.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "images": step * self.batch_size, **values}) + "\n")
        with self.writer.as_default():
            for name, value in values.items():
                tf.summary.scalar(f"evaluation/{name}", value, step=step)
        self._keep(step, values[self.evaluator.objective])

    def _is_ours(self, row: dict) -> bool:
        return self.evaluator.objective in row

    def _keep(self, step: int, value: float) -> None:
        if not math.isfinite(value):
            return
        best = self.folder / "best"
        score = best / "score.json"
        if score.is_file():
            before = json.loads(score.read_text(encoding="utf-8"))
            same = (before["objective"], before.get("num")) == (self.evaluator.objective, len(self.evaluator.reals))
            if same and self.evaluator.sign * value >= self.evaluator.sign * before["value"]:
                return
            score.unlink()  # until all that it is about has been written
        best.mkdir(parents=True, exist_ok=True)
        checkpoint.save(best, self.model, keep=1)
        for name, network in self.exports.items():
            with atomic(best / f"{name}.keras") as temporary:
                network.save(temporary)
        if (classes := self.folder / "classes.json").is_file():
            with atomic(best / "classes.json") as temporary:
                shutil.copyfile(classes, temporary)
        with atomic(score) as temporary:
            num = len(self.evaluator.reals)
            content = {"step": step, "objective": self.evaluator.objective, "value": value, "num": num}
            temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
