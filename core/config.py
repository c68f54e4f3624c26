"""Checks a composed configuration before anything slow starts, and words what could not be composed."""

import logging
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, ListConfig, OmegaConf

from core.errors import GessoError, did_you_mean

log = logging.getLogger(__name__)

CONF = Path(__file__).resolve().parent.parent / "conf"

CHOICES = {
    "precision": ("auto", "float32", "mixed_bfloat16", "mixed_float16"),
    "model.condition": ("none", "concat", "projection", "auxiliary"),
    "model.prior": ("normal", "uniform"),
    "model.normalization": ("batch", "layer", "instance", "none"),
    "model.augment": ("color", "translation", "cutout"),
    "model.upsampling": ("resize", "transposed"),
}
FITTING = {  # data sets by what their batches have
    ("image",): "paintings, mnist, wikiart or image_folder",
    ("source", "target"): "paired, colorize, inpaint, edges or super_resolution",
    ("a", "b"): "unpaired",
    ("content", "style"): "content_style",
}
COUNTS = (
    "steps", "batch_size", "log_every", "sample_every", "checkpoint_every", "keep_checkpoints",
    "restarts", "restart_steps", "evaluate_every", "evaluate_num", "model.discriminator_steps", "model.latent_dim",
    "model.width", "model.blocks", "model.phase_steps", "trainer.threads",
)  # fmt: skip
RANGES = {  # keys by the end of their names: a test, and what it asks for
    "ema_decay": (lambda x: 0 <= x < 1, "at least 0 and less than 1"),
    "label_smoothing": (lambda x: 0 <= x < 1, "at least 0 and less than 1"),
    "least_margin": (lambda x: 0 <= x <= 1, "between 0 and 1"),
    "augment_probability": (lambda x: 0 <= x <= 1, "between 0 and 1"),
    "instance_noise": (lambda x: x >= 0, "at least 0"),
    "weight_clipping": (lambda x: x > 0, "positive"),
    "global_clipnorm": (lambda x: x > 0, "positive"),
    "accumulate": (lambda x: x >= 2, "at least 2, or null"),
    "weight": (lambda x: x >= 0, "at least 0"),
}
EXAMPLES = {  # of values of keys that are empty by default
    "evaluate_every": 1000, "num": 64, "truncation": 0.7, "image_size": 128, "size": 1024, "tile": 1024,
    "gatys.log_every": 10, "dataset.limit": 200, "model.accumulate": 2, "model.augment_target": 0.6,
    "model.generator_optimizer.global_clipnorm": 1.0, "model.discriminator_optimizer.global_clipnorm": 1.0,
    "loss.weight_clipping": 0.01, "trainer.threads": 2,
}  # fmt: skip


def metrics_named(names: Iterable[str], weights: str | None = None) -> DictConfig:
    """The metrics of these names, as `conf/metrics/` has them; `weights` of the networks that some look through."""
    files = [OmegaConf.load(CONF / "metrics" / f"{name}.yaml") for name in names]
    return OmegaConf.create({"weights": weights, "metrics": OmegaConf.merge(*files)}).metrics


def leaves(config: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """`("model.width", 64)`, ... for every value of a configuration that is neither a mapping nor a group."""
    container = OmegaConf.to_container(config) if isinstance(config, DictConfig) else config
    for key, value in container.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def check_types(config: DictConfig, config_name: str, groups: dict[str, str]) -> None:
    """Compares the type of every value with the one that the YAML files give it.

    The files are the schema: `steps: 2000` says that steps is a whole number. Raises `GessoError`.
    """
    options = {group: option for group, option in groups.items() if group in config or group == "penalty"}
    chosen = [f"{group}={option}" for group, option in options.items() if option is not None]
    defaults = dict(leaves(compose(config_name, chosen)))
    for key, value in leaves(config):
        default = defaults.get(key)
        if value == default:
            continue
        default = EXAMPLES.get(key) if default is None else default
        if default is None or (isinstance(default, str) and default.startswith("${")):
            continue
        if isinstance(value, str) and value.startswith("${"):
            continue
        if not _fits(value, default):
            example = "[a,b]" if default == [] else default
            raise GessoError(f"{key}={value} is {_kind(value)}; it must be {_kind(default)}, such as {example}.")


def _fits(value: Any, default: Any) -> bool:
    if isinstance(default, str):  # `jit_compile: auto` may also be true or false
        return value is not None and not isinstance(value, list | dict)
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, float):
        return isinstance(value, int | float)
    return isinstance(value, type(default))


def _kind(value: Any) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text", list: "a list"}
    return "empty" if value is None else names.get(type(value), "a group of keys")


