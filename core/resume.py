"""Runs that go on: `resume=<run dir>`, what it takes over from there, and what it may change."""

import copy
import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from core import stored
from core.checks import changeable, check_values, without_blocks
from core.config import check_types, leaves
from core.errors import GessoError, nearest
from core.files import write_text
from core.overrides import PICTURES, given_value, is_sweep, own_overrides, put_before, quoted, quoted_name, typed
from core.run import Run

log = logging.getLogger(__name__)

# Groups whose options have keys of their own: chosen anew, they are replaced, not merged.
REPLACED = {"loss": "loss", "penalty": "loss", "metrics": "metrics", "features": "features"}

# What may change where nothing is left to train: how it is measured, and where things lie.
OF_MEASURING = (
    "metrics", "features", "weights", "evaluate_num", "steps", "trainer", "precision", "cache_dir",
    "dataset.cache_dir", *PICTURES,
)  # fmt: skip


def resume_arguments(arguments: list[str]) -> list[str]:
    """Returns the command line of `resume=<run dir>`: the run's own overrides, then those given now, in its folder.

    Other command lines come back as they are. Raises `GessoError` if the folder is not a run directory, and for
    sweeps.
    """
    folder = given_value(arguments, "resume")
    if folder is None:
        return arguments
    if is_sweep(arguments):
        raise GessoError("resume= goes on with one run, and a sweep begins new ones: leave out -m.")
    run = Run(Path(folder))
    if not run.is_run:
        beside = nearest(run.folder.name, (path.name for path in run.folder.parent.glob("*/") if Run(path).is_run))
        meant = f" Did you mean {run.folder.with_name(beside)}?" if beside else ""
        missing = run.config.relative_to(run.folder)
        raise GessoError(f"resume={folder}: not a run directory, it has no {missing}.{meant}")
    stored.check_folder(run.folder)
    other = given_value(arguments, "hydra.run.dir")
    if other is not None and Path(other).resolve() != run.folder.resolve():
        raise GessoError(f"resume={folder} goes on in that folder, and nowhere else: leave out hydra.run.dir=.")
    own = run.load_overrides()
    recipe = given_value(arguments, "experiment")
    if recipe is not None and recipe != run.choices().get("experiment"):
        raise GessoError(
            f"experiment={recipe}: {folder} goes on by what it began with. Name the keys that are to change."
        )
    for group in ("model", "dataset"):
        option = given_value(arguments, group)
        if option is not None and option != (its := run.choices(group)[group]):
            raise GessoError(f"{group}={option}: {folder} is a run of {group}={its}, and goes on as one.")
    given = quoted_name(str(run.folder))
    others = [argument for argument in arguments if not argument.startswith("resume=")]
    return put_before(own, [*others, f"resume={given}", f"hydra.run.dir={given}"])


def opened(config: DictConfig, run: Run) -> DictConfig:
    """Returns the configuration to train by: a new run's as it is, that of one that goes on as `resumed` says.

    Raises `GessoError` where another run is in the way, or one that is to go on does not go on so.
    """
    if config.resume:
        return resumed(config, "train", own_overrides())
    stored.check_folder(run.folder, run.written)
    _refuse_another(config, run)
    stored.check_kept(config, own_overrides() if HydraConfig.initialized() else ())
    return config


def resumed(config: DictConfig, config_name: str, overrides: Sequence[str]) -> DictConfig:
    """Returns the stored configuration of `config.resume`, changed where this command line changes it.

    The stored one counts even if the files in conf/ have changed since, and even where this command line says what
    the run began with, if it was changed in between. `overrides` are Hydra's, as `resume_arguments` made them.
    Raises `GessoError` where a change would not fit the checkpoints.
    """
    run = Run(Path(config.resume))
    _refuse_bare(run)
    before, own = run.load_config(), run.load_overrides()
    for group in ("model", "dataset", "trainer"):
        if not OmegaConf.is_dict(before.get(group)):
            raise GessoError(f"{run.config} is damaged: it has no {group}.")
    if "kind" not in before.model:
        raise GessoError(
            f"resume={config.resume}: an earlier Gesso began this run, and this one cannot go on with it."
        )
    added = overrides[len(own) :]
    for override in added:
        if override.startswith("~"):
            raise GessoError(f"{override}: a run that goes on keeps all its keys. Give this one another value.")
    named = [override.lstrip("+").partition("=")[0] for override in added]
    everything = hydra.compose(config_name, own, return_hydra_config=True)
    composed = OmegaConf.masked_copy(everything, [key for key in everything if key != "hydra"])
    began = dict(leaves(without_blocks(composed)))
    goes_on = copy.deepcopy(before)
    goes_on.trainer = OmegaConf.merge(
        without_blocks(composed).trainer, before.trainer
    )  # an older Gesso had fewer keys
    for group in {REPLACED[name] for name in named if name in REPLACED}:
        goes_on[group] = config[group]
    for key, value in leaves(config):
        given = any(key == name or key.startswith(f"{name}.") for name in named)
        if key != "resume" and (given or key not in began or began[key] != value):
            OmegaConf.update(goes_on, key, value, merge=False, force_add=True)
    if "steps" in named and goes_on.steps < run.last_step:
        raise GessoError(f"steps={goes_on.steps}: {config.resume} is at step {run.last_step} already. Raise it.")
    stored.check_unfolds(OmegaConf.to_container(goes_on), run.folder)
    _check_stored(goes_on, composed, config_name, everything.hydra.runtime.choices)
    _check_changes(before, goes_on, config.resume, changeable(composed), run.last_step)
    goes_on.resume = config.resume
    return goes_on


