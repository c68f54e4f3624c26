"""Refuses models, losses and data that cannot be trained together, before anything slow starts."""

import logging
import math

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from core.config import check_metrics, options_that
from core.errors import GessoError
from data.dataset import Dataset

log = logging.getLogger(__name__)


def check_train(config: DictConfig) -> None:
    """Refuses, in words, values that cannot be trained together, and warns of what spoils a run.

    What each key may be on its own is `core.checks`'s business. Raises `GessoError`.
    """
    _check_size(config)
    if config.restarts > 1 and config.restart_steps >= config.steps:
        raise GessoError(f"restart_steps={config.restart_steps} must be less than steps={config.steps}.")
    _check_objective(config)
    _check_metrics(config)
    _check_growth(config)
    _check_trainer(config)
    if config.model.get("freeze") and not config.model.start:
        raise GessoError("model.freeze= keeps layers as they are in a start: model.start=<run or name in zoo/>.")


def draws(config: DictConfig) -> bool:
    """Says whether the model makes pictures from noise, which can be compared with a data set's as a set."""
    return config.model.kind == "generator"


def _check_size(config: DictConfig) -> None:
    sizes = config.model.get("image_sizes")
    if sizes is not None and config.image_size not in sizes:
        raise GessoError(
            f"image_size={config.image_size}: this model makes pictures of {', '.join(map(str, sizes))} px."
        )
    multiple = config.model.get("image_multiple", 1)
    if config.image_size % multiple or config.image_size < 2 * multiple:
        raise GessoError(
            f"image_size={config.image_size}: this model wants a multiple of {multiple}, {2 * multiple} at least."
        )


def _check_objective(config: DictConfig) -> None:
    wanted, loss = config.model.get("loss_key"), config.get("loss") or {}
    penalties = [*loss.get("penalties", {}), *loss.get("generator_penalties", {})]
    for block in ("penalties", "generator_penalties"):
        for name, penalty in loss.get(block, {}).items():
            if "_target_" not in (penalty or {}):
                raise GessoError(
                    f"loss.{block}.{name} is set, as by an experiment=, but penalty= does not have {name}: add it, "
                    f"or take that away by '~loss.{block}.{name}'."
                )
    if penalties and wanted != "discriminator_loss":
        raise GessoError(
            f"penalty={', '.join(penalties)} is for models with a discriminator, which this one has not."
        )
    if wanted is None:  # a system with an objective of its own
        if config.get("loss"):
            raise GessoError("loss= has no effect with this model=, which has an objective of its own.")
        return
    found = loss.get(wanted)  # of another loss, it may hold what the model itself says of its own
    if found is None or (OmegaConf.is_dict(found) and "_target_" not in found):
        fitting = options_that("loss", lambda loss: wanted in loss)
        raise GessoError(f"This loss= does not fit this model=; what does: {', '.join(fitting)}.")
    if config.model.get("augment_target") is not None and config.loss.get("threshold") is None:
        raise GessoError(
            "model.augment_target adapts to how many real pictures have logits above a threshold, and this loss "
            "has none: take loss=non_saturating, minimax, hinge or least_squares, or fix model.augment_probability."
        )
    if config.model.get("augment_target") is not None and not config.model.augment:
        raise GessoError("model.augment_target has nothing to adapt: model.augment=[ada], or another, says what.")
    of_label = config.model.get("intermediate_latent") and config.model.get("condition") == "projection"
    if of_label and config.loss.get("weight_clipping") is not None:
        raise GessoError(
            "This loss= clips weights, and those of this model's mapping of labels are of size 100, as it learns a "
            "hundredth as fast: take loss=wgan_gp, or model.condition=auxiliary."
        )
    if config.loss.get("generator_penalties") and not config.model.get("intermediate_latent"):
        raise GessoError(
            f"penalty={', '.join(config.loss.generator_penalties)} is for generators with an intermediate latent, "
            "as model=stylegan2 has one; the YAML of this model= does not say intermediate_latent: true."
        )
    if "matching_aware" in config.loss.get("penalties", {}) and config.model.get("condition") != "text":
        raise GessoError("penalty=matching_aware is of pictures with their sentences: model.condition=text, or r1.")
    penalties = config.loss.get("penalties", {}).items()
    slopes = [penalty for name, penalty in penalties if name != "drift"]
    if config.model.get("normalization") == "batch" and any(penalty.every == 1 for penalty in slopes):
        log.warning(
            "A penalty on each picture's gradient, but model.normalization=batch ties the pictures of a batch "
            "together; the papers take model.normalization=layer."
        )
    if config.model.get("normalization") == "batch" and config.model.get("spectral"):
        log.warning(
            "model.spectral=true bounds the weights, and model.normalization=batch divides their scale out again; "
            "the paper has model.normalization=none."
        )
    if config.loss.get("weight_clipping") is not None and config.model.discriminator_optimizer.get("beta_1"):
        log.warning(
            "With clipped weights WGAN's authors found momentum unstable: experiment=wgan_mnist has their "
            "optimizers, or model.discriminator_optimizer.beta_1=0 model.generator_optimizer.beta_1=0."
        )


