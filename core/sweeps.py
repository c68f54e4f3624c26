"""Sweeps: each job of `-m` is a process of its own, in a folder of its own."""

import logging
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString
from hydra.errors import HydraException, OverrideParseException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from core.errors import GessoError
from core.files import expanded, remove_empty, shortened
from core.logs import last_error, write_error
from core.overrides import flags, is_sweep, own_overrides, quoted_name, typed
from core.results import in_short, read_result
from core.resume import announce
from core.run import Run
from core.signals import endings, heard

log = logging.getLogger(__name__)

SWEEP = "multirun.yaml"  # as Hydra calls it


def in_fresh_process(script: str, rewritten: Callable[[list[str]], list[str]] = list) -> float | None:
    """Runs this job of a sweep as the same command alone would, in the job's folder of the sweep.

    A process that trained once is not fresh: TensorFlow keeps memory, names and random state. A job that the same
    sweep, interrupted, has finished is not done again, and one that it began goes on from its last checkpoint.
    `rewritten` is what the script makes of its command line, which is what its result keeps. Returns the value that
    jobs are compared by, if they say one: what Hydra's sweepers optimise.
    """
    config = HydraConfig.get()
    run, overrides = Run(config.runtime.output_dir), own_overrides()
    before = read_result(run)
    if before is not None and before["overrides"] == in_short(rewritten(overrides)):
        log.info("Done before: %s", run.folder)
        return before["values"][before["objective"]]
    if not run.overrides.is_file():
        announce(run)  # one that fails at once has been begun, too
    command = [
        sys.executable,
        script,
        *flags(sys.argv[1:]),
        *overrides,
        f"hydra.run.dir={quoted_name(str(run.folder))}",
    ]
    environment = {key: value for key, value in os.environ.items() if key != "HYDRA_FULL_ERROR"}
    child = subprocess.Popen(command, env=environment)
    with _passing_on(child):
        try:
            code = child.wait()
        except KeyboardInterrupt:
            child.wait()  # it got the signal too, and is saving
            code = 128 + signal.SIGINT
    if code in [128 + number for number in (signal.SIGINT, *endings())]:
        given = [argument for argument in sys.argv[1:] if not argument.startswith("hydra.sweep.dir=")]
        again = shlex.join([*given, f"hydra.sweep.dir={quoted_name(config.sweep.dir)}"])
        log.info("The sweep is interrupted. To go on: python %s %s", Path(script).name, again)
        raise KeyboardInterrupt
    if code:
        how = f"ended by signal {-code}" if code < 0 else f"exit code {code}"
        log_file = run.folder / f"{config.job.name}.log"
        if last_error(log_file) is None:
            write_error(f"It said nothing: {how}.")
        hint = f" python compare.py {typed('runs', config.sweep.dir)} lists all." * (config.job.name == "train")
        raise GessoError(f"The job {' '.join(overrides)} of the sweep failed ({how}): {last_error(log_file)}{hint}")
    result = read_result(run)
    return None if result is None else result["values"][result["objective"]]


def of_sweep(folder: str | Path) -> bool:
    """Says whether a run in `folder` is a job of a sweep."""
    return (Path(folder).parent / SWEEP).is_file()


def check_output(arguments: list[str]) -> None:
    """Raises `GessoError` for the command line of a sweep whose jobs would overwrite each other's `output=`."""
    if not is_sweep(arguments):
        return
    try:
        parsed = OverridesParser.create().parse_overrides([text for text in arguments if not text.startswith("-")])
    except OverrideParseException:  # which Hydra will say itself
        return
    given = {override.key_or_group: override for override in parsed}
    swept = [key for key, override in given.items() if override.is_sweep_override()]
    if "output" in given and "output" not in swept and set(swept) - {"content"}:  # whose results have its names
        raise GessoError(
            f"output= would be the same for each {' and '.join(swept)} of this sweep, and pictures would overwrite "
            "each other. Leave it out: each job has a folder of its own."
        )
    if "content" not in swept or "output" not in given:
        return
    contents = [expanded(value) for value in _values(given["content"])]
    for output in map(expanded, _values(given["output"])):
        if output.suffix and not output.is_dir() and not all(content.is_dir() for content in contents):
            raise GessoError(f"output={output} would be one file for each content= of this sweep. Name a folder.")
    named = Counter(stem for content in contents for stem in _stems(content))
    if twice := [stem for stem, times in named.items() if times > 1]:
        raise GessoError(
            f"Several of this sweep's content= are called {twice[0]}, and would overwrite each other in output=. "
            "Leave it out: each job has a folder of its own."
        )


def _values(override: Override) -> list[str]:
    """Returns what a key is given on a command line, or each of what it is swept over."""
    values = override.sweep_iterator() if override.is_sweep_override() else [override.value()]
    return [value.text if isinstance(value, QuotedString) else str(value) for value in values]


def _stems(content: Path) -> set[str]:
    """Returns the names, without suffix, of a file or of those in a folder, as disks may take them for the same."""
    files = [file for file in content.iterdir() if file.name[:1] != "."] if content.is_dir() else [content]
    return {file.stem.casefold() for file in files}


@contextmanager
def _passing_on(child: subprocess.Popen) -> Iterator[None]:
    """Gives signals to end on to a child, which else would go on alone. Only the main thread hears of signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with heard(lambda number, _: child.send_signal(number), endings()):
        yield


class SweepFolder(Callback):
    """Remembers where a sweep is written, which Hydra makes before it looks at the jobs' overrides."""

    folder: Path | None = None

    def on_multirun_start(self, config: DictConfig, **rest: Any) -> None:
        """Remembers the folder; called by Hydra."""
        SweepFolder.folder = Path(config.hydra.sweep.dir).absolute()


def remove_unbegun() -> None:
    """Removes the folder of a sweep if no job of it was begun."""
    folder = SweepFolder.folder
    if folder is not None and {path.name for path in folder.glob("*")} == {SWEEP}:
        (folder / SWEEP).unlink()
        remove_empty(folder)


def _as_hydra_writes(argument: str) -> str:
    """Returns an argument as the jobs of a sweep are given it: `{b: c}` without its space, `$\\{` for `${`."""
    try:
        override = OverridesParser.create().parse_override(argument)
        return f"{override.get_key_element()}={override.get_value_element_as_str()}"
    except HydraException:  # what is swept over, or of another command, in the processes that some launchers start
        return argument


def slug(overrides: str) -> str:
    """Makes a folder name of what sets a job of a sweep apart; it needs no quoting in a shell or in Hydra.

    Overrides that stand on the command line as they are are the same for all jobs.
    """
    overrides = f",{overrides},"
    for argument in map(_as_hydra_writes, sys.argv):  # `metrics=[fid,kid]` is one, comma or not
        overrides = overrides.replace(f",{argument},", ",")
    name = re.sub(r"[^\w.+-]", "-", "_".join(filter(None, overrides.split(","))))[:120]
    return shortened(name, 200)  # bytes, of the 255 that a name may have; its job's number stands before it
