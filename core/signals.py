"""Signals that ask a script to end, beside that of Ctrl-C."""

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager


def endings() -> list[signal.Signals]:
    """Returns the signals that ask to end: SIGTERM, and a closed terminal's, unless `nohup` has it ignored."""
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    heard = hangup is not None and signal.getsignal(hangup) != signal.SIG_IGN
    return [signal.SIGTERM, hangup] if heard else [signal.SIGTERM]


@contextmanager
def heard(by: Callable, signals: Iterable[signal.Signals]) -> Iterator[None]:
    """Has a function hear signals meanwhile, called as Python's handlers are; in the main thread alone."""
    before = {number: signal.signal(number, by) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
