"""Reads what a run directory keeps of its configuration, as if a stranger had written it: sometimes one has.

A composed configuration is data, and yet it can do much: interpolations read the environment, keys of Hydra's own
call functions, a few lines of YAML unfold to gigabytes. Here is what a stored one may hold; what it names to be
built is looked at where it is built (`core.instantiate`).
"""

import io
import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from core.config import CONF
from core.errors import GessoError
from core.files import read_small

LARGEST = 2**18  # bytes of a YAML file: ours have less than 20 thousand
LONGEST = 2**13  # characters of an override: lists take Hydra's parser the square of their length
DEEPEST = 30  # levels of nesting
MOST = 10_000  # values and groups of values, once references are followed: ours have some hundred

KEY = re.compile(r"\w+([./]\w+)*")
OPTION = re.compile(r"\w[\w-]*(/\w[\w-]*)*")
REFERENCE = re.compile(r"\$\{(\w+(?:\.\w+)*)\}")
OF_GESSO = re.compile(r"\$\{oc\.env:GESSO_\w+(,[^${}]*)?\}[^$]*")  # variables that hold no secrets


def load(path: Path) -> DictConfig | ListConfig:
    """Reads a YAML file of a run directory, with its interpolations as they are. Raises `GessoError`.

    Aliases, which unfold, are refused: no file that Gesso writes has any.
    """
    try:
        text, depth = read_small(path, LARGEST).decode("utf-8"), 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth > DEEPEST:
                raise GessoError(
                    f"{path} is refused: no configuration of Gesso has aliases or is nested so deeply."
                )
        return OmegaConf.load(io.StringIO(text))
    except FileNotFoundError:
        raise GessoError(f"There is no {path}: this is not a whole run directory.") from None
    except OSError as error:
        raise GessoError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (yaml.YAMLError, OmegaConfBaseException, UnicodeError, ValueError) as error:
        raise GessoError(f"{path} is damaged: {str(error).splitlines()[0]}.") from error


def load_config(path: Path) -> DictConfig:
    """Reads a composed configuration, unresolved, that may refer to its own keys and to no more of this machine.

    Raises `GessoError` for one that refers to the environment or unfolds without end, or whose data set has a group
    of keys where a value belongs.
    """
    config = load(path)
    plain = OmegaConf.to_container(config)
    if not isinstance(plain, dict):
        raise GessoError(f"{path} is no configuration.")
    for key, value in _values(plain):
        _refers(f"{path}: {key}", value)
    check_unfolds(plain, path)
    dataset = plain.get("dataset")
    for key, value in dataset.items() if isinstance(dataset, dict) else ():
        if not KEY.fullmatch(str(key)):
            raise GessoError(f"{path}: dataset.{key} is refused, it is no name of a key.")
        _check_plain(f"{path}: dataset.{key}", value)
    return config


def check_unfolds(plain: dict[str, Any], where: Path | str) -> None:
    """Raises `GessoError` for a configuration whose references unfold without end, or to very much."""
    try:
        if sum(1 for _ in islice(_unfolded(plain, plain), MOST + 1)) > MOST:
            raise GessoError(f"{where} is refused, its references unfold to more than {MOST} values.")
    except RecursionError:
        raise GessoError(f"{where} is refused, its references go round in circles.") from None


def check_kept(config: DictConfig, overrides: Sequence[str]) -> None:
    """Raises `GessoError` for values of a new run, and `overrides`, that would be refused when it is read again."""
    for text in overrides:
        if len(text) > LONGEST:
            raise GessoError(f"{text[:60]} ... is longer than {LONGEST} characters: write it to a YAML file.")
    for key, value in _values(OmegaConf.to_container(config)):
        try:
            _refers(key, value)
        except GessoError:
            raise GessoError(
                f"{key}={value}: a run keeps its configuration as it is typed, and reads nothing of the "
                "environment when it goes on. Have the shell put the value there: dataset.root=$DATA/pictures."
            ) from None


def load_choices(path: Path, *needed: str) -> dict[str, str]:
    """Reads which option of each group a run was composed of, from its hydra.yaml.

    Raises `GessoError` for what is no name of an option, and where a group is missing that is `needed`.
    """
    node = _look_up(OmegaConf.to_container(load(path)), "hydra.runtime.choices")
    node = node if isinstance(node, dict) else {}
    choices = {group: option for group, option in node.items() if isinstance(option, str)}
    for group, option in choices.items():
        if not OPTION.fullmatch(option) and not re.fullmatch(r"\[[\w, '-]*\]", option):
            raise GessoError(f"{path}: {group}={option} is refused, it is no name of an option.")
    if missing := [group for group in needed if group not in choices]:
        raise GessoError(
            f"{path} does not say which {missing[0]}= the run was composed of (hydra.runtime.choices)."
        )
    return choices


def load_script(path: Path) -> str | None:
    """Reads the name of the script that made a run from its hydra.yaml; None where it is not known."""
    name = _look_up(OmegaConf.to_container(load(path)), "hydra.job.name")
    return name if isinstance(name, str) and OPTION.fullmatch(name) else None


