"""Things that every script does around its task: compose, turn errors into words, set exit codes."""

import io
import logging
import os
import re
import shlex
import signal
import sys
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from core.checks import BLOCKS, check_inputs, check_values, without_blocks
from core.config import check_types, explain, options_of
from core.errors import GessoError, Stopped, refused_file
from core.files import printable_lines, relative, remove_empty
from core.logs import write_error
from core.network_file import check_networks, in_the_zoo
from core.overrides import flags, is_sweep, put_before, quoted_name, refuse_dashes, refuse_empty, typed
from core.signals import endings, heard
from core.sweeps import check_output, in_fresh_process, remove_unbegun, slug

log = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parent.parent


def main(
    config_name: str,
    files: Collection[str] = (),
    arguments: Callable[[list[str]], list[str]] = list,
) -> Callable[[Callable[[DictConfig], Any]], Callable[[], None]]:
    """Decorates a script's task: `@main("train") def train(config): ...`.

    Composes `conf/<config_name>.yaml` with the command line by Hydra and runs the task. Exit code 0 on success,
    1 with one message for what the user can mend, 130 on Ctrl-C, 143 when it is terminated, 129 when its terminal
    is closed. Each job of a sweep (`-m`) is a process of its own, so that it gives exactly what the same command
    gives alone.

    Values of the keys `files` may be any file's name, without Hydra's quotes. `arguments` rewrites the command line
    before Hydra sees it.
    """

    def decorate(task: Callable[[DictConfig], Any]) -> Callable[[], None]:
        def run() -> None:
            tracebacks = os.environ.get("HYDRA_FULL_ERROR")
            script = str(Path(sys.argv[0]).absolute())  # not so in the processes that some launchers start

            def job(config: DictConfig) -> Any:
                if HydraConfig.get().mode == RunMode.MULTIRUN:
                    return in_fresh_process(script, arguments)
                try:
                    with _errors_in_words(tracebacks):
                        groups = HydraConfig.get().runtime.choices
                        for key in check_types(config, config_name, groups):
                            log.warning("%s is left out: model=%s does not have it.", key, groups["model"])
                        check_values(config)
                        check_inputs(config)
                        check_networks(config)
                        return task(without_blocks(config))
                finally:
                    remove_empty(Path(HydraConfig.get().runtime.output_dir))

            with _errors_in_words(tracebacks, config_name), _tidy_when_terminated():
                refuse_dashes(sys.argv[1:])
                refuse_empty(sys.argv[1:])
                plain = [_plain(a, files, is_sweep(sys.argv)) for a in sys.argv[1:]]
                sys.argv[1:] = put_before([], arguments(plain))  # Hydra takes no options behind its flags
                check_output(sys.argv[1:])
                os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra is to raise its errors, we to word them
                OmegaConf.register_new_resolver("gesso.slug", slug, replace=True)
                OmegaConf.register_new_resolver("gesso.zoo", in_the_zoo, replace=True)
                OmegaConf.register_new_resolver("gesso.options", options_of, replace=True)
                composed = hydra.main(version_base="1.3", config_path=str(ROOT / "conf"), config_name=config_name)
                try:
                    with _keys_alone():
                        composed(job)()
                finally:
                    remove_unbegun()

        return run

    return decorate


@contextmanager
def _tidy_when_terminated() -> Iterator[None]:
    """Has SIGTERM, or a closed terminal, end the script as an exception would.

    What is empty is removed, what is painted is saved, and locks are given back.
    """

    def terminated(number: int, frame: Any) -> None:
        if number != signal.SIGTERM:  # the shell and the system both say that a terminal is closed
            signal.signal(number, signal.SIG_IGN)
        _say("\nTerminated.")
        sys.exit(128 + number)

    with heard(terminated, endings()):
        yield


def _say(text: str) -> None:
    with suppress(OSError):  # its terminal may be closed
        print(text, file=sys.stderr)


def _plain(argument: str, files: Collection[str], sweep: bool) -> str:
    """Returns an override as Hydra reads it, file names in quotes; of a sweep, each of several."""
    key, equals, value = argument.partition("=")
    file = key in files or value.startswith("~")  # which Hydra cannot read
    there = file and os.path.exists(os.path.expanduser(value))
    if equals and file and value not in ("", "null") and (there or not value.startswith(("[", "'", '"'))):
        names = value.split(",") if sweep and not there else [value]
        value = ",".join(quoted_name(os.path.expanduser(name)) for name in names)  # the shell leaves `key=~/a.jpg`
    return f"{key}{equals}{value}"


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
        if isinstance(error, HydraException) and isinstance(error.__cause__, KeyboardInterrupt | SystemExit):
            error = error.__cause__  # Hydra wraps all that ends its composing
        if isinstance(error, SystemExit):
            sys.exit(error.code)
        if isinstance(error, KeyboardInterrupt):
            _say("\nInterrupted.")
            sys.exit(130)
        if isinstance(error, Stopped):
            folder = relative(Path(HydraConfig.get().runtime.output_dir))
            again = " ".join([typed("resume", folder), *map(shlex.quote, flags(sys.argv[1:]))])
            log.info("Interrupted. To go on: python %s %s", Path(sys.argv[0]).name, again)
            sys.exit(128 + error.signal)
        if not isinstance(error, Exception):
            return
        message = None if self.tracebacks == "1" else self._message(error)
        if message is None:
            if self.config_name is None:
                write_error(f"{type(error).__name__}: {error}", error)
            return
        if self.config_name is None:
            log.error("Error: %s", message)  # inside the task: also in the run's log file
        else:
            print(printable_lines(f"Error: {message}"), file=sys.stderr)
        sys.exit(1)

    def _message(self, error: Exception) -> str | None:
        if isinstance(error, GessoError):
            return str(error)
        if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
            mark = error.problem_mark
            return f"{relative(Path(mark.name))}, line {mark.line + 1}: {error.problem}. This is no YAML."
        if isinstance(error, HydraException | OmegaConfBaseException):
            return _explained(error, self.config_name)
        if self.config_name is not None and _of_hydra(error):
            if nothing := [a for a in sys.argv[1:] if a.endswith("=null") and (ROOT / "conf" / a[:-5]).is_dir()]:
                group = nothing[0].removesuffix("=null")
                none = {"penalty": "'penalty=[]'", "experiment": "leave it out"}.get(group)
                advice = f"for none of them, {none}" if none else "one of them is needed"
                return f"{nothing[0]}: groups take names of their options; {advice}."
            return f"{error}. It cannot be composed: groups (model=, dataset=, ...) take names of their options."
        if isinstance(error, RecursionError):
            return "Folders, or what a file says, are nested more deeply than can be read."
        if isinstance(error, OSError):
            return f"{error.filename}: {error.strerror}." if error.filename else str(error)
        if type(error).__module__.startswith("tensorflow") and (said := refused_file(str(error))):
            return said
        if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's
            return (
                "Out of memory. Less is needed with a smaller batch_size, image_size or model width in training, "
                "and a smaller tile or size in painting."
            )
        return None


def _of_hydra(error: Exception) -> bool:
    """Whether Hydra fell over what it was told, before it called anything of ours: `penalty=[{a:1}]`, `model=5`."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    ours = any(frame.f_code.co_filename == __file__ and frame.f_code.co_name == "job" for frame in frames)
    return not ours and frames[-1].f_globals.get("__name__", "").partition(".")[0] in ("hydra", "omegaconf")


def _explained(error: Exception, config_name: str | None) -> str:
    if config_name is None:
        return str(error)
    hydra.core.global_hydra.GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return explain(error, config_name, sys.argv[1:])
