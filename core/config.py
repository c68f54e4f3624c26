"""Checks a composed configuration before anything slow starts, and words what could not be composed."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig, OmegaConf

from core.checks import choices, ranges, scheduled, several, without_blocks
from core.errors import GessoError, did_you_mean

CONF = Path(__file__).resolve().parent.parent / "conf"
METRICS_OF = (
    "images", "features", "moments", "labelled", "probabilities", "pairs", "sentences", "attributes",
)  # fmt: skip
MODES = ("min", "max", "one")  # what is best, of what runs are ranked by
LISTS = ("penalty", "metrics")  # groups that take several options


def compose(config_name: str, overrides: Sequence[str] = ()) -> DictConfig:
    """Composes what a script's task is given for a command line; Hydra must have been initialised."""
    return without_blocks(hydra.compose(config_name, list(overrides)))


MEANT = dict.fromkeys(("run", "generator", "model", "stylizer"), "network")  # what else one might call it


def metrics_named(names: Iterable[str], weights: str | None = None) -> DictConfig:
    """Loads the metrics of these names from `conf/metrics/`; `weights` are of networks that some look through."""
    files = [OmegaConf.load(CONF / "metrics" / f"{name}.yaml") for name in names]
    return OmegaConf.create({"weights": weights, "metrics": OmegaConf.merge(*files)}).metrics


def check_metrics(metrics: DictConfig) -> None:
    """Raises `GessoError` for metrics of nothing that there is, or ranked in no way that there is."""
    for name, metric in metrics.items():
        of = metric.get("of")
        if of not in METRICS_OF:
            raise GessoError(f"metrics={name}: of: {of}: {did_you_mean(of, METRICS_OF)}")
        if metric.get("mode", "min") not in MODES:
            raise GessoError(f"metrics={name}: mode: {metric.mode}: {did_you_mean(metric.mode, MODES)}")