def load_overrides(path: Path) -> list[str]:
    """Reads the command line that began a run, without what only the user at the keyboard may say.

    That is how Hydra works (`hydra.*`, flags), several values at once, files as options of groups, and references
    to the environment. Raises `GessoError`.
    """
    overrides = OmegaConf.to_container(load(path))
    if not isinstance(overrides, list):
        raise GessoError(f"{path} is no list of overrides.")
    parser, plain_keys = OverridesParser.create(), OmegaConf.load(CONF / "train.yaml").keys()
    for text in overrides:
        if isinstance(text, str) and len(text) > LONGEST:
            raise GessoError(f"{path}: {text[:60]} ... is refused, it is longer than {LONGEST} characters.")
        try:
            override = parser.parse_override(text) if isinstance(text, str) else None
        except (HydraException, RecursionError):
            override = None
        if override is None or override.is_sweep_override():
            raise GessoError(f"{path}: {text} is refused, it is not one key with one value.")
        key, value = override.key_or_group, override.value()
        if not KEY.fullmatch(key) or override.package is not None:
            raise GessoError(f"{path}: {text} is refused, it is not one key with one value.")
        of_hydra = re.split("[./]", key)[0] == "hydra"
        if of_hydra and (key != "hydra.run.dir" or override.type is not OverrideType.CHANGE):
            raise GessoError(f"{path}: {text} is refused, a run directory must not say how Hydra works.")
        if sum(_refers(f"{path}: {name}", part) for name, part in _values(value, key)) > 1:
            raise GessoError(f"{path}: {text} is refused, it refers to several keys at once.")
        options = [str(option) for _, option in _values(value)]
        fine = all(OPTION.fullmatch(option) for option in options)
        if not (
            CONF / key
        ).is_dir():  # any but our own keys may be a group, of a folder that Hydra or the user adds
            fine = "." in key or key in plain_keys or not any(".." in option for option in options)
        if not fine:
            raise GessoError(f"{path}: {text} is refused, it names no option of {key}= in conf/.")
        if key.startswith("dataset."):
            _check_plain(f"{path}: {key}", value)
    return overrides


def check_folder(folder: Path, names: Sequence[str] | None = None) -> None:
    """Raises `GessoError` where a link in a run directory leads out of it, and for what is neither file nor folder.

    A run writes there, and waits for ever for a pipe. Of a folder that is to become one, `names` are those that it
    will have written to; else all.
    """
    inside = folder.resolve()
    for parent, folders, files in os.walk(folder):
        if names is not None and Path(parent) == folder:
            folders[:] = [name for name in folders if name in names]
            files = [name for name in files if name in names]
        for path in (Path(parent, name) for name in (*folders, *files)):
            if path.exists() and not (path.is_file() or path.is_dir()):
                raise GessoError(f"{path} is refused: it is neither a file nor a folder.")
            if path.is_symlink() and not path.resolve().is_relative_to(inside):
                raise GessoError(
                    f"{path} is a link that leads out of the run directory, to {os.readlink(path)}. A run "
                    "writes only what is its own: put the file itself there, or remove the link."
                )


def _values(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields all that is neither a mapping nor a list, by its key, however deep."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else None
    if items is None:
        yield prefix, node
    else:
        for key, value in items:
            yield from _values(value, f"{prefix}.{key}" if prefix else str(key))


def _refers(key: str, value: Any) -> bool:
    """Says whether `value` stands for another key's. Raises `GessoError` if it refers to anything else."""
    if not isinstance(value, str) or "${" not in value or OF_GESSO.fullmatch(value):
        return False
    if REFERENCE.fullmatch(value):
        return True
    if value in _of_conf():
        return False
    raise GessoError(
        f"{key}={value} is refused. A stored configuration may refer to its own keys, as ${{image_size}}, and to "
        "the environment only as conf/ and conf/local/default.yaml do. Put the value itself there."
    )


def _unfolded(node: Any, config: dict[str, Any], within: tuple[str, ...] = ()) -> Iterator[Any]:
    """Yields all values and groups of values once references are followed. Raises `RecursionError` for circles."""
    yield node
    named = REFERENCE.fullmatch(node) if isinstance(node, str) else None
    if named is not None:
        if node in within:
            raise RecursionError(node)
        yield from _unfolded(_look_up(config, named[1]), config, (*within, node))
    parts = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for part in parts:
        yield from _unfolded(part, config, within)


def _look_up(node: Any, key: str) -> Any:
    """Returns what stands under a key, as it is; None if nothing does."""
    for name in key.split("."):
        node = node.get(name) if isinstance(node, dict) else None
    return node


def _of_conf() -> set[str]:
    """Finds the values in our own YAML files that refer to more than keys."""
    texts = (file.read_text(encoding="utf-8", errors="replace") for file in CONF.rglob("*.yaml"))
    line = re.compile(r"^\s*\w+: (.*\$\{.*?)(?: +#.*)?$", re.MULTILINE)
    return {value.strip("'\"") for text in texts for value in line.findall(text)}


def _check_plain(key: str, value: Any) -> None:
    """Raises `GessoError` for anything but a value or a list of values."""
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict | list):
            raise GessoError(f"{key} is refused: it is a group of keys where a value belongs.")
