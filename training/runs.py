"""Command lines that name a run directory: what they take over from it, and what a resumed run may change."""

import json
import logging
from pathlib import Path
from typing import Any

from hydra import compose
from omegaconf import DictConfig, OmegaConf

from training.config import leaves
from training.errors import GessoError
from training.files import atomic

log = logging.getLogger(__name__)

# What a resumed run may not change, as its checkpoints would not fit, and what of a model it may.
FIXED = ("model.", "image_size", "dataset._target_", "dataset.direction", "dataset.factor", "restart")
CHANGEABLE = (
    "model.optimizer.", "model.generator_optimizer.", "model.discriminator_optimizer.", "model.discriminator_steps",
    "model.augment", "model.instance_noise", "model.ema_decay",
)  # fmt: skip


def run_arguments(arguments: list[str]) -> list[str]:
    """The command line of `run=<run dir>`: the run's data set at its size, then what is given.

    Other command lines come back as they are. Raises `GessoError` if the folder is not a run directory.
    """
    folder = _given(arguments, "run")
    if folder is None:
        return arguments
    choices = OmegaConf.load(_hydra(folder, "run") / "hydra.yaml").hydra.runtime.choices
    config = OmegaConf.load(_hydra(folder, "run") / "config.yaml")
    stored = [f"dataset={choices.dataset}", f"image_size={config.image_size}"]
    if not any(argument.startswith("dataset=") for argument in arguments):
        values = OmegaConf.to_container(config.dataset).items()
        plain = {key: value for key, value in values if not str(value).startswith("${") and key != "_target_"}
        stored += [f"dataset.{key}={quoted(value)}" for key, value in plain.items()]
    return [*stored, *arguments]


def resume_arguments(arguments: list[str]) -> list[str]:
    """The command line of `resume=<run dir>`: the run's own overrides, then those given now, in its folder.

    Other command lines come back as they are. Raises `GessoError` if the folder is not a run directory.
    """
    folder = _given(arguments, "resume")
    if folder is None:
        return arguments
    stored = _overrides(_hydra(folder, "resume"))
    run = quoted(str(Path(folder)))
    return [
        *stored,
        *(argument for argument in arguments if not argument.startswith("resume=")),
        f"resume={run}",
        f"hydra.run.dir={run}",
        "hydra.output_subdir=null",  # what lies in .hydra/ is the run's, until we have checked the new one
    ]


def _given(arguments: list[str], key: str) -> str | None:
    """The folder that the last `key=<folder>` of a command line names."""
    values = [argument.partition("=")[2].strip("'\"") for argument in arguments if argument.startswith(f"{key}=")]
    return values[-1] if values and values[-1] not in ("", "null") else None


def _hydra(folder: str, key: str) -> Path:
    """Where a run directory keeps its configuration. Raises `GessoError` if it is none."""
    stored = Path(folder) / ".hydra"
    if not (stored / "config.yaml").is_file():
        raise GessoError(f"{key}={folder}: not a run directory, it has no .hydra/config.yaml.")
    return stored


def _overrides(stored: Path) -> list[str]:
    """The command line that a run directory keeps. What it interpolates is not resolved: it is of another tree."""
    return OmegaConf.to_container(OmegaConf.load(stored / "overrides.yaml"))


def quoted(value: Any) -> str:
    """As Hydra reads it on a command line."""
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, list):
        return f"[{','.join(map(quoted, value))}]"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def resumed(config: DictConfig, config_name: str) -> DictConfig:
    """The stored configuration of `config.resume`, changed where this command line changes it.

    The stored one counts even if the files in conf/ have changed since. It is written back, so that the next
    resume goes on from it. Raises `GessoError` where the change would not fit the checkpoints.
    """
    folder = Path(config.resume) / ".hydra"
    stored = OmegaConf.load(folder / "config.yaml")
    before = dict(leaves(compose(config_name, _overrides(folder))))
    changes = {k: v for k, v in leaves(config) if k != "resume" and (k not in before or before[k] != v)}
    for key, value in changes.items():
        if key.startswith(FIXED) and not key.startswith(CHANGEABLE):
            raise GessoError(
                f"{key}={value} would change what {config.resume} began with (there: "
                f"{OmegaConf.select(stored, key)}), and its checkpoints would not fit. Start a new run instead."
            )
        log.info("%s: %s -> %s", key, OmegaConf.select(stored, key), value)
        OmegaConf.update(stored, key, value, force_add=True)
    with atomic(folder / "config.yaml") as path:
        path.write_text(OmegaConf.to_yaml(stored))
    return OmegaConf.merge(stored, {"resume": config.resume})