def _check_metrics(config: DictConfig) -> None:
    if not draws(config):
        for key, default in (("restarts", 1), ("evaluate_every", None)):
            if config[key] != default:
                raise GessoError(
                    f"{key}={config[key]} is for generators of pictures from noise, which this is not."
                )
        return
    if not config.get("metrics"):
        raise GessoError("metrics= must name one at least, by which runs are ranked.")
    check_metrics(config.metrics)
    for name, metric in config.metrics.items():
        if metric.of in ("pairs", "probabilities", "sentences", "attributes"):
            raise GessoError(f"metrics={name} is of {metric.of}: evaluate.py measures it, training does not.")
        if "mode" not in metric:
            raise GessoError(f"metrics={name} has no mode, by which runs are ranked: min, max or one.")


def _check_growth(config: DictConfig) -> None:
    if "phase_steps" not in config.model:
        return
    whole = config.model.phase_steps * 2 * int(math.log2(config.image_size // 4))
    if config.steps < whole:
        log.warning(
            "The networks reach %d px at step %d, and steps=%d: raise it, or lower model.phase_steps.",
            config.image_size, whole, config.steps,
        )  # fmt: skip


def _check_trainer(config: DictConfig) -> None:
    each = config.trainer.steps_per_execution
    keys = ("steps", "log_every", "sample_every", "checkpoint_every", "evaluate_every")
    steps = {key: config[key] for key in ((*keys, "restart_steps") if config.restarts > 1 else keys)}
    if "words_steps" in config.model and config.model.condition == "text" and config.model.words is None:
        steps["model.words_steps"] = config.model.words_steps
    for key, value in steps.items():
        if value is not None and value % each:
            raise GessoError(f"{key}={value} must be a multiple of trainer.steps_per_execution={each}.")
    devices = config.trainer.devices
    if config.trainer.strategy == "one" and not isinstance(devices, int | None) and len(devices) > 1:
        raise GessoError(f"trainer.devices={list(devices)}: several train together with trainer=mirrored.")
    if config.trainer.strategy == "multi_worker":
        if config.restarts > 1:
            raise GessoError(f"restarts={config.restarts} is not for trainer=multi_worker.")
        told = [override.partition("=")[0] for override in HydraConfig.get().overrides.hydra]
        if "hydra.run.dir" not in told:
            raise GessoError("trainer=multi_worker: name a folder that all workers see, hydra.run.dir=<folder>.")
    penalties = config.get("loss", {}).get("penalties", {})
    if config.model.get("synchronized") and any(penalty.every > 1 for penalty in penalties.values()):
        raise GessoError("model.synchronized=true takes penalties at every step: loss.penalties.<name>.every=1.")


def check_batches(config: DictConfig, option: str) -> None:
    """Refuses a data set whose YAML says that its batches do not have what the model learns from.

    `option` is that of `dataset=`. Before a data set is made, which may take minutes. Raises `GessoError`.
    """
    gives = hydra.compose("train", [f"dataset={option}"]).dataset.get("gives")
    if gives is not None:
        _check_keys(config, f"dataset={option}", tuple(gives))


def _check_keys(config: DictConfig, name: str, gives: tuple[str, ...]) -> None:
    takes = tuple(config.model.batch_keys)
    if takes != gives:
        fitting = options_that("dataset", lambda other: takes == tuple(other.get("gives", ())))
        raise GessoError(
            f"This model= learns from {' and '.join(takes)}, and {name} has {' and '.join(gives)}. "
            f"What fits: dataset={', '.join(fitting)}."
        )


def check_data(config: DictConfig, dataset: Dataset) -> None:
    """Refuses a data set that does not fit the model, is smaller than a step takes, or lacks the classes asked for.

    Raises `GessoError`.
    """
    try:
        spec = dataset.spec
    except AttributeError:
        raise GessoError("dataset._target_ names nothing that makes a data set.") from None
    _check_keys(config, spec.name, spec.batch_keys)
    height, width, _ = spec.image_shape
    if height != width:
        raise GessoError(f"The pictures of {spec.name} are {width}x{height} px: models learn from squares.")
    if config.model.kind == "stylizer" and spec.image_shape[-1] != 3:
        raise GessoError(f"This model= paints in colour, and {spec.name} is grey.")
    batch = config.batch_size * config.model.get("discriminator_steps", 1)
    if batch > len(dataset):
        each = batch // config.batch_size
        fits = len(dataset) // each
        raise GessoError(
            f"batch_size={config.batch_size}: {spec.name} has only {len(dataset)} pictures, a step takes {batch}"
            + (f", {each} batches at once" if each > 1 else "")
            + (f". Try batch_size={max(1, fits // 4)}." if fits else ". Try model.discriminator_steps=1.")
        )
    condition = config.model.get("condition", "none")
    if condition not in ("none", "text") and spec.num_classes < 2:
        if config.model.get("start"):  # whose condition it may be
            log.info("%s has no classes: the networks go on without labels.", spec.name)
            return
        hint = "; dataset.clusters=20 finds some in pictures without" if "clusters" in config.dataset else ""
        raise GessoError(
            f"model.condition={condition} needs classes, and {spec.name} has {spec.num_classes or 'none'}. In an "
            f"image folder, the subfolders are the classes, if every picture lies in one{hint}."
        )
