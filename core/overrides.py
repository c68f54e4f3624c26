"""Command lines: what they give, what they take over from a run directory, and how their values are written."""

import itertools
import json
import os
import re
import shlex
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import OverrideParseException
from omegaconf import OmegaConf

from core.config import CONF, LISTS
from core.errors import GessoError
from core.run import Run

# Hydra's flags that are followed by a value.
WHERE = ("--config-dir", "-cd", "--config-name", "-cn")  # flags that say where YAML files lie
VALUED = ("--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--experimental-rerun", *WHERE)
ALONE = (
    "--help", "-h", "--hydra-help", "--version", "--resolve", "--run", "-r", "--multirun", "-m", "--info", "-i",
    "--shell-completion", "-sc",
)  # fmt: skip

# Keys that name files and folders of pictures, to learn from or to compare with.
PICTURES = (
    "model.style", "dataset.root", "dataset.a", "dataset.b", "dataset.source", "dataset.target",
    "dataset.style_root", "dataset.csv",
)  # fmt: skip


def refuse_empty(arguments: Sequence[str]) -> None:
    """Raises `GessoError` for `key=` without a value, as a shell makes it of a variable that is not set.

    And for several options of a group that takes one, which Hydra would merge into one that nobody means.
    """
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if equals and not value and not argument.startswith("-"):
            raise GessoError(f"{argument} has no value. Give it one, or leave it out; null stands for none.")
        if value.startswith("[") and key not in LISTS and (CONF / key).is_dir():
            raise GessoError(f"{argument}: {key}= takes one. For a run of each, -m {key}={value.strip('[]')}")


def run_arguments(arguments: list[str]) -> list[str]:
    """Puts before a command line what `network=`, a run directory or a file in one, says: its data set at its size.

    Then what is given. Other command lines come back as they are.
    """
    given = given_value(arguments, "network")
    run = None if given is None else Run.of(Path(given, "any file") if Path(given).is_dir() else given)
    if run is None:
        return arguments
    config = run.load_config()
    size = config.get("image_size")
    if type(size) is not int or not OmegaConf.is_dict(config.get("dataset")):
        raise GessoError(f"{run.config} is damaged: it has no image_size, a whole number, or no dataset.")
    own = [f"dataset={run.choices('dataset').dataset}", f"image_size={size}"]
    if not any(argument.startswith("dataset=") for argument in arguments):
        values = OmegaConf.to_container(config.dataset).items()
        there = ("_target_", "cache_dir")  # the cache is this machine's
        plain = {key: value for key, value in values if not str(value).startswith("${") and key not in there}
        own += [f"dataset.{key}={quoted(value)}" for key, value in plain.items()]
    return put_before(own, arguments)


def is_sweep(arguments: Collection[str]) -> bool:
    """Says whether a command line asks for a sweep."""
    return not {"-m", "--multirun"}.isdisjoint(arguments)


def put_before(own: list[str], arguments: list[str]) -> list[str]:
    """Puts overrides before those of a command line, and Hydra's flags, `--cfg job`, after all of them."""
    flags, others, waiting = [], [], iter(arguments)
    for argument in waiting:
        if not argument.startswith("-"):
            others.append(argument)
            continue
        flags.append(argument)
        if argument in VALUED and (value := next(waiting, None)) is not None:
            flags.append(value)
    return [*own, *others, *flags]


def flags(arguments: list[str]) -> list[str]:
    """Returns those of a command line that say where YAML files lie, which any command for the same run needs."""
    kept, left = [], iter(arguments)
    for argument in left:
        name, _, value = argument.partition("=")
        if name in WHERE:
            kept += [argument] if value else [argument, *itertools.islice(left, 1)]
    return kept


def refuse_dashes(arguments: Sequence[str]) -> None:
    """Raises `GessoError` for an option as other programs have them, `--steps=3` or `--steps 3`."""
    for argument, behind in itertools.zip_longest(arguments, arguments[1:], fillvalue=""):
        found = re.fullmatch(r"--?([A-Za-z_][\w.-]*)(=.*)?", argument, re.DOTALL)
        if found and argument.partition("=")[0] not in (*VALUED, *ALONE):
            plain = behind if behind and "=" not in behind and not behind.startswith("-") else "<value>"
            meant = f"{found[1]}{found[2] or f'={plain}'}"
            raise GessoError(f"{argument}: options have no dashes here: {meant}. --help lists them.")


def given_value(arguments: list[str], key: str) -> str | None:
    """Finds the value, such as a folder's name, that the last `key=<value>` of a command line gives.

    As it stands, if there is a file of that name, else as Hydra reads it. None if there is none, or there are
    several, as in sweeps.
    """
    given = [argument for argument in arguments if argument.startswith(f"{key}=")]
    if not given:
        return None
    value = given[-1].partition("=")[2].strip("'\"")
    if not (value and os.path.exists(os.path.expanduser(value))):
        with suppress(OverrideParseException):
            value = OverridesParser.create().parse_overrides(given[-1:])[0].value()
    if value in (None, "") or not isinstance(value, str | int | float):
        return None
    name = re.sub(r"(\\*)\\\$\{", lambda found: found[1][::2] + "${", str(value))  # as `quoted_name` writes it
    return os.path.expanduser(name)  # the shell leaves `key=~/run` as it is


def own_overrides() -> list[str]:
    """Lists what this job's command line gives, as it stands: `${...}` in it is of another tree than Hydra's."""
    return OmegaConf.to_container(HydraConfig.get().overrides.task)


def refuse_keys(keys: Collection[str], overrides: Iterable[str], where: str) -> None:
    """Raises `GessoError` if one of a command line's `overrides` gives one of `keys`, which do nothing `where`."""
    for override in overrides:
        key = override.lstrip("+~").partition("=")[0]
        if key.split(".")[0] in keys:
            raise GessoError(f"{key}= has no effect {where}. Leave it out.")


def quoted(value: Any) -> str:
    """Writes a value as Hydra reads it on a command line."""
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, list):
        return f"[{','.join(map(quoted, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{quoted(item)}' for key, item in value.items())}}}"
    # Hydra takes a backslash for one, unless a quote follows.
    escaped = re.sub(r'(\\*)("|\Z)', lambda found: 2 * found[1] + found[2].replace('"', '\\"'), value)
    return f'"{escaped}"'


def quoted_name(value: Any) -> str:
    """Writes a value as `quoted` does, taken as it stands: a file's name may have `${` in it."""
    if isinstance(value, list):
        return f"[{','.join(map(quoted_name, value))}]"
    return quoted(re.sub(r"(\\*)\$\{", r"\1\1\\${", value) if isinstance(value, str) else value)


def typed(key: str, name: Any) -> str:
    """Writes `key=<name of a file or folder>` as it is typed at a shell."""
    plain = re.fullmatch(r"[\w./+-]+", str(name))
    return f"{key}={name}" if plain else shlex.quote(f"{key}={quoted_name(str(name))}")
