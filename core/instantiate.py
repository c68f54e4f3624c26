"""The one door from YAML to Python: builds what a configuration names.

A `_target_` is a function call by name, and a configuration may come from a stranger. So a name is not judged by
how it begins but by what it leads to, and only that is called which our own YAML files call, and parts of Keras.
"""

import functools
import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from core.config import CONF
from core.errors import GessoError

PACKAGES = re.compile(r"(data|losses|metrics|models|stylization|training)(\.[a-zA-Z]\w*)+")
KERAS = re.compile(r"keras(\.[a-zA-Z]\w*)+")


def build(config: DictConfig, **arguments: Any) -> Any:
    """Calls `config._target_` with the keys of `config` and `arguments`, nested targets first.

    A configuration without a `_target_` gives a dictionary of what its keys give; one with `_partial_: true` a
    function that still takes arguments.

    Raises `GessoError`, before anything is called, for a target that is not to be built (`find`), and for one that
    does not take a key.
    """
    plain = OmegaConf.to_container(config, resolve=True)
    for target in _targets(plain):
        find(target)
    return _built({**plain, **arguments})


def find(target: str) -> Callable:
    """Returns the function or class that a `_target_` names.

    Of ours, one that a YAML file of ours names too; names walk through imports (`data.store.np.load` is NumPy's),
    so it has to be defined in the module as it is written, itself and not a part of something there. Of Keras, the
    class of an optimizer, a schedule of learning rates, a loss or an initializer. Raises `GessoError` for all else.
    """
    if isinstance(target, str) and KERAS.fullmatch(target):
        return _of_keras(target)
    if not isinstance(target, str) or not PACKAGES.fullmatch(target):
        raise GessoError(f"_target_: {target} is not one of Gesso's own or Keras's; refused.")
    module, _, name = target.rpartition(".")
    if target not in _named(_folders()):
        raise GessoError(f"_target_: {target} is nothing that a YAML file in conf/ names; refused.")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise GessoError(f"_target_: there is no {target} ({error}).") from error
    if not callable(found) or getattr(found, "__module__", None) != module or "." in found.__qualname__:
        raise GessoError(f"_target_: {target} is not defined there; refused.")
    return found


def _of_keras(target: str) -> type:
    import keras

    kinds = (
        keras.optimizers.Optimizer,
        keras.optimizers.schedules.LearningRateSchedule,
        keras.losses.Loss,
        keras.initializers.Initializer,
    )
    found: Any = keras
    for name in target.split(".")[1:]:
        found = getattr(found, name, None)
    if not inspect.isclass(found) or not issubclass(found, kinds):
        raise GessoError(
            f"_target_: {target} is refused. Of Keras there are optimizers, schedules of learning rates, losses "
            "and initializers, each by its class."
        )
    return found


@functools.cache
def _named(folders: tuple[Path, ...]) -> frozenset[str]:
    """Finds all targets of the YAML files in these folders."""
    files = (file for folder in folders for file in folder.rglob("*.yaml"))
    texts = (file.read_text(encoding="utf-8", errors="replace") for file in files)
    return frozenset(name for text in texts for name in re.findall(r"\b_target_:\s*[\"']?([\w.]+)", text))


def _folders() -> tuple[Path, ...]:
    """Lists where this program's YAML files lie: conf/, and what `--config-dir` named on its command line."""
    sources = HydraConfig.get().runtime.config_sources if HydraConfig.initialized() else ()
    return CONF, *(Path(source.path) for source in sources if source.provider == "command-line")


def _targets(node: Any) -> Iterator[Any]:
    """Yields all that `node` would call. Raises `GessoError` for Hydra's other words, which nothing here needs."""
    values = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in values:
        if key == "_target_":
            yield value
        elif key == "_partial_" and not isinstance(value, bool):
            raise GessoError(f"_partial_: {value} must be true or false.")
        elif isinstance(key, str) and key != "_partial_" and re.fullmatch(r"_\w+_", key):
            raise GessoError(f"{key} is refused: beside _target_ and _partial_, keys are arguments by their names.")
        yield from _targets(value)


def _built(node: Any) -> Any:
    if isinstance(node, list):
        return [_built(value) for value in node]
    if not isinstance(node, dict):
        return node
    keys = {key: _built(value) for key, value in node.items() if key not in ("_target_", "_partial_")}
    if "_target_" not in node:
        return keys
    if isinstance(rate := keys.get("learning_rate"), int):  # Keras takes floats alone
        keys["learning_rate"] = float(rate)
    target = find(node["_target_"])
    try:
        if node.get("_partial_", False):
            inspect.signature(target).bind_partial(**keys)  # else who calls it would meet the wrong key
            return functools.partial(target, **keys)
        return target(**keys)
    except (TypeError, ValueError) as error:
        raise GessoError(f"{node['_target_']}: {error}") from error
