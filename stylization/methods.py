"""All methods of stylization, and which of them a configuration asks for.

A new one is a file beside these, with its `METHOD`, an entry here, and its options, if any, in `conf/stylize.yaml`.
"""

import logging
from pathlib import Path

from omegaconf import DictConfig

from core import images, network_file, zoo
from core.errors import GessoError
from core.network_file import find_network, of_the_zoo, read_metadata
from core.overrides import own_overrides, refuse_keys
from stylization import adain, any_style, fast, gatys, nnst, options, translate
from stylization.method import Paint

METHODS = {
    "gatys": gatys.METHOD, "nnst": nnst.METHOD, "fast": fast.METHOD, "adain": adain.METHOD,
    "any_style": any_style.METHOD, "translate": translate.METHOD,
}  # fmt: skip
DEFAULT = "gatys"  # where there is no network
ANY_STYLE = "any_style"  # the zoo's network that takes its place where VGG is not at hand

log = logging.getLogger(__name__)


def choose(config: DictConfig) -> tuple[str, Path | None]:
    """Chooses the method of a configuration, and finds the file of its network if it has one.

    All that can be known before TensorFlow is imported is checked. Raises `GessoError`.
    """
    name, network, metadata = config.method, None, None
    boxed = in_the_box(config)
    if boxed is not None:
        network, metadata = boxed, read_metadata(boxed)
        name = metadata.method
    elif config.network is None:
        name = name or DEFAULT
        if METHODS[name].trained_by is not None:
            ready = [ours for ours, metadata in of_the_zoo().items() if metadata.method == name]
            raise GessoError(
                f"method={name} paints with a trained network: network=<run directory or .keras file>"
                f"{', or one in the zoo: ' * bool(ready)}{', '.join(ready)}. "
                f"To train one: python train.py model={METHODS[name].trained_by} ..."
            )
    elif name is not None and METHODS[name].trained_by is None:
        raise GessoError(f"method={name} works on the picture itself and takes no network=. Leave out one of them.")
    else:
        network = find_network(config.network, kinds=("stylizer", "translator"))
        metadata = read_metadata(network)
        if metadata.method not in METHODS:
            raise GessoError(f"{network} is a network for method={metadata.method}, which this Gesso has not.")
        if name not in (None, metadata.method):
            raise GessoError(f"method={name}, but {network} is a network for method={metadata.method}.")
        name = metadata.method
    refuse_unused(name, f"method={name}" if config.network is None else f"network={config.network}")
    METHODS[name].check(config, metadata)
    options.check_drawn(config, "region")
    if boxed is not None:
        log.info(
            "Painted by network=%s, in one pass, as VGG's weights are not here. Slower and better: method=%s, "
            "which downloads them (59 MB) once, or weights=<file of them>.", ANY_STYLE, DEFAULT,
        )  # fmt: skip
    return name, network


def in_the_box(config: DictConfig) -> Path | None:
    """Finds the zoo's network for any style, where `style=` alone is given and VGG's weights are not at hand.

    None where nothing but optimisation will do: for its own keys, or a strength beyond 1.
    """
    network = zoo.networks().get(ANY_STYLE)
    if network is None or config.network or config.method or not config.style or options.has_vgg(config):
        return None
    metadata = read_metadata(network)
    given = {text.lstrip("+~").partition("=")[0].split(".")[0] for text in own_overrides()}
    if config.strength > 1 or metadata.method not in METHODS:
        return None
    if given & ({*METHODS[DEFAULT].keys} - {*METHODS[metadata.method].keys}):
        return None
    return network


def build(config: DictConfig, method: str, network: Path | None) -> Paint:
    """Makes what paints as `choose` chose, where `region=` is white."""
    paint = METHODS[method].build(config, network)
    if config.region is None:
        return paint
    from stylization import painting  # TensorFlow

    region = options.read_masks([config.region], "region")[0]
    if not region.any():
        log.warning("region= is black throughout, so nothing is painted: white is where it is.")
    return painting.within(region, paint)


def provenance(config: DictConfig, method: str, network: Path | None) -> dict[str, str]:
    """Returns what a painted picture says of itself; of a trained network, that of its run."""
    if network is None:
        config = config.copy()
        config.save_every = None  # the picture is the same
        return images.provenance(method, config, config.seed)
    return network_file.provenance(network, config.seed)


def refuse_unused(method: str, named: str) -> None:
    """Raises `GessoError` if the command line gives a key that is for other methods only; ours is `named` so."""
    theirs = {key for other in METHODS.values() for key in other.keys} - {*METHODS[method].keys}
    refuse_keys(theirs, own_overrides(), f"with {named}")
