"""Makes a network between two of one architecture: `python -m zoo.blend network=<a> other=<b> share=0.5`.

Weights are averaged, as ESRGAN does (Wang et al. 2018, arXiv:1809.00219) between a network that learned from
squared errors and one that went on from it with an adversary: most of the second's sharpness, little of its noise.
"""

import logging
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig

from core.cli import main
from core.errors import GessoError
from core.files import expanded, relative
from core.network_file import find_network, read_metadata
from models import trained

log = logging.getLogger(__name__)
SAME = ("kind", "method", "task", "classes", "styles", "words", "geometry")  # of the metadata


@main("blend", files=("network", "other", "output"))
def blend(config: DictConfig) -> None:
    kinds = ("generator", "stylizer", "translator")
    network, other = (find_network(config[key], key, kinds) for key in ("network", "other"))
    if config.output is None or Path(str(config.output)).suffix != ".keras":
        raise GessoError(f"output={config.output}: the file to write, as in output=between.keras.")
    output = expanded(str(config.output))
    if output.resolve() in (network.resolve(), other.resolve()):
        raise GessoError(f"output={output} is one of the two, and would be overwritten.")
    check(network, other)

    from core import hardware  # TensorFlow takes seconds to import: not before all of this is right

    hardware.load_tensorflow()
    write(network, other, config.share, output)
    log.info("%s", relative(output))


def check(network: Path, other: Path) -> None:
    """Raises `GessoError` for files of networks that do not do the same."""
    facts = [read_metadata(path) for path in (network, other)]
    for name in SAME:
        if getattr(facts[0], name) != getattr(facts[1], name):
            raise GessoError(f"{network} and {other} are of different {name}: there is nothing between them.")


def write(network: Path, other: Path, share: float, output: Path) -> None:
    """Writes the network that is `share` of `other` and else `network`. Raises `GessoError` as `average` does."""
    metadata = read_metadata(network)
    (one, _), (two, _) = (trained.load(path, metadata.kind) for path in (network, other))
    average(one, two, share)
    trained.save(one, output, replace(metadata, step=None, images=None, config_sha256=None, command=()))


def average(network, other, share: float) -> None:
    """Brings the weights of `network` to `1 - share` of its own and `share` of `other`'s, both `keras.Model`s.

    Raises `GessoError` if they are of other shapes, or of layers that do other things.
    """
    if [weight.shape for weight in network.weights] != [weight.shape for weight in other.weights]:
        raise GessoError("The two networks are of different sizes: there is nothing between them.")
    if [type(layer) for layer in network.layers] != [type(layer) for layer in other.layers]:
        raise GessoError("The two networks are made of different layers: there is nothing between them.")
    pairs = zip(network.get_weights(), other.get_weights(), strict=True)
    network.set_weights([a if a.dtype.kind in "iub" else (1 - share) * a + share * b for a, b in pairs])


if __name__ == "__main__":
    blend()