def _check_stored(goes_on: DictConfig, composed: DictConfig, config_name: str, groups: dict[str, str]) -> None:
    """Looks at the values of a stored configuration as at those of a command line.

    But for those of groups of which an earlier resume may have chosen other options. Raises `GessoError`.
    """
    kept = {key: value for key, value in goes_on.items() if key not in REPLACED.values()}
    stored_values = OmegaConf.merge(OmegaConf.to_container(composed), kept)
    check_types(stored_values, config_name, groups)
    check_values(stored_values)


def _refuse_another(config: DictConfig, run: Run) -> None:
    """Raises `GessoError` if a new run's folder holds a run of another configuration, but for `steps`.

    With the same one it is an interrupted run, which goes on: a sweep does its jobs again.
    """
    if not run.is_run:
        return
    _refuse_bare(run)
    if not run.has_checkpoints:
        return
    changed = [change for change in _differences(run.load_config(), config) if change[0] != "steps"]
    if changed:
        values = (f"{key} was {quoted(there)}, not {quoted(here)}" for key, there, here in changed[:3])
        raise GessoError(
            f"{run.folder} holds a run of another configuration: {'; '.join(values)}{' ...' * (len(changed) > 3)}. "
            f"Name another folder, or go on with that run: {typed('resume', run.folder)}."
        )


def _refuse_bare(run: Run) -> None:
    """Raises `GessoError` for a run that has networks, and no more the checkpoints that come before them."""
    if not run.has_checkpoints and (networks := run.networks()):
        raise GessoError(
            f"{run.folder} has no checkpoints any more, so that it cannot go on, and a training from step 0 would "
            f"overwrite what it left, {networks[0].name} among it. Put {run.checkpoints.name}/ "
            f"back, or go on from its networks in a new folder: {typed('model.start', run.folder)}."
        )


def begin(config: DictConfig, run: Run) -> None:
    """Writes the configuration, which a resume is to go on from, and the command line, with what a resume changed.

    To be called once all is checked and made, and a checkpoint has been read: what does not fit is to harm nothing,
    and what never begins is to leave nothing.
    """
    if config.resume:
        _write_overrides(run, [given for given in own_overrides() if not given.startswith("resume=")])
    else:
        if run.is_run and not run.has_checkpoints:
            _clear(run)
        announce(run)
    write_text(run.config, OmegaConf.to_yaml(OmegaConf.merge(config, {"resume": None})))


def _clear(run: Run) -> None:
    """Removes what a run left that ended before its first checkpoint: its curves would go on in this one's."""
    left = [path for path in (run.tensorboard, run.samples, run.best.folder, run.metrics) if path.exists()]
    if left:
        log.info("%s: what was begun there before had saved no checkpoint, and goes.", run.folder)
    for path in left:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def announce(run: Run) -> None:
    """Writes the command line and Hydra's own configuration, as Hydra itself does for other scripts."""
    known = HydraConfig.get()
    write_text(run.hydra, OmegaConf.to_yaml(OmegaConf.create({"hydra": known})))
    _write_overrides(run, own_overrides())


def _write_overrides(run: Run, overrides: Sequence[str]) -> None:
    write_text(run.overrides, OmegaConf.to_yaml(OmegaConf.create(list(overrides))))


def _check_changes(
    before: DictConfig, goes_on: DictConfig, folder: str, may_change: Callable[[str], bool], last: int
) -> None:
    """Logs changes. Raises `GessoError` for one that does not fit checkpoints in `folder`, up to step `last`.

    And for one of how it trains, where nothing is left to train: what the run says of itself would be untrue.
    """
    penalties = [_penalties(config) for config in (before, goes_on)]
    changes = [("penalty", *penalties)] if penalties[0] != penalties[1] else []
    changes += _differences(before, goes_on)
    for key, there, here in changes:
        if key == "penalty" or not may_change(key):
            raise GessoError(
                f"{key}={quoted(here)} would change what {folder} began with (there: {quoted(there)}), and its "
                "checkpoints would not fit. Start a new run instead."
            )
        if last >= goes_on.steps and not any(f"{key}.".startswith(f"{name}.") for name in OF_MEASURING):
            raise GessoError(
                f"{key}={quoted(here)}: {folder} is at step {last}, its last, and was trained with "
                f"{quoted(there)}. To go on with another, give it more steps=, too."
            )
    for key, there, here in changes:
        log.info("%s: %s -> %s", key, quoted(there), quoted(here))
    by_steps = [key for key, value in leaves(goes_on) if key.startswith("model.") and "${steps}" in str(value)]
    if by_steps and before.steps != goes_on.steps:
        log.warning("As if steps= had been %d from the start: %s", goes_on.steps, ", ".join(by_steps))


def _penalties(config: DictConfig) -> list[str]:
    groups = ("loss.penalties", "loss.generator_penalties")
    return sorted(name for group in groups for name in OmegaConf.select(config, group) or ())


def _differences(there: DictConfig, here: DictConfig) -> list[tuple[str, Any, Any]]:
    """Lists each key whose value is not the same in two configurations, with the two values."""
    before, after = dict(leaves(there)), dict(leaves(here))
    return [(key, before.get(key), after.get(key)) for key in before | after if before.get(key) != after.get(key)]
