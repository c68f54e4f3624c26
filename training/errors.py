"""Exceptions for what the user can mend."""


class GessoError(Exception):
    """Something the user can mend; its message says what is wrong, where, and what to do.

    The scripts print it without a traceback and exit with code 1 (`HYDRA_FULL_ERROR=1` shows the traceback).
    """


class DivergedError(GessoError):
    """A loss became NaN or infinite: another seed may do better."""
