"""Looks inside a generator: `python explore.py network=<run directory>`."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from core.cli import main
from core.errors import GessoError
from core.files import write_json
from core.images import save_png
from core.network_file import find_network, read_metadata
from core.overrides import PICTURES, own_overrides, refuse_keys, run_arguments
from data.provenance import check_folder
from evaluation import report
from models.labels import find_labels

log = logging.getLogger(__name__)


STRIPS = ("num", "reach", "frames", "label")
USES = {  # keys that a look has a use for, beside the network, its data set (which may be its run's) and the seed
    "sefa": STRIPS,
    "ganspace": STRIPS,
    "nearest": ("num", "neighbors", "label", "features", "weights", "batch_size"),
    "balance": ("pictures", "classifier", "batch_size"),
}


@main("explore", files=("network", "weights", "classifier", "output", *PICTURES), arguments=run_arguments)
def explore(config: DictConfig) -> None:
    check(config)
    output = Path(config.output)
    check_folder(output, [f"{name}.png" for name in config.show])

    from core import hardware

    hardware.load_tensorflow()
    from evaluation.exploration import Exploration

    exploration = Exploration(config)
    found = {}
    for name in config.show:
        log.info("%s ...", name)
        sheet, numbers = getattr(exploration, name)()
        if sheet is not None:
            save_png(output / f"{name}.png", sheet, exploration.provenance)
        if numbers:
            found[name] = numbers
            print(*report.tables(name, numbers), sep="\n")
    if found:
        write_json(output / "exploration.json", found)
    log.info("Pictures and numbers: %s", output)


def check(config: DictConfig) -> None:
    """Raises `GessoError` for what cannot be looked at, and for keys that no look has a use for."""
    if not config.show:
        raise GessoError(f"show=[] looks at nothing. There are: {', '.join(USES)}.")
    idle = {key for keys in USES.values() for key in keys} - {key for name in config.show for key in USES[name]}
    refuse_keys(idle, own_overrides(), f"with show=[{','.join(config.show)}]")
    path = find_network(config.network, kinds=["generator"])
    metadata = read_metadata(path)
    if metadata.words:
        raise GessoError(f"{path} wants words, and explore.py looks into generators without: generate.py text=...")
    if config.label is not None:
        find_labels(config.label, metadata.classes, path)
    if {"nearest", "balance"} & set(config.show) and config.dataset is None:
        raise GessoError(
            "nearest and balance compare with training pictures: dataset=<name> dataset.root=<folder>."
        )


if __name__ == "__main__":
    explore()
