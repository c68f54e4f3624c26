"""Paints pictures, folders and films in the manner of a painting: `python stylize.py content=a.jpg style=b.jpg`."""

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from core import sweeps
from core.cli import main
from core.files import expanded
from core.network_file import read_metadata
from core.overrides import own_overrides
from stylization import arguments, methods

FILES = ("content", "style", "network", "output", "weights", "mask", "region", "init")  # keys


@main("stylize", files=FILES)
def stylize(config: DictConfig) -> None:
    arguments.check(config)
    method, network = methods.choose(config)
    jobs = arguments.outputs(arguments.find_contents(config), config)
    arguments.check_of_films(jobs, own_overrides())
    arguments.check_sides(jobs, config.size, 1 if network is None else read_metadata(network).geometry.scale)
    chunks = methods.provenance(config, method, network)
    chunks |= arguments.settings(config, methods.METHODS[method].keys, network)
    used = [expanded(file) for file in arguments.input_files(config)]
    of_sweep = sweeps.of_sweep(HydraConfig.get().runtime.output_dir)
    jobs = arguments.undone(jobs, chunks, [*used, network] if network else used, of_sweep)
    if not jobs:
        return

    from core import hardware  # TensorFlow takes seconds to import: not before all of this is right

    if config.depth == 16 and config.precision == "auto":
        config.precision = "float32"  # bfloat16 has eight bits itself
    hardware.set_up(config)
    from stylization import painting

    paint = methods.build(config, method, network)
    of_films = config.temporal_consistency, config.motion
    painting.paint_all(jobs, paint, chunks, config.size, *of_films, config.save_every, config.depth)


if __name__ == "__main__":
    stylize()
