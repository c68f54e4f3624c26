"""Builds what a configuration names: the one door from YAML to Python."""

import re
from typing import Any

import hydra.utils
from omegaconf import DictConfig, OmegaConf

from core.errors import GessoError

# `_target_` is a function call by name. A configuration may come from a stranger: no `os.system`, no `eval`.
PACKAGES = ("data.", "losses.", "metrics.", "models.", "training.", "keras.")


def build(config: DictConfig, **arguments: Any) -> Any:
    """Calls `config._target_` with the keys of `config` and `arguments`, nested targets first.

    A configuration without a `_target_` gives a dictionary of what its keys give.

    Raises `GessoError` for a target outside of Gesso and Keras, or one that does not take a key.
    """
    plain = OmegaConf.to_container(config, resolve=True)
    _check_targets(plain)
    try:
        return hydra.utils.instantiate(plain, **arguments, _convert_="all")
    except hydra.errors.InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, GessoError):
            raise cause from None
        if isinstance(cause, ValueError | TypeError):
            named = re.search(r"'([\w.]+)'", str(error))
            raise GessoError(f"{named[1] if named else plain.get('_target_')}: {cause}") from error
        raise cause or error from None


def _check_targets(node: Any) -> None:
    if isinstance(node, dict):
        target = node.get("_target_", PACKAGES[0])
        if not str(target).startswith(PACKAGES):
            raise GessoError(f"_target_: {target} is not one of Gesso's own or Keras's; refused.")
        for value in node.values():
            _check_targets(value)
    elif isinstance(node, list):
        for value in node:
            _check_targets(value)
