"""What ends a training: a signal, its last step, or a folder that has gone."""

import logging
import os
import signal
from contextlib import AbstractContextManager
from typing import Any

from core.errors import GessoError
from core.overrides import typed
from core.run import Run
from core.signals import endings, heard
from models.base import STOP
from training.callbacks import Checkpoints, ScalarLogger, StepCallback

log = logging.getLogger(__name__)


class Presence(StepCallback):
    """Ends the run if its folder has gone: what is written there would be no run directory, only bits of one.

    A folder of that name may be there all the same: of a disk that was unmounted, the place stays.
    """

    def __init__(self, run: Run, last: int):
        super().__init__(every=1, last=last)
        self.folder = run.folder

    def on_train_begin(self, logs: dict | None = None) -> None:
        super().on_train_begin()
        self.before = self.folder.stat()

    def at(self, step: int) -> None:
        if not (self.folder.is_dir() and os.path.samestat(self.before, self.folder.stat())):
            raise GessoError(
                f"{self.folder} has gone: it was moved, deleted or unmounted. Stopped at step {step}. If it comes "
                f"back, {typed('resume', self.folder)} goes on from its last checkpoint."
            )


class GracefulStop(StepCallback):
    """Ends the run at the last step, and earlier on Ctrl-C or SIGTERM: after the step at hand, with a checkpoint.

    Also where its terminal is closed. A second Ctrl-C ends it at once. Signals are heard while `listening`;
    `signal` is the number, if there was one. Several workers stop after the same step, whichever of them was asked
    to. Without `checkpoints`, another saves.
    """

    def __init__(self, checkpoints: Checkpoints | None, scalars: ScalarLogger, last: int):
        super().__init__(every=1, last=last)
        self.checkpoints, self.scalars = checkpoints, scalars
        self.signal: int | None = None

    def listening(self) -> AbstractContextManager[None]:
        """Hears signals meanwhile."""
        return heard(self._received, (signal.SIGINT, *endings()))

    def _received(self, number: int, frame: Any) -> None:
        self.signal = number
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def at(self, step: int) -> None:
        stopping = self.signal is not None
        if self.model.distribute_strategy.extended._in_multi_worker_mode():
            if stopping:
                self.model.asked_to_stop.assign(1.0)
            stopping = self.reads(step) and float(self.model.logs[STOP]) > 0
            if stopping and self.signal is None:
                self.signal = signal.SIGTERM
        if stopping and step < self.last and self.checkpoints is not None:
            self.scalars.check(step)  # a state of NaNs would be the one to go on from
            log.info("Stopping at step %d: saving a checkpoint.", step)
            self.checkpoints.at(step)
        self.model.stop_training = stopping or step == self.last