def leaves(config: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields `("model.width", 64)`, ... for each value of a configuration that is neither a mapping nor a group."""
    container = OmegaConf.to_container(config) if isinstance(config, DictConfig) else config
    for key, value in container.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def check_types(config: DictConfig, config_name: str, groups: dict[str, str]) -> list[str]:
    """Compares the type of every value with the one that the YAML files give it.

    Returns the keys that an experiment sets and another model than its own does not have: they are left out.

    The files are the schema: `steps: 2000` says that steps is a whole number, and `steps: null` with a range of
    `[1, inf)` says so, too. Those with `choices` are left to these. Raises `GessoError`.
    """
    _check_local()
    options = {group: option for group, option in groups.items() if group in config}
    chosen = [f"{group}={option}" for group, option in options.items() if option is not None]
    if penalties := _penalties(config):  # Hydra names no list among the options chosen
        chosen.append(f"penalty=[{','.join(penalties)}]")
    defaults, values = dict(leaves(compose(config_name, chosen))), dict(leaves(without_blocks(config)))
    new = [key for key in values if key not in defaults and not any(name in defaults for name in _above(key))]
    experiment = CONF / "experiment" / f"{groups.get('experiment')}.yaml"
    text = experiment.read_text("utf-8") if experiment.is_file() else ""
    said = OmegaConf.create(text)
    if groups.get("experiment") is None or text:  # one's own may bring keys of its own
        _check_new(new, said, defaults, groups)
    _check_kinds(config, values, defaults)
    of_model = [key for key in new if key.startswith("model.") and key.count(".") == 1]
    return [key for key in of_model if OmegaConf.select(said, key) is not None and f"${{{key}}}" not in text]


def _check_kinds(config: DictConfig, values: dict[str, Any], defaults: dict[str, Any]) -> None:
    """Compares the `values` of a configuration with those of the files, `defaults`. Raises `GessoError`."""
    intervals, lists, allowed = ranges(config), several(config), choices(config)
    schedules = {key for key in scheduled(config) if OmegaConf.select(config, f"{key}._target_") is not None}
    for key, value in values.items():
        inside = [name for name in defaults if name.startswith(f"{key}.")]
        if inside and not isinstance(value, dict):
            if isinstance(value, int | float) and "schedules." in str(defaults.get(f"{key}._target_")):
                continue  # in place of a schedule
            raise GessoError(f"{key}={_shown(value)}: it is a group of keys: {', '.join(inside)}.")
        default = defaults.get(key)
        for above in _above(key):
            if above in schedules:
                continue
            if above in defaults and not isinstance(defaults[above], dict) and not _interpolates(defaults[above]):
                raise GessoError(f"{above} is {_kind({})}; it must be a value.")
        same = value == default and type(value) is type(default)  # true is 1
        if same or _interpolates(value) or (_interpolates(default) and key not in intervals):
            continue
        if key in allowed and not isinstance(default, list) and not isinstance(value, list | None):
            continue  # `check_values` says which there are
        if value == [] and key in lists:
            raise GessoError(f"{key}=[] names none. Give it one, or leave it out.")
        like, hint = default, f"such as {'[a,b]' if default == [] else default}"
        if default is None or _interpolates(default):
            if isinstance(value, list) and key in defaults and key not in intervals and key not in lists:
                raise GessoError(f"{key}={value} is {_kind(value)}; it must be one value.")
            if key not in intervals:
                continue
            like, hint = 1 if intervals[key].whole else 1.0, intervals[key]
        each = value if key in lists and isinstance(value, list) else [value]
        if not all(_fits(one, like) for one in each):
            raise GessoError(f"{key}={value} is {_kind(value)}; it must be {_kind(like)}, {hint}.")


def _check_local() -> None:
    """Refuses keys of conf/local/default.yaml, or what GESSO_LOCAL names there, that no script has."""
    name = os.environ.get("GESSO_LOCAL", "default")
    local = CONF / "local" / f"{name}.yaml"
    if name not in ("default", "none") and not local.is_file():
        raise GessoError(f"GESSO_LOCAL={name}: there is no {local}. GESSO_LOCAL=none stands for none.")
    if local.is_file():
        known = _known() | {folder.name for folder in CONF.iterdir()} | {"defaults", "hydra"}
        for key in OmegaConf.load(local):
            if key not in known:
                raise GessoError(
                    f"{local}: {key}: there is no such key. {did_you_mean(key, known, show_all=False)}"
                )


def _known() -> set[str]:
    """The first parts of all scripts' keys."""
    return {name for file in CONF.glob("*.yaml") for name in OmegaConf.load(file)}


def _check_new(keys: Iterable[str], said: DictConfig, defaults: dict[str, Any], groups: dict[str, str]) -> None:
    """Refuses keys that none of the files has: from `+key=`, or an experiment with other groups, which `said` them.

    But for deeper ones that the command line adds, which may be arguments of what they stand beside, those of
    penalties, which `training.checks` knows more about, and an experiment's of another model. Raises `GessoError`.
    """
    known = _known() | {*defaults}
    for key in keys:
        group, _, rest = key.partition(".")
        said_there = OmegaConf.select(said, key) is not None
        if not rest and not said_there and key not in known:
            raise GessoError(f"{key}: there is no such key. {did_you_mean(key, known, show_all=False)}")
        of_penalty = rest.startswith(("penalties.", "generator_penalties."))
        if said_there and group in ("dataset", "loss") and not of_penalty:
            raise GessoError(
                f"experiment={groups['experiment']} sets {key}, which {group}={groups.get(group)} does not have: "
                f"take it away by '~{key}'."
            )


def _shown(value: Any) -> str:
    return "null" if value is None else str(value)


def _penalties(config: DictConfig) -> list[str]:
    """The options of `penalty=` that a configuration has, those that its loss brings included."""
    blocks = (OmegaConf.select(config, f"loss.{name}") or {} for name in ("penalties", "generator_penalties"))
    return [name for block in blocks for name in block if (CONF / "penalty" / f"{name}.yaml").is_file()]


def _above(key: str) -> list[str]:
    """`["a", "a.b"]` of `"a.b.c"`."""
    return [key[:dot] for dot, sign in enumerate(key) if sign == "."]


def _interpolates(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("${")


def _fits(value: Any, default: Any) -> bool:
    if isinstance(default, str):  # a folder may be called 2024
        return value is not None and not isinstance(value, list | dict)
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, float):
        return isinstance(value, int | float)
    return isinstance(value, type(default))


def _kind(value: Any) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text", list: "a list"}
    return "empty" if value is None else names.get(type(value), "a group of keys")


def _options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def options_of(*groups: str) -> str:
    """Lists the options of some groups, a line each: for `--help`."""
    return "\n".join(f"{group}: {', '.join(_options(group))}" for group in groups)


def options_that(group: str, fits: Callable[[DictConfig], bool]) -> list[str]:
    """Lists the options of a group whose configurations, as `train.py` composes them, fit."""
    return [name for name in _options(group) if fits(hydra.compose("train", [f"{group}={name}"])[group])]


def _unreadable(override: str, reason: str) -> str:
    """Says what is wrong with an argument that Hydra cannot read."""
    key, equals, value = override.partition("=")
    if not equals:
        return f"{override}: options are key=value, without spaces around the =; --help lists them."
    if value.startswith("[") and not value.endswith("]"):
        return f"{override}: the list has no end. In quotes a shell leaves it together: '{key}=[a,b]'."
    return f"{override}: {reason}. Put values with special characters into quotes."


def _takes_several(key: str, config_name: str, arguments: Sequence[str]) -> bool:
    """Says whether a key's value may be a list, be it that of a group or of another kind."""
    if (CONF / key).is_dir():
        return key in LISTS
    groups = [a for a in arguments if (CONF / a.partition("=")[0]).is_dir() and "," not in a]
    try:
        config = hydra.compose(config_name, groups)
    except HydraException:  # another thing that is wrong
        config = hydra.compose(config_name)
    return isinstance(dict(leaves(config)).get(key), list) or key in several(config)


def explain(error: Exception, config_name: str, arguments: Sequence[str] = ()) -> str:
    """Says what Hydra could not compose of a command line, with the nearest name that exists."""
    text = str(error).strip()
    if isinstance(error, OverrideParseException):
        return _unreadable(str(error.override), text.splitlines()[0])
    if ambiguous := re.search(r"Ambiguous value for argument '(.*)'", text):
        key, _, value = ambiguous[1].partition("=")
        meant = "it takes one value; for a run of each,"
        if _takes_several(key, config_name, arguments):
            meant = f"is that several? Then '{key}=[{value}]', quotes included, or, for a sweep,"
        point = f" (with a decimal point, {key}={value.replace(',', '.')}, if it is a number)"
        comma = re.fullmatch(r"-?[0-9]+,[0-9]+", value)
        return f"{key}={value}: {meant} -m {key}={value}{point if comma else ''}."
    if isinstance(error, MissingConfigException):
        in_a_list = re.match(r"In '.*': Could not load '(.+)/(\w+)'", text)  # penalty=[r1,r3]
        group, _, option = in_a_list.group(1, 0, 2) if in_a_list else str(error.missing_cfg_file).rpartition("/")
        options = error.options or _options(group)
        return f"{group}={option}: there is no such option. {did_you_mean(option, options)}"
    unknown = re.search(r"Could not override '([^']+)'|Key '([^']+)' is not in struct", text)
    if isinstance(error, ConfigCompositionException) and unknown:
        key = unknown[1] or unknown[2]
        groups = [a for a in arguments if "=" in a and (CONF / a.partition("=")[0]).is_dir()]
        try:
            config = compose(config_name, groups)
        except Exception:  # two things are wrong, and this one is not the one to be explained
            config = compose(config_name)
        for given in arguments:
            if given not in groups and key.startswith(f"{given.partition('=')[0]}."):
                return f"{key}: {given} stands in the place of the group that this key is in. Give one of the two."
        penalty = re.match(r"(loss\.\w*penalties)\.(\w+)", key)
        if penalty and penalty[2] not in OmegaConf.select(config, penalty[1], default={}):
            return f"{key}: there is no such key unless penalty={penalty[2]} adds it."
        if MEANT.get(key) in config:
            return f"{key}: there is no such key. Did you mean {MEANT[key]}=?"
        names = [*config, *(name for name, _ in leaves(config))]
        return f"{key}: there is no such key. {did_you_mean(key, names, show_all=False)}"
    return text or str(error.__cause__)
