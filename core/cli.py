"""What every script does around its task: compose, turn errors into words, set exit codes, split sweeps."""

import io
import logging
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from core.checks import BLOCKS, check_values, without_blocks
from core.config import check_types, explain
from core.errors import GessoError
from core.overrides import quoted
from core.results import in_short, read_result

log = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parent.parent


def main(
    config_name: str,
    files: Collection[str] = (),
    aliases: Mapping[str, str] | None = None,
    arguments: Callable[[list[str]], list[str]] = list,
) -> Callable[[Callable[[DictConfig], Any]], Callable[[], None]]:
    """Decorates a script's task: `@main("train") def train(config): ...`.

    Composes `conf/<config_name>.yaml` with the command line by Hydra and runs the task. Exit code 0 on success,
    1 with one message for what the user can mend, 130 on Ctrl-C. Each job of a sweep (`-m`) is a process of its
    own, so that it gives exactly what the same command gives alone.

    Values of the keys `files` may be any file's name, without Hydra's quotes. `aliases` are other names of keys,
    for those that Hydra would take for a group. `arguments` rewrites the command line before Hydra sees it.
    """

    def decorate(task: Callable[[DictConfig], Any]) -> Callable[[], None]:
        def run() -> None:
            tracebacks = os.environ.get("HYDRA_FULL_ERROR")
            script = str(Path(sys.argv[0]).absolute())  # not so in the processes that some launchers start

            def job(config: DictConfig) -> Any:
                if HydraConfig.get().mode == RunMode.MULTIRUN:
                    return _in_fresh_process(script)
                with _errors_in_words(tracebacks):
                    check_types(config, config_name, HydraConfig.get().runtime.choices)
                    check_values(config)
                    return task(without_blocks(config))

            with _errors_in_words(tracebacks, config_name):
                sweep = not {"-m", "--multirun"}.isdisjoint(sys.argv)
                sys.argv[1:] = arguments([_plain(a, files, aliases or {}, sweep) for a in sys.argv[1:]])
                os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra is to raise its errors, we to word them
                OmegaConf.register_new_resolver("gesso.slug", _slug, replace=True)
                with _keys_alone():
                    hydra.main(version_base="1.3", config_path=str(ROOT / "conf"), config_name=config_name)(job)()

        return run

    return decorate


def _plain(argument: str, files: Collection[str], aliases: Mapping[str, str], sweep: bool) -> str:
    """An override as Hydra reads it: keys by their own names, file names in quotes; of a sweep, each of several."""
    key, equals, value = argument.partition("=")
    file = key in files or value.startswith("~")  # which Hydra cannot read
    if equals and file and value not in ("", "null") and not value.startswith(("[", "'", '"')):
        names = value.split(",") if sweep and not Path(value).expanduser().exists() else [value]
        value = ",".join(quoted(os.path.expanduser(name)) for name in names)  # the shell leaves `key=~/a.jpg`
    return f"{aliases.get(key, key)}{equals}{value}"


@contextmanager
def _keys_alone() -> Iterator[None]:
    """Leaves what is no key out of what `--help` and `--cfg` print: blocks, and files that others build on."""
    if {"--help", "-h", "--cfg", "-c"}.isdisjoint(sys.argv):
        yield
        return
    block = rf"^( *)(?:{'|'.join(BLOCKS)}):\n(?:\1(?: |-).*\n)*"
    with redirect_stdout(io.StringIO()) as printed:
        try:
            yield
        finally:
            sys.__stdout__.write(re.sub(rf"{block}|^\w+/base: .*\n", "", printed.getvalue(), flags=re.MULTILINE))


class _errors_in_words:
    """Turns what the user can mend into one message and exit code 1; with `tracebacks`, lets it through."""

    def __init__(self, tracebacks: str | None, config_name: str | None = None):
        self.tracebacks = tracebacks
        self.config_name = config_name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, KeyboardInterrupt):
            print("\nInterrupted.", file=sys.stderr)
            sys.exit(130)
        if not isinstance(error, Exception) or self.tracebacks == "1":
            return
        message = self._message(error)
        if message is None:
            return
        if self.config_name is None:
            log.error("Error: %s", message)  # inside the task: also in the run's log file
        else:
            print(f"Error: {message}", file=sys.stderr)
        sys.exit(1)

    def _message(self, error: Exception) -> str | None:
        if isinstance(error, GessoError):
            return str(error)
        if isinstance(error, HydraException | OmegaConfBaseException):
            return _explained(error, self.config_name)
        if isinstance(error, OSError):
            return f"{error.filename}: {error.strerror}." if error.filename else str(error)
        if type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's; not imported for its name alone
            return (
                "Out of memory. Less is needed with a smaller batch_size, image_size or model width in training, "
                "and a smaller tile or size in painting."
            )
        return None


def _explained(error: Exception, config_name: str | None) -> str:
    if config_name is None:
        return str(error)
    hydra.core.global_hydra.GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return explain(error, config_name, sys.argv[1:])


def _in_fresh_process(script: str) -> float | None:
    """Runs this job of a sweep as the same command alone would, in the job's folder of the sweep.

    A process that trained once is not fresh: TensorFlow keeps memory, names and random state. A job that the same
    sweep, interrupted, has finished is not done again, and one that it began goes on from its last checkpoint.
    Returns the value that jobs are compared by, if they say one: what Hydra's sweepers optimise.
    """
    config = HydraConfig.get()
    folder, overrides = Path(config.runtime.output_dir), OmegaConf.to_container(config.overrides.task)
    before = read_result(folder)
    if before is not None and before["overrides"] == in_short(overrides):
        log.info("Done before: %s", folder)
        return before["values"][before["objective"]]
    command = [sys.executable, script, *overrides, f"hydra.run.dir={quoted(str(folder))}"]
    environment = {key: value for key, value in os.environ.items() if key != "HYDRA_FULL_ERROR"}
    child = subprocess.Popen(command, env=environment)
    with _passing_on(signal.SIGTERM, child):
        try:
            code = child.wait()
        except KeyboardInterrupt:
            child.wait()  # it got the signal too, and is saving
            raise
    if code in (128 + signal.SIGINT, 128 + signal.SIGTERM):
        given = [argument for argument in sys.argv[1:] if not argument.startswith("hydra.sweep.dir=")]
        again = shlex.join([*given, f"hydra.sweep.dir={quoted(config.sweep.dir)}"])
        log.info("The sweep is interrupted. To go on: python %s %s", Path(script).name, again)
        raise KeyboardInterrupt
    if code:
        raise GessoError(f"The job {' '.join(overrides)} of the sweep failed (exit code {code}).")
    result = read_result(folder)
    return None if result is None else result["values"][result["objective"]]


@contextmanager
def _passing_on(number: int, child: subprocess.Popen) -> Iterator[None]:
    """Gives a signal on to a child, which else would go on alone. Only the main thread hears of signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, lambda *_: child.send_signal(number))
    try:
        yield
    finally:
        signal.signal(number, before)


def _slug(overrides: str) -> str:
    """What sets a job of a sweep apart, as a folder name that needs no quoting in a shell or in Hydra.

    Overrides that stand on the command line as they are are the same for all jobs.
    """
    overrides = f",{overrides},".replace(r"$\{", "${").replace(r"\}", "}")  # a sweep escapes what interpolates
    for argument in sys.argv:  # `metrics=[fid,kid]` is one, comma or not
        overrides = overrides.replace(f",{argument},", ",")
    return re.sub(r"[^\w.+-]", "-", "_".join(filter(None, overrides.split(","))))[:120]
