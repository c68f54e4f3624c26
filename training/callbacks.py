"""Callbacks beside the training steps: scalars, samples, checkpoints and progress.

All count in steps, by the system's own `step` variable, whatever Keras calls an epoch. Where a GPU or other
machines take part, what a step gave is read every now and then alone: to wait for each would leave them idle.
"""

import logging
import math
import time
from collections.abc import Callable, Collection
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from core import rows
from core.errors import DivergedError
from core.images import grid, save_png, to_uint8
from core.run import Run
from training import checkpoint

log = logging.getLogger(__name__)

READ_EVERY = 20  # calls of the train function


class StepCallback(keras.callbacks.Callback):
    """A callback that knows the step, and calls `at(step)` after every `every` of them and after the last."""

    def __init__(self, every: int, last: int):
        super().__init__()
        self.every = every
        self.last = last

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.step = int(self.model.step.numpy())

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.step += self.model.steps_per_execution
        if self.step % self.every == 0 or self.step == self.last:
            self.at(self.step)

    def at(self, step: int) -> None:
        """Does what is to be done at `step`; for subclasses."""

    def cut(self, path: Path, interval: str, ours: Callable[[dict], bool]) -> None:
        """Cuts those rows of a file that are `ours` back to the step at which training begins.

        By how often there was one until then, which the system remembers as `interval`: this may be changed.
        """
        rows.cut(path, self.step, self.model.memory.get(interval, self.every), ours)
        self.model.memory[interval] = self.every

    def reads(self, step: int) -> bool:
        """Says whether what the step gave is to be read: on a CPU alone always, as nothing waits there."""
        if self.model.distribute_strategy.num_replicas_in_sync == 1 and not tf.config.list_logical_devices("GPU"):
            return True
        return step % (READ_EVERY * self.model.steps_per_execution) == 0


class ScalarLogger(StepCallback):
    """Writes means since the last row to `metrics.jsonl` and TensorBoard; stops the run on NaN or infinity.

    Counts the pictures, too, in the system's `memory`: a resumed run may go on with batches of another size. The
    last row stays there as well, but for speeds: others look at it before there is the next.
    """

    def __init__(
        self,
        run: Run | None,
        writer: tf.summary.SummaryWriter,
        batch_size: int,
        every: int,
        last: int,
        before: Collection[int] = (),
    ):
        """`before`: each so many steps others look at the system, and rely on its being sound.

        Without a `run` there are no rows, but all else is done: by a worker that writes nothing.
        """
        super().__init__(every, last)
        self.path = run and run.metrics
        self.writer = writer
        self.batch_size = batch_size
        self.before = (every, *before)
        self.latest: dict[str, float] = {}

    def on_train_begin(self, logs: dict | None = None) -> None:
        super().on_train_begin()
        if self.path is not None:
            self.cut(self.path, "log_every", lambda row: "images_per_second" in row)
        self.images = self.model.memory.get("images", 0)
        self.latest = dict(self.model.memory.get("latest", {}))
        self.since = (time.perf_counter(), self.step)
        self._keep_window()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        # Keras has just reset the means; our windows end at rows, not at epochs.
        for variable, value in zip(self.model.metrics_variables, self.window, strict=True):
            variable.assign(value)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._keep_window()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        steps = self.model.steps_per_execution
        step = self.step + steps
        if self.reads(step) or step == self.last or any(step % every == 0 for every in self.before):
            self.check(step)
        self.images += self.batch_size * steps
        self.model.memory["images"] = self.images
        super().on_train_batch_end(batch, logs)

    def check(self, step: int) -> None:
        """Raises `DivergedError` for losses that are not finite."""
        # Means: one that is not finite stays so. Of losses only: under float16, an infinite gradient norm is how
        # the loss scale finds its bound.
        losses = {name: v for name, v in self.model.logs.items() if name.endswith(("_loss", "_penalty"))}
        bad = [name for name, value in losses.items() if not math.isfinite(value)]
        if bad:
            raise DivergedError(
                f"{', '.join(bad)} became NaN or infinite by step {step}; stopped. Checkpoints from before are "
                "kept, if there are any. A lower learning rate, or precision=float32, may help."
            )

    def at(self, step: int) -> None:
        now, (then, before) = time.perf_counter(), self.since
        self.latest = {metric.name: float(metric.result()) for metric in self.model.metrics}
        for name, optimizer in self.model.optimizers.items():
            self.latest[f"{name}_learning_rate"] = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
        self.model.memory["latest"] = dict(self.latest)
        self.latest["images_per_second"] = (step - before) * self.batch_size / max(now - then, 1e-6)
        self.since = (now, step)
        if step % self.every == 0:  # a short last window stays open, for a run that is resumed with more steps
            self.model.reset_metrics()
        if self.path is not None:
            rows.append(self.path, {"step": step, "images": self.images, **self.latest})
        with self.writer.as_default():
            for name, value in self.latest.items():
                tf.summary.scalar(_tag(name), value, step=step)

    def _keep_window(self) -> None:
        self.window = [keras.ops.convert_to_numpy(v) for v in self.model.metrics_variables]


