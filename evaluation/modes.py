"""Modes of `evaluate.py`: what it compares with what, and which of them a command line asks for.

A new one is an entry in `MODES`, and a line in `_find` that says what asks for it. All that can be known before
TensorFlow is imported is checked here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from core.config import check_metrics, metrics_named
from core.errors import GessoError
from core.network_file import find_network, read_metadata
from core.overrides import refuse_keys
from data import film

Rows = dict[str, dict[str, float]]  # numbers by name: of what is evaluated first, then of what it is compared with
Settings = dict[str, Any]  # what the numbers depend on
Metrics = Mapping[str, Mapping[str, Any]]  # as conf/metrics/ has them, each `function` built


@dataclass(frozen=True)
class Mode:
    """One way to evaluate.

    Attributes:
        what: is evaluated, for messages.
        run: evaluates, with the metrics and the file of the network if there is one.
        needs: keys without which it cannot be, each with what to say then; nothing, if `_find` looks at it.
        keys: others that it has a use for. Whoever gives another mode's is told that nothing comes of it.
        of: "sets" or "pairs" of pictures, or "sentences", which its metrics compare; None: it has its own measures.
        metrics: names of those that are measured unless `metrics=` says otherwise.
    """

    what: str
    run: Callable[[DictConfig, Metrics, Path | None], tuple[Rows, Settings]]
    needs: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    of: str | None = None
    metrics: tuple[str, ...] = ()

    @property
    def uses(self) -> set[str]:
        """Returns all keys that it has a use for."""
        return {*self.needs, *self.keys}


def _generator(config: DictConfig, metrics: Metrics, network: Path) -> tuple[Rows, Settings]:
    from evaluation import generated, subject

    return generated.evaluate(config, metrics, subject.of_generator(config, network))


def _words(config: DictConfig, metrics: Metrics, network: Path) -> tuple[Rows, Settings]:
    from evaluation import listening

    return listening.evaluate(config, metrics, network)


def _folder(config: DictConfig, metrics: Metrics, network: None) -> tuple[Rows, Settings]:
    from evaluation import generated, subject

    return generated.evaluate(config, metrics, subject.of_folder(config))


def _translator(config: DictConfig, metrics: Metrics, network: Path) -> tuple[Rows, Settings]:
    from evaluation import pairs

    return pairs.evaluate_translator(config, metrics, network)


def _folders(config: DictConfig, metrics: Metrics, network: None) -> tuple[Rows, Settings]:
    from evaluation import pairs

    return pairs.evaluate_folders(config, metrics)


def _stylized(config: DictConfig, metrics: Metrics, network: None) -> tuple[Rows, Settings]:
    from evaluation import styles

    return styles.evaluate(config)


def _film(config: DictConfig, metrics: Metrics, network: None) -> tuple[Rows, Settings]:
    from evaluation import films

    return films.evaluate(config)


OF = {"pairs": "pairs", "sentences": "sentences", "attributes": "sentences"}  # what metrics are of; else sets
OF_SPACE = {"features", "labelled", "moments"}  # those of sets that look through the feature space
SETS = ("fid", "kid", "precision_recall", "density_coverage", "neighbor_distance_ratio")
PAIRS = ("l1", "psnr", "ssim")
REFERENCE = "dataset= says what the pictures are compared with: dataset=image_folder dataset.root=..."
OTHERS = (
    "images= are compared with others: dataset=image_folder dataset.root=<real pictures>, truth=<folder>, or "
    "content=<folder> style=<painting>."
)
FILES = ("images", "truth", "content", "style")
OF_DATASET = ("metrics", "weights", "num", "seed", "image_size", "baselines", "batch_size", "cache_dir")
OF_SETS = (*OF_DATASET, "features", "classifier")

MODES = {
    "generator": Mode(
        "a generator", _generator, {"network": "", "dataset": REFERENCE}, (*OF_SETS, "truncation"), "sets", SETS
    ),
    "words": Mode(
        "a generator's words",
        _words,
        {"network": "", "reader": "", "dataset": REFERENCE},
        ("metrics", "num", "seed", "image_size", "truncation", "batch_size", "cache_dir"),
        "sentences",
        ("r_precision", "attribute_accuracy"),
    ),
    "folder": Mode("a folder of pictures", _folder, {"images": "", "dataset": OTHERS}, OF_SETS, "sets", SETS),
    "translator": Mode(
        "a translator", _translator, {"network": "", "dataset": REFERENCE}, OF_DATASET, "pairs", PAIRS
    ),
    "folders": Mode(
        "two folders", _folders, {"images": "", "truth": ""}, ("metrics", "weights", "num"), "pairs", PAIRS
    ),
    "stylized": Mode(
        "stylized pictures",
        _stylized,
        {"images": "", "content": "", "style": "style=<painting> says what the pictures should look like."},
        ("weights", "num", "layers"),
    ),
    "film": Mode("a film", _film, {"images": "", "content": ""}),
}


def choose(config: DictConfig, overrides: Iterable[str]) -> tuple[Mode, DictConfig, Path | None]:
    """Chooses the mode of a configuration and its metrics (not built); finds the file of its network if it has one.

    Raises `GessoError` for what cannot be evaluated, and where `overrides`, the command line, give a key that the
    mode has no use for.
    """
    name, network = _find(config)
    mode = MODES[name]
    for key, otherwise in mode.needs.items():
        if config[key] is None:
            raise GessoError(otherwise)
    theirs = {key for other in MODES.values() for key in other.uses} - mode.uses
    refuse_keys(theirs, overrides, f"in an evaluation of {mode.what}")
    metrics = _metrics(config, mode)
    refuse_keys(_idle(metrics, mode), overrides, f"with metrics=[{','.join(metrics)}]")
    _check_files(config, mode)
    return mode, metrics, network


def _find(config: DictConfig) -> tuple[str, Path | None]:
    """Finds the name of the mode, and the file of the network."""
    if (config.network is None) == (config.images is None):
        raise GessoError("Give one of network=<run directory or .keras file> and images=<folder>.")
    if config.network is not None:
        if config.reader is not None:
            find_network(config.reader, "reader", ["text_encoder"])
            return "words", find_network(config.network, kinds=["generator"])
        network = find_network(config.network, kinds=("generator", "translator"))
        return read_metadata(network).kind, network
    if config.content is not None:
        if Path(config.images).is_file() and not film.is_film(config.images):
            raise GessoError(f"images={config.images} is one picture: images= names a folder of them, or a film.")
        return "film" if Path(config.images).is_file() else "stylized", None
    return "folder" if config.truth is None else "folders", None


def _metrics(config: DictConfig, mode: Mode) -> DictConfig:
    """Returns the metrics that are asked for, or the usual ones. Raises `GessoError` for those that do not fit."""
    if mode.of is None:
        return OmegaConf.create({})
    metrics = config.metrics or metrics_named(mode.metrics, config.weights)
    check_metrics(metrics)
    for name, metric in metrics.items():
        of = OF.get(metric.of, "sets")
        if of == "sentences" != mode.of:
            raise GessoError(f"metrics={name} asks a text encoder: reader=<run of text_encoder>, of another seed.")
        if of != mode.of:
            here = {"pairs": "pictures beside the truth", "sentences": "words"}.get(mode.of, "sets of pictures")
            raise GessoError(f"metrics={name} is of {metric.of}; this is an evaluation of {here}.")
        if metric.of == "probabilities" and config.classifier is None:
            raise GessoError(f"metrics={name} asks a classifier: classifier=<file.keras>.")
    return metrics


def _idle(metrics: DictConfig, mode: Mode) -> set[str]:
    """Finds the keys of networks through which none of these metrics looks."""
    if mode.of == "pairs":
        return set() if any("weights" in metric.function for metric in metrics.values()) else {"weights"}
    kinds = {metric.of for metric in metrics.values()}
    through = {"features": OF_SPACE, "weights": OF_SPACE, "classifier": {"probabilities"}}
    return {key for key, those in through.items() if mode.of == "sets" and not kinds & those}


def _check_files(config: DictConfig, mode: Mode) -> None:
    """Raises `GessoError` if a file or folder that is compared is not there."""
    for key in (name for name in FILES if name in mode.uses):
        paths = config[key] if isinstance(config[key], ListConfig) else [config[key]]
        for path in paths:
            if not Path(path).exists():
                raise GessoError(f"{key}={path} does not exist.")


def options(metrics: DictConfig) -> Settings:
    """Returns what the numbers of metrics depend on besides: `precision_recall.k` and the like."""
    return {
        f"{name}.{key}": "none" if value is None else value
        for name, metric in metrics.items()
        for key, value in OmegaConf.to_container(metric.function, resolve=True).items()
        if not key.startswith("_")
    }
