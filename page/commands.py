"""What is done on the page, as the command line that does the same: composed as a script would, and shown."""

import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from core.checks import check_inputs, check_values, without_blocks
from core.config import CONF, check_types
from core.network_file import check_networks
from core.overrides import quoted_name

Options = Mapping[str, Any]  # keys of a script; values that are files are `Path`s


@contextmanager
def composed(script: str, options: Options) -> Iterator[DictConfig]:
    """Gives what `python <script>.py` composes of these options, checked as it checks them.

    Hydra's own configuration is that of the script meanwhile, one for the whole process: only one at a time. Raises
    `GessoError`.
    """
    below_a_script, before = GlobalHydra.instance().is_initialized(), HydraConfig.instance().cfg
    overrides = [f"{key}={quoted_name(_plain(value))}" for key, value in options.items()]
    try:
        with nullcontext() if below_a_script else hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            config = hydra.compose(script, overrides, return_hydra_config=True)
            HydraConfig.instance().set_config(config)
            chosen = dict(config.hydra.runtime.choices)
            own = OmegaConf.masked_copy(config, [key for key in config if key != "hydra"])
            check_types(own, script, chosen)
        check_values(own)
        check_inputs(own)
        check_networks(own)
        yield without_blocks(own)
    finally:
        HydraConfig.instance().cfg = before


def shown(script: str, options: Options) -> str:
    """Writes the command line, for copying: files by their names alone, as they lie on the visitor's own disk."""
    words = [f"{key}={_named(value)}" for key, value in options.items()]
    return shlex.join(["python", f"{script}.py", *words])


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _named(value: Any) -> str:
    if isinstance(value, Path):
        return value.name
    if isinstance(value, list):
        return quoted_name([item.name if isinstance(item, Path) else item for item in value])
    if isinstance(value, str) and re.fullmatch(r"[\w./-]+", value):
        return value
    return quoted_name(value)
