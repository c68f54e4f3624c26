"""Command lines that name a run directory: what they take over from it, and what a resumed run may change."""

import copy
import json
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from core import stored
from core.checks import changeable, without_blocks
from core.config import leaves
from core.errors import GessoError
from core.files import atomic

log = logging.getLogger(__name__)

# Groups whose options have keys of their own: chosen anew, they are replaced, not merged.
REPLACED = {"loss": "loss", "penalty": "loss", "metrics": "metrics", "features": "features"}


def run_arguments(arguments: list[str]) -> list[str]:
    """The command line of `run=<run dir>`: the run's data set at its size, then what is given.

    Other command lines come back as they are. Raises `GessoError` if the folder is not a run directory.
    """
    folder = _given(arguments, "run")
    if folder is None:
        return arguments
    choices = stored.load_choices(_hydra(folder, "run") / "hydra.yaml", "dataset")
    config = stored.load_config(_hydra(folder, "run") / "config.yaml")
    own = [f"dataset={choices['dataset']}", f"image_size={config.image_size}"]
    if not any(argument.startswith("dataset=") for argument in arguments):
        values = OmegaConf.to_container(config.dataset).items()
        plain = {key: value for key, value in values if not str(value).startswith("${") and key != "_target_"}
        own += [f"dataset.{key}={quoted(value)}" for key, value in plain.items()]
    return [*own, *arguments]


def resume_arguments(arguments: list[str]) -> list[str]:
    """The command line of `resume=<run dir>`: the run's own overrides, then those given now, in its folder.

    Other command lines come back as they are. Raises `GessoError` if the folder is not a run directory.
    """
    folder = _given(arguments, "resume")
    if folder is None:
        return arguments
    own = stored.load_overrides(_hydra(folder, "resume") / "overrides.yaml")
    stored.check_folder(Path(folder))
    run = quoted(str(Path(folder)))
    return [
        *own,
        *(argument for argument in arguments if not argument.startswith("resume=")),
        f"resume={run}",
        f"hydra.run.dir={run}",
    ]


def _given(arguments: list[str], key: str) -> str | None:
    """The folder that the last `key=<folder>` of a command line names."""
    values = [argument.partition("=")[2].strip("'\"") for argument in arguments if argument.startswith(f"{key}=")]
    given = values and values[-1] not in ("", "null")
    return os.path.expanduser(values[-1]) if given else None  # the shell leaves `key=~/run` as it is


def _hydra(folder: str, key: str) -> Path:
    """Where a run directory keeps its configuration. Raises `GessoError` if it is none."""
    hydra = Path(folder) / ".hydra"
    if not (hydra / "config.yaml").is_file():
        raise GessoError(f"{key}={folder}: not a run directory, it has no .hydra/config.yaml.")
    return hydra


def quoted(value: Any) -> str:
    """As Hydra reads it on a command line."""
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, list):
        return f"[{','.join(map(quoted, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{quoted(item)}' for key, item in value.items())}}}"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def resumed(config: DictConfig, config_name: str, overrides: Sequence[str]) -> DictConfig:
    """The stored configuration of `config.resume`, changed where this command line changes it.

    The stored one counts even if the files in conf/ have changed since, and even where this command line says what
    the run began with, if it was changed in between. `overrides` are Hydra's, as `resume_arguments` made them.
    Raises `GessoError` where a change would not fit the checkpoints.
    """
    folder = Path(config.resume) / ".hydra"
    before, own = stored.load_config(folder / "config.yaml"), stored.load_overrides(folder / "overrides.yaml")
    named = [override.lstrip("+~").partition("=")[0] for override in overrides[len(own) :]]
    composed = hydra.compose(config_name, own)
    began = dict(leaves(without_blocks(composed)))
    goes_on = copy.deepcopy(before)
    for group in {REPLACED[name] for name in named if name in REPLACED}:
        goes_on[group] = config[group]
    for key, value in leaves(config):
        given = any(key == name or key.startswith(f"{name}.") for name in named)
        if key != "resume" and (given or key not in began or began[key] != value):
            OmegaConf.update(goes_on, key, value, merge=False, force_add=True)
    _check_changes(before, goes_on, config.resume, changeable(composed))
    goes_on.resume = config.resume
    return goes_on


def begin(config: DictConfig, folder: Path) -> None:
    """Writes what Hydra composed to `folder`, a new run's, as Hydra itself does for other scripts.

    The folder may be an interrupted run's (a sweep does its jobs again): it goes on. Raises `GessoError` if that
    one had another configuration, but for `steps`, and leaves it as it is.
    """
    config_file = folder / ".hydra" / "config.yaml"
    if config_file.is_file() and any(
        (*folder.glob("checkpoints/*.npz"), *folder.glob("restarts/*/checkpoints/*.npz"))
    ):
        changed = [
            change for change in _differences(stored.load_config(config_file), config) if change[0] != "steps"
        ]
        if changed:
            values = (f"{key} was {quoted(there)}, not {quoted(here)}" for key, there, here in changed[:3])
            raise GessoError(
                f"{folder} holds a run of another configuration: {'; '.join(values)}{' ...' * (len(changed) > 3)}. "
                f"Name another folder, or go on with that run: resume={folder}."
            )
    store(config, folder)
    hydra = HydraConfig.get()
    for name, content in {"hydra": OmegaConf.create({"hydra": hydra}), "overrides": hydra.overrides.task}.items():
        with atomic(folder / ".hydra" / f"{name}.yaml") as path:
            path.write_text(OmegaConf.to_yaml(content), encoding="utf-8")


def store(config: DictConfig, folder: Path) -> None:
    """Makes this configuration the one that a resume of `folder` goes on from.

    Of a resumed run, once its checkpoint has been read: what does not fit is to harm nothing.
    """
    with atomic(folder / ".hydra" / "config.yaml") as path:
        path.write_text(OmegaConf.to_yaml(OmegaConf.merge(config, {"resume": None})), encoding="utf-8")


def _check_changes(before: DictConfig, goes_on: DictConfig, folder: str, may_change: Callable[[str], bool]) -> None:
    """Logs them. Raises `GessoError` for one that does not fit checkpoints in `folder`."""
    penalties = [sorted(OmegaConf.select(config, "loss.penalties") or ()) for config in (before, goes_on)]
    changes = [("penalty", *penalties)] if penalties[0] != penalties[1] else []
    changes += _differences(before, goes_on)
    for key, there, here in changes:
        if key == "penalty" or not may_change(key):
            raise GessoError(
                f"{key}={quoted(here)} would change what {folder} began with (there: {quoted(there)}), and its "
                "checkpoints would not fit. Start a new run instead."
            )
        log.info("%s: %s -> %s", key, quoted(there), quoted(here))
    by_steps = [key for key, value in leaves(goes_on) if key.startswith("model.") and "${steps}" in str(value)]
    if by_steps and before.steps != goes_on.steps:
        log.warning("As if steps= had been %d from the start: %s", goes_on.steps, ", ".join(by_steps))


def _differences(there: DictConfig, here: DictConfig) -> list[tuple[str, Any, Any]]:
    """Each key whose value is not the same in two configurations, with the two values."""
    before, after = dict(leaves(there)), dict(leaves(here))
    return [(key, before.get(key), after.get(key)) for key in before | after if before.get(key) != after.get(key)]
