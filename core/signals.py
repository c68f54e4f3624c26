"""Signals that ask a script to end, beside that of Ctrl-C."""

import signal


def endings() -> list[signal.Signals]:
    """Returns the signals that ask to end: SIGTERM, and a closed terminal's, unless `nohup` has it ignored."""
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    heard = hangup is not None and signal.getsignal(hangup) != signal.SIG_IGN
    return [signal.SIGTERM, hangup] if heard else [signal.SIGTERM]
