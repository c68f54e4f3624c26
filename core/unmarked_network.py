"""Networks from before there was metadata in their files: what they are is worked out from names, here alone."""

from pathlib import Path
from typing import Any

from core.errors import GessoError
from core.images import config_hash
from core.network_metadata import KINDS, Geometry, Metadata
from core.run import Run

MOST = 4096  # styles of a network
CYCLEGAN = 7  # px, side of the first kernel: beside it, a CycleGAN's network is the same as a stylizer's


def work_out(path: Path, config: dict[str, Any]) -> Metadata:
    """Works out what the network in `path` is, from Keras's configuration of it and the files beside it.

    Raises `GessoError` for a network that is none of Gesso's, and for a generator with labels whose classes no file
    names.
    """
    run, here = Run.of(path), Run(path.parent)
    origin = {} if run is None else {"model": run.model_name, "config_sha256": config_hash(run.load_config())}
    network = config.get("config", {})
    name, inputs = network.get("name"), _inputs(network)
    layers = {layer["config"]["name"]: layer for layer in network.get("layers", ())}
    geometry = _geometry(name, layers)
    if geometry is None:
        if [len(shape) for shape in inputs.values()] not in ([2], [2, 1]):
            raise GessoError(f"{path} holds the network '{name}', which is no {' or '.join(KINDS)} of Gesso's.")
        known = here.class_names() or ([] if run is None else run.class_names())
        classes = known if len(inputs) == 2 else []
        if len(inputs) == 2 and not classes:
            raise GessoError(f"{path} takes labels, but no file beside it names its classes.")
        return Metadata("generator", classes=tuple(classes), **origin)
    translates = path.name.startswith("translator") or name in ("unet", "srresnet")
    if translates or (name == "transformer" and layers["in"]["config"]["kernel_size"][0] == CYCLEGAN):
        told = here.translation() or ({} if run is None else run.translation())
        task, size = told.get("task"), told.get("image_size")
        return Metadata("translator", "translate", task, size, geometry=geometry, **origin)
    if name == "adain":
        return Metadata("stylizer", "adain", geometry=geometry, **origin)
    styles = inputs["weights"][-1] if "weights" in inputs else 1
    if styles > MOST:
        raise GessoError(f"{path} claims to paint in {styles} styles; the most that are read are {MOST}.")
    numbers = tuple(str(i) for i in range(1, styles + 1))
    return Metadata("stylizer", "fast", styles=numbers, geometry=geometry, **origin)


def _inputs(network: dict[str, Any]) -> dict[str, list]:
    """Reads the shapes of the inputs by name, in the network's order."""
    shapes = {
        layer["config"]["name"]: layer["config"].get("batch_shape") or layer["config"].get("batch_input_shape")
        for layer in network.get("layers", ())
        if layer["class_name"] == "InputLayer"
    }
    order = _names(network.get("input_layers"))
    return {name: shapes[name] for name in order if name in shapes} or shapes


def _names(inputs: Any) -> list[str]:
    """Lists the names in `["image", 0, 0]`, alone or in lists or dictionaries."""
    if isinstance(inputs, dict):
        inputs = list(inputs.values())
    if not isinstance(inputs, list) or not inputs:
        return []
    if isinstance(inputs[0], str):
        return [inputs[0]]
    return [name for part in inputs for name in _names(part)]


def _geometry(name: str | None, layers: dict[str, dict]) -> Geometry | None:
    """Works out what the functions in `models/networks/` say of networks that they make; None for others."""
    if name == "transformer":
        blocks = sum(layer.endswith("b_norm") for layer in layers)
        width = layers["in"]["config"]["filters"]
        return Geometry(stride=4, reach=20 + 8 * blocks, tile=int(3072 * (32 / width) ** 0.5))
    if name == "adain":
        return Geometry(stride=8, reach=72, edge=32)
    kinds = [layer["class_name"] for layer in layers.values()]
    if name == "srresnet":
        return Geometry(reach=12 + 2 * kinds.count("Add"), scale=2 ** kinds.count("PixelShuffle"))
    if name == "unet":
        halvings = sum(key.startswith("down_") and "kernel_size" in layers[key]["config"] for key in layers)
        return Geometry(stride=2**halvings, reach=2**halvings // 2)
    return None
