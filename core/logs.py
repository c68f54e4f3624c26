"""Log files of runs: when they begin, and what they say of a run's end."""

import copy
import errno
import logging
import os
import re
import shlex
import sys
from pathlib import Path
from typing import IO

from core.files import open_regular, printable_lines
from core.run import Run

LINE = re.compile(r"\[[^]]*\]\[[^]]*\]\[(\w+)\] (.*)")  # as conf/hydra/job_logging/gesso.yaml formats it
TAIL = 2**20  # bytes of a log file in which its last error is looked for


class Printable(logging.Formatter):
    """Formats what is logged so that a name in it, a stranger's file's, does nothing to a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the record's lines."""
        return printable_lines(super().format(record))


class LogFile(logging.FileHandler):
    """Writes what is logged to a file, from when its folder holds something else; it keeps it until then.

    A command line that is refused, and a script that writes somewhere else, leave no folder with nothing but a log.
    The first line is the command.
    """

    def __init__(self, filename: str):
        super().__init__(filename, encoding="utf-8", errors="backslashreplace", delay=True)  # of names of files
        self.kept: list[logging.LogRecord] = []
        self.begun = False  # whatever its folder holds
        self.failed = False

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record, or keeps it."""
        record = copy.copy(record)
        record.msg, record.args = record.getMessage(), None  # what it names may be another thing later
        if record.exc_info:  # its frames hold all that they were at work on
            record.exc_text, record.exc_info = logging.Formatter().formatException(record.exc_info), None
        self.kept.append(record)
        if self._may_write():
            self._write()

    def close(self) -> None:
        """Writes what was kept, if it may."""
        if self.kept and self._may_write():
            self._write()
        super().close()

    def _open(self) -> IO:
        """Opens the file, as logging does, but waits for nobody, and writes nowhere else.

        A stranger's run may have a named pipe there, or a link to another file.
        """
        path = Path(self.baseFilename)
        if not path.resolve().is_relative_to(path.parent.resolve()):
            raise OSError(errno.EPERM, "It is a link that leads out of its folder")
        return open_regular(path, self.mode, encoding=self.encoding, errors=self.errors)

    def _may_write(self) -> bool:
        folder = Path(self.baseFilename).parent
        there = set(folder.iterdir()) if folder.is_dir() else set()
        return self.stream is not None or self.begun or bool(there - {Run(folder).lock})

    def handleError(self, record: logging.LogRecord) -> None:
        """Says once that the file cannot be written, and why: what is logged is on the terminal as well."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self.failed:
            self.failed = True
            said = f"Could not write {self.baseFilename}: {error.strerror or error}."
            print(printable_lines(said), file=sys.stderr)

    def _write(self) -> None:
        records, self.kept = self.kept, []
        try:
            if self.stream is None:
                spec = sys.modules["__main__"].__spec__  # of `python -m zoo.add`
                program = [Path(sys.argv[0]).name] if spec is None else ["-m", spec.name]
                command = shlex.join(["python", *program, *sys.argv[1:]])
                super().emit(logging.LogRecord(__name__, logging.INFO, "", 0, command, None, None))
            for record in records:
                super().emit(record)
        except OSError:  # it cannot be opened; of a failed write we are told
            self.handleError(records[-1])


def begin_log() -> None:
    """Has the log file begin with what is logged next: for what goes on until it is stopped."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LogFile):
            handler.begun = True


def drop_log() -> None:
    """Has nothing more written to the log file, nor what was kept: it is another process's."""
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, LogFile)]:
        handler.kept.clear()
        root.removeHandler(handler)


def write_error(text: str, error: BaseException | None = None) -> None:
    """Writes an error to the log file alone, with the traceback of `error`: the terminal shows it already."""
    trace = error and (type(error), error, error.__traceback__)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LogFile):
            handler.handle(logging.LogRecord(__name__, logging.ERROR, "", 0, text, None, trace))


def last_error(path: Path) -> str | None:
    """Returns the error that a log file ends with; None if it ends with none, or there is no file."""
    try:
        with open_regular(path) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            lines = file.read(TAIL).decode("utf-8", "replace").splitlines()
    except OSError:
        return None
    found = [line for line in map(LINE.match, lines) if line is not None]
    if not found or found[-1][1] != "ERROR":
        return None
    return found[-1][2].removeprefix("Error: ")
