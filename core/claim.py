"""One process a run directory: two that train in it would write over each other's files."""

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from filelock import FileLock, Timeout

from core.errors import GessoError
from core.files import remove_left
from core.logs import drop_log
from core.run import Run

log = logging.getLogger(__name__)

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL}  # of some network file systems


@contextmanager
def claimed(run: Run) -> Iterator[None]:
    """Keeps a run directory to this process, which may be a new run's or one that goes on.

    The system takes the lock back from a process that dies, however it does. What a killed one left half-written is
    removed. Raises `GessoError` where another process has the folder, or it cannot be written to.
    """
    lock = FileLock(run.lock)
    try:
        run.folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        drop_log()
        raise GessoError(
            f"Another process is training in {run.folder}. Wait until it ends, or stop it (Ctrl-C: it saves its "
            "state); or name another folder, hydra.run.dir=<folder>."
        ) from None
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
            raise GessoError(f"Cannot write to {run.folder}: {error.strerror or error}.") from error
        log.warning("There are no locks in %s: see that no other process trains in it.", run.folder)
    try:
        remove_left(run.folder)
        yield
    finally:
        with suppress(OSError):  # Windows removes no open file
            run.lock.unlink()
        lock.release()
