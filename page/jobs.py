"""Heavy work, one piece at a time, in a thread of its own: watched, and stopped, from the page."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

POLL = 0.3  # seconds between two looks at a job
REMEMBERED = 1000  # visitors who stopped something

_turn = threading.Lock()  # whose holder works
_running: dict[str, "Job"] = {}  # by visitor
_withdrawn: dict[str, None] = {}  # visitors who stopped what they asked for, the last ones to do so last
_table = threading.Lock()  # of the above


class Job:
    """A piece of work as those who wait for it see it.

    Attributes:
        picture: makes it as far as it came, float32 `[height, width, 3]` in [-1, 1]; None where there is none yet.
        done, total: of what the work counts, steps or frames; `total` is None where that is not known.
        result: what the work returned, when it is finished.
        finished: whether it is: it was not stopped, before its turn or in it, and has raised nothing.
    """

    def __init__(self, work: Callable[["Job"], Any]):
        self.work = work
        self.stopped = threading.Event()
        self.picture: Callable[[], np.ndarray] | None = None
        self.done, self.total = 0, None
        self.result: Any = None
        self.finished = False
        self.error: BaseException | None = None

    def tick(self, picture: Callable[[], np.ndarray] | None = None, total: int | None = None, *_) -> None:
        """Tells how far the work is, one step further. Raises as `check` does."""
        self.check()
        self.done += 1
        self.total = total
        if picture is not None:
            self.picture = picture

    def check(self) -> None:
        """Raises `KeyboardInterrupt`, as Ctrl-C would, once the work is to stop."""
        if self.stopped.is_set():
            raise KeyboardInterrupt

    def run(self) -> None:
        """Does the work, and keeps what it returned or raised."""
        try:
            self.result = self.work(self)
            self.finished = True
        except BaseException as error:
            self.error = error


def watch(visitor: str, work: Callable[[Job], Any]) -> Iterator[Job]:
    """Does some work when it is its turn, and yields its job every now and then; last, when it is finished.

    Who stops looking stops the work. What the work raised is raised here, but for its being stopped.
    """
    job = Job(work)
    with _table:
        if visitor in _running:  # a second window of theirs, or a double click
            _running[visitor].stopped.set()
        _running[visitor] = job
    try:
        while not _turn.acquire(timeout=POLL):
            if job.stopped.is_set():
                return
            yield job
        try:
            if job.stopped.is_set():
                return
            thread = threading.Thread(target=job.run, name="job", daemon=True)
            thread.start()
            try:
                while thread.is_alive():
                    yield job
                    thread.join(POLL)
            finally:
                job.stopped.set()
                thread.join()
        finally:
            _turn.release()
        if job.error is not None and not isinstance(job.error, KeyboardInterrupt):
            raise job.error
        yield job
    finally:
        with _table:
            if _running.get(visitor) is job:
                del _running[visitor]


def stop(visitor: str | None) -> None:
    """Has a visitor's work end as soon as it looks up, if there is any; what they asked for is withdrawn."""
    with _table:
        _withdrawn.pop(visitor or "", None)
        _withdrawn[visitor or ""] = None
        while len(_withdrawn) > REMEMBERED:
            del _withdrawn[next(iter(_withdrawn))]
        job = _running.get(visitor or "")
    if job is not None:
        job.stopped.set()


def ask(visitor: str | None) -> None:
    """Notes that a visitor asks for work, which may wait in Gradio's queue before it begins."""
    with _table:
        _withdrawn.pop(visitor or "", None)


def withdrawn(visitor: str) -> bool:
    """Says whether a visitor has stopped what they asked for last."""
    with _table:
        return visitor in _withdrawn
