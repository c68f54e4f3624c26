"""Checks a configuration by what its YAML says beside the keys, in blocks that are no keys themselves.

    width: 32
    normalization: batch
    accumulate: null
    choices:
      normalization: [batch, layer, none]
    ranges:
      width: "[1, inf)"
      accumulate: "[2, inf)"
      generator_optimizer.global_clipnorm: "(0.0, inf)"

A block speaks of the keys beside it, and of those below them. A file that builds on another may say more than it
does, or say it anew: a new model needs no change here. `null` always passes; of a list, each element is looked at.
Where a key is `null` by default, its range also tells the type: whole numbers, or any if a bound has a point. One
that is `null` by default is one value and no list of them, unless the block `several` says of it `true`. A
number may be a group of keys with a `_target_`, which makes a function of the step, if the block `schedules` does.

Five more blocks: `inputs`, keys that name files or folders which must be there, each with what to say where it
names none (null: it need not); `needed`, keys that must be given, each with what to say otherwise; `networks`, keys
that name trained networks, each with the kind (`core/network_file.py`); `changeable`, what a resumed run may
change; and a data set's `gives`, what its batches have.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from core.errors import GessoError, did_you_mean

BLOCKS = ("choices", "ranges", "several", "schedules", "inputs", "needed", "networks", "changeable", "gives")
_NUMBER = r"[+-]?(?:inf|[\d.]+(?:e[+-]?\d+)?)"
_INTERVAL = re.compile(rf"([\[(])\s*({_NUMBER})\s*,\s*({_NUMBER})\s*([\])])")


@dataclass(frozen=True)
class Interval:
    """The numbers from `low` to `high`; `whole` if only whole ones are meant. `str` says it in words."""

    low: float
    high: float
    with_low: bool = True
    with_high: bool = True
    whole: bool = False

    @classmethod
    def parse(cls, text: str) -> "Interval":
        """Reads the usual notation: `[0, 1)` is from 0 to below 1. Raises `ValueError` for other texts."""
        found = _INTERVAL.fullmatch(str(text).strip())
        if found is None:
            raise ValueError(f"{text} is no interval, such as [0, 1) or (0.0, inf).")
        opening, low, high, closing = found.groups()
        whole = not {".", "e"}.intersection(low + high)
        return cls(float(low), float(high), opening == "[", closing == "]", whole)

    def __contains__(self, value: float) -> bool:
        above = value >= self.low if self.with_low else value > self.low
        below = value <= self.high if self.with_high else value < self.high
        return above and below

    def __str__(self) -> str:
        if self.low == 0 and not self.with_low and self.high == inf:
            return "positive"
        low, high = f"{self.low:.10g}", f"{self.high:.10g}"
        above = "" if self.low == -inf else f"{'at least' if self.with_low else 'more than'} {low}"
        below = "" if self.high == inf else f"{'at most' if self.with_high else 'less than'} {high}"
        if above.startswith("at least") and below.startswith("at most"):
            return f"between {low} and {high}"
        return " and ".join(filter(None, (above, below)))


def ranges(config: DictConfig) -> dict[str, Interval]:
    """Finds the range of each key that has one, `{"model.width": Interval(1, inf), ...}`.

    Raises `GessoError` for what is no interval.
    """
    found = {}
    for key, text in said(config, "ranges"):
        try:
            found[key] = Interval.parse(text)
        except ValueError as error:
            raise GessoError(f"ranges: {key}: {error}") from None
    return found


def choices(config: DictConfig) -> dict[str, list]:
    """Finds the values that each key with choices may have, `{"model.prior": ["normal", "uniform"], ...}`."""
    return dict(said(config, "choices"))


def several(config: DictConfig) -> set[str]:
    """The keys that are null by default and may be lists."""
    return {key for key, may in said(config, "several") if may}


def scheduled(config: DictConfig) -> set[str]:
    """The keys of numbers that may be schedules."""
    return {key for key, may in said(config, "schedules") if may}


def check_values(config: DictConfig) -> None:
    """Refuses values that the blocks of a configuration do not allow. Raises `GessoError`."""
    for key, interval in ranges(config).items():
        for value in _values(config, key):
            if isinstance(value, int | float) and value not in interval:
                raise GessoError(f"{key}={value}: it must be {interval}.")
    for key, allowed in choices(config).items():
        for value in _values(config, key):
            if (type(value), value) not in [(type(choice), choice) for choice in allowed]:
                names = [str(choice).lower() if isinstance(choice, bool) else str(choice) for choice in allowed]
                raise GessoError(f"{key}={value}: {did_you_mean(str(value), names)}")


def check_inputs(config: DictConfig) -> None:
    """Refuses what names no file or folder that there is, and what has to be given. Raises `GessoError`."""
    for key, otherwise in said(config, "inputs"):
        paths = _values(config, key)
        for path in paths:
            if not os.path.exists(os.path.expanduser(str(path))):  # 2024 comes as a number
                raise GessoError(f"{key}={path}: there is no such file or folder.")
        if not paths and otherwise is not None:
            raise GessoError(otherwise)
    for key, otherwise in said(config, "needed"):
        if not _values(config, key):
            raise GessoError(otherwise)


def changeable(config: DictConfig) -> Callable[[str], bool]:
    """Makes a function that says of a key whether a resumed run may change it; the nearest block counts."""
    rules = dict(said(config, "changeable"))

    def may_change(key: str) -> bool:
        nearest = max((name for name in rules if f"{key}.".startswith(f"{name}.")), key=len, default=None)
        return nearest is None or rules[nearest]

    return may_change


def without_blocks(config: DictConfig) -> DictConfig:
    """Returns the configuration that a run has and keeps: values alone, without what they might have been."""
    values = OmegaConf.create(_without(OmegaConf.to_container(config)))
    OmegaConf.set_struct(values, True)
    return values


def _without(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    return {key: _without(value) for key, value in node.items() if key not in BLOCKS}


def said(config: DictConfig, block: str) -> Iterator[tuple[str, Any]]:
    """Yields what all blocks of a name say, by the full names of the keys."""
    yield from _said(OmegaConf.to_container(config), block)


def _said(config: dict, block: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if not isinstance(value, dict):
            continue
        if name == block:
            yield from ((f"{prefix}{key}", rule) for key, rule in value.items())
        elif name not in BLOCKS:
            yield from _said(value, block, f"{prefix}{name}.")


def _values(config: DictConfig, key: str) -> list:
    value = OmegaConf.select(config, key)
    return [item for item in (value if isinstance(value, ListConfig) else [value]) if item is not None]
