"""Says how good pictures are: `python evaluate.py network=<run directory>`; `--help` lists the ways."""

import logging
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from core.cli import main
from core.instantiate import build
from core.overrides import PICTURES, own_overrides, run_arguments
from evaluation import modes, report

log = logging.getLogger(__name__)

FILES = ("network", "images", "truth", "content", "style", "weights", "classifier", "reader", *PICTURES)  # keys


@main("evaluate", files=FILES, arguments=run_arguments)
def evaluate(config: DictConfig) -> None:
    mode, metrics, network = modes.choose(config, own_overrides())

    from core import hardware  # TensorFlow takes seconds to import: not before all of this is right

    hardware.load_tensorflow()
    rows, settings = mode.run(config, build(metrics), network)
    settings |= modes.options(metrics)
    written = report.write(Path(HydraConfig.get().runtime.output_dir), rows, settings)
    print(report.table(rows))
    print(report.described(settings))
    log.info("%s", written)


if __name__ == "__main__":
    evaluate()