def check_train(config: DictConfig) -> None:
    """Refuses, in words, values and combinations that cannot be trained. Raises `GessoError`."""
    for key in COUNTS:
        value = OmegaConf.select(config, key)
        if value is not None and value < 1:
            raise GessoError(f"{key}={value}: it must be at least 1.")
    for key, value in leaves(OmegaConf.to_container(config, resolve=True)):
        allowed, words = RANGES.get(key.rpartition(".")[2], (None, None))
        if allowed is not None and isinstance(value, int | float) and not allowed(value):
            raise GessoError(f"{key}={value}: it must be {words}.")
    if config.seed < 0 or config.seed >= 2**31:
        raise GessoError(f"seed={config.seed}: it must be between 0 and {2**31 - 1}.")
    for key, choices in CHOICES.items():
        values = OmegaConf.select(config, key)
        for value in values if isinstance(values, ListConfig) else [values]:
            if value is not None and value not in choices:
                raise GessoError(f"{key}={value}: {did_you_mean(value, choices)}")
    sizes = config.model.get("image_sizes")
    if sizes is not None and config.image_size not in sizes:
        raise GessoError(
            f"image_size={config.image_size}: this model makes pictures of {', '.join(map(str, sizes))} px."
        )
    multiple = config.model.get("image_multiple", 1)
    if config.image_size % multiple:
        raise GessoError(f"image_size={config.image_size}: this model wants a multiple of {multiple}.")
    if config.restarts > 1 and config.restart_steps >= config.steps:
        raise GessoError(f"restart_steps={config.restart_steps} must be less than steps={config.steps}.")
    _check_objective(config)
    _check_metrics(config)
    _check_growth(config)


def draws(config: DictConfig) -> bool:
    """Whether the model makes pictures from noise, which can be compared with a data set's as a set."""
    return config.model.kind == "generator"


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
    for name, metric in config.metrics.items():
        if metric.of in ("pairs", "probabilities"):
            raise GessoError(f"metrics={name} is of {metric.of}: evaluate.py measures it, training does not.")


def _check_growth(config: DictConfig) -> None:
    if "phase_steps" not in config.model:
        return
    whole = config.model.phase_steps * 2 * int(math.log2(config.image_size // 4))
    if config.steps < whole:
        log.warning(
            "The networks reach %d px at step %d, and steps=%d: raise it, or lower model.phase_steps.",
            config.image_size, whole, config.steps,
        )  # fmt: skip


def _check_objective(config: DictConfig) -> None:
    if config.model.loss_key not in config.loss:
        files = [path.stem for path in (CONF / "loss").glob("*.yaml") if config.model.loss_key in path.read_text()]
        raise GessoError(f"This loss= does not fit this model=; what does: {', '.join(sorted(files))}.")
    if config.model.get("augment_target") is not None and config.loss.get("threshold") is None:
        raise GessoError(
            "model.augment_target adapts to how many real pictures have logits above a threshold, and this loss "
            "has none: take loss=non_saturating, minimax, hinge or least_squares, or fix model.augment_probability."
        )
    penalties = config.loss.get("penalties", {}).values()
    if config.model.get("normalization") == "batch" and any(penalty.every == 1 for penalty in penalties):
        log.warning(
            "A penalty on each picture's gradient, but model.normalization=batch ties the pictures of a batch "
            "together; the papers take model.normalization=layer."
        )
    if config.model.get("normalization") == "batch" and config.model.get("spectral"):
        log.warning(
            "model.spectral=true bounds the weights, and model.normalization=batch divides their scale out again; "
            "the paper has model.normalization=none."
        )


def check_data(config: DictConfig, dataset: Any) -> None:
    """Refuses a data set that does not fit the model, is smaller than a step takes, or lacks the classes asked for.

    Raises `GessoError`.
    """
    takes = tuple(config.model.batch_keys)
    spec = dataset.spec
    if takes != spec.batch_keys:
        raise GessoError(
            f"This model= learns from {' and '.join(takes)}, and {spec.name} has {' and '.join(spec.batch_keys)}. "
            f"What fits: dataset={FITTING.get(takes)}."
        )
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
    if condition != "none" and spec.num_classes < 2:
        raise GessoError(
            f"model.condition={condition} needs classes, and {spec.name} has none. In an image folder, the "
            "subfolders are the classes."
        )


def explain(error: Exception, config_name: str, arguments: Sequence[str] = ()) -> str:
    """What Hydra could not compose of a command line, in words, with the nearest name that exists."""
    text = str(error).strip()
    if isinstance(error, OverrideParseException):
        return f"{error.override}: {text.splitlines()[0]}. Put values with special characters into quotes."
    if isinstance(error, MissingConfigException):
        in_a_list = re.match(r"In '.*': Could not load '(.+)/(\w+)'", text)  # penalty=[r1,r3]
        group, _, option = in_a_list.group(1, 0, 2) if in_a_list else str(error.missing_cfg_file).rpartition("/")
        options = error.options or [path.stem for path in (CONF / group).glob("*.yaml")]
        return f"{group}={option}: there is no such option. {did_you_mean(option, options)}"
    unknown = re.search(r"Could not override '([^']+)'|Key '([^']+)' is not in struct", text)
    if isinstance(error, ConfigCompositionException) and unknown:
        key = unknown[1] or unknown[2]
        groups = [a for a in arguments if "=" in a and (CONF / a.partition("=")[0]).is_dir()]
        try:
            config = compose(config_name, groups)
        except Exception:  # two things are wrong, and this one is not the one to be explained
            config = compose(config_name)
        penalty = re.match(r"loss\.penalties\.(\w+)", key)
        if penalty and penalty[1] not in OmegaConf.select(config, "loss.penalties", default={}):
            return f"{key}: there is no such key unless penalty={penalty[1]} adds it."
        names = [*config, *(name for name, _ in leaves(config))]
        return f"{key}: there is no such key. {did_you_mean(key, names, show_all=False)}"
    return text or str(error.__cause__)
