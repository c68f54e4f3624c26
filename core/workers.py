"""The processes that train together (`trainer=multi_worker`): which of them this is, without TensorFlow."""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from omegaconf import DictConfig

from core.errors import GessoError
from core.logs import LogFile

WHERE = "TF_CONFIG"


@dataclass(frozen=True)
class Worker:
    """One of `count` processes that train together; `number` 0, the chief, is the one that writes."""

    number: int = 0
    count: int = 1

    @property
    def is_chief(self) -> bool:
        """Says whether this is the process that writes."""
        return self.number == 0


def this_worker(config: DictConfig) -> Worker:
    """Returns which process this is: of `TF_CONFIG`, or, without it, of SLURM.

    Raises `GessoError` where there is neither, or what there is names nobody.
    """
    if config.trainer.strategy != "multi_worker":
        return Worker()
    if WHERE in os.environ:
        return _of_tf_config(os.environ[WHERE])
    try:
        return Worker(int(os.environ["SLURM_PROCID"]), int(os.environ["SLURM_STEP_NUM_TASKS"]))
    except (KeyError, ValueError):
        raise GessoError(
            "trainer=multi_worker: nothing says which process this is. SLURM does for what srun starts; elsewhere "
            f"each has its own {WHERE}, as docs/scaling.md shows."
        ) from None


def _of_tf_config(text: str) -> Worker:
    try:
        found = json.loads(text)
        workers, task = found["cluster"]["worker"], found["task"]
        number, kinds = int(task["index"]), {*found["cluster"], task["type"]}
        if kinds != {"worker"} or not 0 <= number < len(workers):
            raise ValueError(f"task {number} of {len(workers)}, kinds {', '.join(sorted(kinds))}")
    except (ValueError, TypeError, KeyError) as error:
        raise GessoError(
            f"{WHERE}={text}: {error}. It looks like "
            '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}.'
        ) from None
    return Worker(number, len(workers))


@contextmanager
def writing_nothing() -> Iterator[None]:
    """Has this process log to its terminal alone, and there no more than warnings: the chief says the rest."""
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, LogFile)]:
        root.removeHandler(handler)
    root.setLevel(logging.WARNING)
    yield
