"""Hydra's `compose` with a memory: what groups make is composed once, and each command line sets its values in it.

Hydra reads and merges some thirty files for a command line, a tenth of a second and more, half of it for reading;
tests have hundreds.
"""

import copy
import functools
import os
from collections.abc import Sequence
from typing import IO

import hydra
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from core.config import CONF

real, load = hydra.compose, OmegaConf.load


def remember_files() -> None:
    """Has files in `conf/` read once, as long as they stay as they are."""
    OmegaConf.load = _load


def _load(file: str | os.PathLike | IO) -> DictConfig:
    path = os.path.realpath(file if isinstance(file, str | os.PathLike) else getattr(file, "name", ""))
    if not path.startswith(f"{CONF}{os.sep}"):
        return load(file)
    return copy.deepcopy(_read(path, os.stat(path).st_mtime_ns))


@functools.cache
def _read(path: str, changed: int) -> DictConfig:
    return load(path)


def compose(
    config_name: str | None = None, overrides: Sequence[str] = (), return_hydra_config: bool = False
) -> DictConfig:
    """Composes what `hydra.compose` would."""
    overrides = list(overrides)
    parsed = OverridesParser.create().parse_overrides(overrides)
    if any(_is_special(override) for override in parsed):
        return real(config_name, overrides, return_hydra_config=return_hydra_config)
    groups = [override for override in parsed if (CONF / override.key_or_group).is_dir()]
    place = str(GlobalHydra.instance().config_loader().get_search_path())
    found = _of_groups(place, config_name, tuple(group.input_line for group in groups), return_hydra_config)
    config = copy.deepcopy(found)
    ConfigLoaderImpl._apply_overrides_to_config([one for one in parsed if one not in groups], config)
    if return_hydra_config:
        config.hydra.overrides.task = overrides
    return config


@functools.cache
def _of_groups(place: str, config_name: str, groups: tuple[str, ...], whole: bool) -> DictConfig:
    return real(config_name, list(groups), return_hydra_config=whole)


def _is_special(override) -> bool:
    key = override.key_or_group
    return override.is_delete() or override.package or override.is_sweep_override() or key.startswith("hydra")
