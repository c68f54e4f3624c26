"""Exceptions for what the user can mend, and what they may have meant."""

import difflib
import errno
import os
import re
from collections.abc import Iterable

MOST = 50  # names that a message lists


class GessoError(Exception):
    """An error that the user can mend; its message says what is wrong, where, and what to do.

    The scripts print it without a traceback and exit with code 1 (`HYDRA_FULL_ERROR=1` shows the traceback).
    """


class DivergedError(GessoError):
    """A loss that became NaN or infinite: another seed may do better."""


class Stopped(Exception):
    """A training's end by a signal, before its time; what was done is saved. Scripts exit with 128 + `signal`."""

    def __init__(self, signal: int):
        super().__init__(signal)
        self.signal = signal


# What a file system says no with.
_REFUSALS = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ENOENT,
)  # fmt: skip


def refused_file(text: str) -> str | None:
    """Says which file could not be written, and why, from the words of a TensorFlow error; None of other errors.

    TensorFlow writes the event files itself. Of a full disk it has the same class of error as of full memory.
    """
    reasons = "|".join(re.escape(os.strerror(number)) for number in _REFUSALS)
    found = re.search(rf"^(?:{{{{.*?}}}} )?([^;\n]+); ({reasons})\b", text, re.MULTILINE)
    return found and f"Could not write {found[1]}: {found[2]}."


def did_you_mean(name: object, names: Iterable[str], show_all: bool = True) -> str:
    """Asks "Did you mean ...?", if something is near, and lists the names there are."""
    names = sorted(set(names))
    shown = ", ".join(names[:MOST]) + (f" and {len(names) - MOST} others" if len(names) > MOST else "")
    found = nearest(name, names)
    meant = "" if found is None else f"Did you mean {found}? "
    return meant + (f"There are: {shown}." if show_all else "--help lists all keys.")


def nearest(name: object, names: Iterable[str]) -> str | None:
    """Finds what is most like a name, if anything is near."""
    name, names = str(name), sorted(set(names))  # of what was said, which may be a number
    last = {full.rpartition(".")[2]: full for full in names}  # `widht` is near `model.width`
    found = difflib.get_close_matches(name, names, 1, 0.6) or [
        last[part] for part in difflib.get_close_matches(name.rpartition(".")[2], last, 1, 0.6)
    ]
    return found[0] if found else None
