"""Scripts in processes of their own that need not import TensorFlow, which takes longer than most of what they do.

A server imports what the scripts import, computes nothing, and forks: each fork becomes a script, with the
arguments, folder, environment and exit code of a process that a user starts. What concerns the imports themselves
cannot be seen in that way. `tests/soak.py` does the same.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
AVAILABLE = sys.platform == "linux"  # elsewhere forks are missing, or not safe after such imports
OURS = (
    "core",
    "data",
    "evaluation",
    "losses",
    "metrics",
    "models",
    "stylization",
    "training",
)  # and what they use:
IMPORTED = (
    "keras", "hydra.main", "scipy.optimize", "av", "training.finish", "training.restarts", "stylization.methods",
    "evaluation.exploration", "evaluation.modes",
)  # fmt: skip


class Forks:
    """The server, as its clients see it; what scripts say goes to files in a folder. It ends with `close`."""

    def __init__(self, folder: Path):
        self.folder = folder
        command = [sys.executable, str(Path(__file__))]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.server = subprocess.Popen(command, cwd=ROOT, text=True, bufsize=1, **pipes)

    def start(self, arguments: list[str], cwd: Path, environment: dict[str, str]) -> "Fork":
        """Starts a script, its file and its arguments; does not wait for its end."""
        output = tempfile.mkdtemp(prefix="said-", dir=self.folder)
        question = {"arguments": arguments, "cwd": str(cwd), "environment": environment, "output": output}
        return Fork(self, self.ask(**question), arguments, Path(output))

    def ask(self, **question: Any) -> int | None:
        """Returns the server's answer, a number or None."""
        self.server.stdin.write(json.dumps(question) + "\n")
        return json.loads(self.server.stdout.readline())

    def close(self) -> None:
        """Ends the server."""
        self.server.stdin.close()
        self.server.wait(timeout=60)


class Fork:
    """One process, with as much of `subprocess.Popen` as is needed."""

    def __init__(self, forks: Forks, pid: int, arguments: list[str], output: Path):
        self.forks = forks
        self.pid = pid
        self.args = arguments
        self.output = output
        self.returncode: int | None = None

    def poll(self, seconds: float = 0) -> int | None:
        """Returns the exit code, minus the signal's number of what was killed; None if it lives after so long."""
        if self.returncode is None:
            self.returncode = self.forks.ask(pid=self.pid, seconds=seconds)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Sends a signal, if it lives."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Waits for the end; returns what it said, to the standard output and as errors."""
        late = self.poll(timeout) is None
        if late:
            self.send_signal(signal.SIGKILL)
            self.poll(timeout)
        said = tuple((self.output / stream).read_text(encoding="utf-8") for stream in "12")
        if late:
            raise subprocess.TimeoutExpired(self.args, timeout, *said)
        return said


def serve() -> dict | None:
    """Answers until there are no more questions; in each fork, returns what it is to become."""
    for name in IMPORTED:
        importlib.import_module(name)
    compositions = importlib.import_module("tests.compositions")
    compositions.remember_files()
    for path in compositions.CONF.rglob("*.yaml"):
        compositions.OmegaConf.load(path)
    gc.collect()
    gc.freeze()  # else the first collection of each fork would copy all of it
    gc.set_threshold(50_000, 20, 20)
    while line := sys.stdin.readline():
        question = json.loads(line)
        if "pid" in question:
            answer = _code(**question)
        elif (answer := os.fork()) == 0:
            return question
        print(json.dumps(answer), flush=True)
    return None


def _code(pid: int, seconds: float) -> int | None:
    handle = os.pidfd_open(pid)
    ended = select.select([handle], [], [], seconds)[0]
    os.close(handle)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) if ended else None


def become(arguments: list[str], cwd: str, environment: dict[str, str], output: str) -> None:
    """Becomes a script, as by `python <arguments>` in a folder; what it says goes to the files `1` and `2`."""
    for stream, name in ((0, os.devnull), (1, f"{output}/1"), (2, f"{output}/2")):
        file = os.open(name, os.O_RDWR | os.O_CREAT)
        os.dup2(file, stream)
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # may be another
    folder = Path(arguments[0]).parent
    sys.argv, sys.path[0], sys.stdin = arguments, str(folder), os.fdopen(0)
    sys.path[1:1] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    if folder != ROOT:  # another copy of the programme, or none
        for name in [name for name in sys.modules if name.split(".")[0] in OURS]:
            del sys.modules[name]
    try:
        runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as end:
        if not (isinstance(end.code, int) and end.code):
            raise
        atexit._run_exitfuncs()  # of what is refused; to tidy up all that was imported takes longer
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code)


if __name__ == "__main__":
    sys.path[0] = str(ROOT)
    become_what = serve()
    if become_what is not None:
        become(**become_what)
