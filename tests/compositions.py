"""Hydra's `compose` with a memory: what groups make is composed once, and each command line sets its values in it.

Hydra reads and merges some thirty files for a command line, a tenth of a second and more; tests have hundreds.
"""

import copy
import functools
from collections.abc import Sequence

import hydra
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

from core.config import CONF

real = hydra.compose


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