class Samples(StepCallback):
    """Writes a grid of the pictures that `draw()` makes, eight in a row, to `samples/` and TensorBoard.

    They are kept as `images`, for those who look at them next.
    """

    def __init__(
        self,
        run: Run,
        writer: tf.summary.SummaryWriter,
        draw: Callable[[], np.ndarray],
        chunks: dict[str, str],
        every: int,
        last: int,
    ):
        super().__init__(every, last)
        self.run = run
        self.writer = writer
        self.draw = draw
        self.chunks = chunks

    def at(self, step: int) -> None:
        self.images = self.draw()
        sheet = grid(to_uint8(self.images), columns=8)
        save_png(self.run.sample(step), sheet, self.chunks)
        with self.writer.as_default():
            tf.summary.image("samples", sheet[None], step=step)


class Checkpoints(StepCallback):
    """Writes `checkpoints/` and the exported networks (`generator.keras`)."""

    def __init__(
        self,
        run: Run,
        writer: tf.summary.SummaryWriter,
        export: Callable[[Run], None],
        keep: int,
        every: int,
        last: int,
    ):
        super().__init__(every, last)
        self.run = run
        self.writer = writer
        self.export = export
        self.keep = keep

    def at(self, step: int) -> None:
        self.writer.flush()  # a killed run goes on after what it had said
        checkpoint.save(self.run, self.model, self.keep)
        self.export(self.run)


class Progress(StepCallback):
    """Shows a bar with steps, losses, images/s, time left; without a terminal, a line in the log now and then."""

    def __init__(self, scalars: ScalarLogger, last: int, seconds: float = 20.0):
        super().__init__(every=1, last=last)
        self.scalars = scalars
        self.seconds = seconds  # between lines
        self.bar: tqdm | None = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        super().on_train_begin()
        self.bar = tqdm(total=self.last, initial=self.step, unit="step", dynamic_ncols=True, disable=None)
        self.start = self.said = (time.perf_counter(), self.step)

    def at(self, step: int) -> None:
        self.bar.update(step - self.bar.n)
        now = time.perf_counter()
        values = {name: f"{value:.3g}" for name, value in self.scalars.latest.items() if _shown(name)}
        if not self.bar.disable:
            self.bar.set_postfix(values, refresh=False)
        elif now - self.said[0] > self.seconds or step == self.last:
            left = (self.last - step) * (now - self.start[0]) / (step - self.start[1])
            said = [*(f"{name} {value}" for name, value in values.items()), f"{tqdm.format_interval(left)} left"]
            log.info("step %d of %d: %s", step, self.last, ", ".join(said))
            self.said = (now, step)

    def close(self) -> None:
        """Ends the bar's line. Also of a run that fails, whose end Keras does not call."""
        if self.bar is not None:
            self.bar.close()


def _shown(name: str) -> bool:
    return name.endswith("_loss") or name == "images_per_second"


def _tag(name: str) -> str:
    """Groups the scalars in TensorBoard: `losses/generator_loss`, ..."""
    groups = {
        "_loss": "losses", "_penalty": "losses", "_accuracy": "scores", "augment_probability": "augmentation",
        "_probability": "scores", "_output": "scores", "_critic": "scores", "_norm": "gradients",
        "_rate": "learning_rates",
    }  # fmt: skip
    return f"{next((g for end, g in groups.items() if name.endswith(end)), 'speed')}/{name}"
