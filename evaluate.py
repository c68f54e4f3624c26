"""Says how good pictures are: `python evaluate.py network=<run directory>`; `--help` lists the ways."""

import logging
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from core.cli import main
from core.config import metrics_named
from core.errors import GessoError
from core.instantiate import build
from core.network_file import find_network, read_metadata
from core.overrides import run_arguments

log = logging.getLogger(__name__)

SETS = (
    "fid",
    "kid",
    "precision_recall",
    "density_coverage",
    "neighbor_distance_ratio",
)  # measured unless metrics= says otherwise
PAIRS = ("l1", "psnr", "ssim")
KINDS = ("generator", "translator")  # of networks that can be evaluated
FILES = ("network", "images", "truth", "content", "style", "weights", "classifier")


@main("evaluate", files=FILES, arguments=run_arguments)
def evaluate(config: DictConfig) -> None:
    check(config)
    network = None if config.network is None else find_network(config.network, kinds=KINDS)
    of_pairs = config.truth is not None or (network is not None and read_metadata(network).kind == "translator")
    metrics = chosen(config, of_pairs)

    from core import hardware  # TensorFlow takes seconds to import: not before all of this is right

    hardware.load_tensorflow()
    from evaluation import generated, pairs, report, styles

    if config.content is not None:
        rows, settings = (styles.films if Path(config.images).is_file() else styles.pictures)(config)
    elif config.truth is not None:
        rows, settings = pairs.folders(config, build(metrics))
    elif of_pairs:
        rows, settings = pairs.translations(config, network, build(metrics))
    else:
        rows, settings = generated.evaluate(config, build(metrics))
    settings |= options_of(metrics) if config.content is None else {}
    print(report.table(rows))
    print(report.described(settings))
    log.info("%s", report.write(Path(HydraConfig.get().runtime.output_dir), rows, settings))


def check(config: DictConfig) -> None:
    """Raises `GessoError` for what cannot be evaluated."""
    if (config.network is None) == (config.images is None):
        raise GessoError("Give one of network=<run directory or .keras file> and images=<folder>.")
    if config.network is not None:
        find_network(config.network, kinds=KINDS)
    for key in ("truth", "content"):
        if config[key] is not None and config.images is None:
            raise GessoError(f"{key}= belongs to images=<folder>: what is to be compared with it.")
    if config.content is not None and config.style is None and not Path(config.images).is_file():
        raise GessoError("style=<painting> says what the pictures should look like.")
    if config.images is None and config.dataset is None:
        raise GessoError("dataset= says what the pictures are compared with: dataset=image_folder dataset.root=...")
    if config.images is not None and all(config[key] is None for key in ("dataset", "truth", "content")):
        raise GessoError(
            "images= are compared with others: dataset=image_folder dataset.root=<real pictures>, "
            "truth=<folder>, or content=<folder> style=<painting>."
        )
    for key in ("truth", "content"):
        if config[key] is not None and config.dataset is not None:
            raise GessoError(f"{key}= and dataset= are two things to compare with: give one of them.")


def chosen(config: DictConfig, of_pairs: bool) -> DictConfig:
    """The metrics that are asked for, or those that are usual. Raises `GessoError` for those that do not fit."""
    metrics = config.metrics
    if not metrics:
        metrics = metrics_named(PAIRS if of_pairs else SETS, config.weights)
    elif config.content is not None:
        raise GessoError("Stylized pictures and films have measures of their own: leave metrics= out.")
    for name, metric in metrics.items():
        if (metric.of == "pairs") != of_pairs:
            here = "pictures beside the truth" if of_pairs else "sets of pictures"
            raise GessoError(f"metrics={name} is of {metric.of}; this is an evaluation of {here}.")
        if metric.of == "probabilities" and config.classifier is None:
            raise GessoError(f"metrics={name} asks a classifier: classifier=<file.keras>.")
    return metrics


def options_of(metrics: DictConfig) -> dict[str, object]:
    """What the numbers depend on besides: `precision_recall.k` and the like."""
    return {
        f"{name}.{key}": "none" if value is None else value
        for name, metric in metrics.items()
        for key, value in metric.function.items()
        if not key.startswith("_")
    }


if __name__ == "__main__":
    evaluate()
