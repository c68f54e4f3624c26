"""Trained networks, from a `.keras` file to what they make, and into one."""

import errno
import importlib
import pkgutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from core import keras_archive
from core.errors import GessoError
from core.files import atomic
from core.network_file import add_metadata, find_network, read_metadata
from core.network_metadata import Metadata

LARGEST = 4096  # px, side of pictures that a generator may make


def save(network, path: Path, metadata: Metadata) -> None:
    """Writes a `keras.Model` and what it is to `path`, one `.keras` file, whole or not at all.

    Raises `GessoError` where it cannot be written.
    """
    if time.localtime().tm_year < 1980:  # some machines begin in 1970 when they have been without power
        raise GessoError(
            f"Could not write {path}: archives know no time before 1980, and the clock is there. Set it."
        )
    with atomic(path) as temporary:
        network.save(temporary)
        add_metadata(temporary, metadata)


def load(path: str | Path, kind: str):
    """Loads the network in a `.keras` file, a `keras.Model`, and its `Metadata`.

    Raises `GessoError` if there is no such file, Keras cannot read it, or what is in it is not of that `kind`.
    """
    metadata = read_metadata(path)
    if metadata.kind != kind:
        raise GessoError(f"{path} is a {metadata.kind}, not a {kind}.")
    network = load_network(path)
    ranks = [len(tensor.shape) for tensor in network.inputs]
    if kind == "generator":
        beside = " and a sentence" if metadata.words else " and a label" if metadata.classes else ""
        if ranks != ([2, 2] if metadata.words else [2, 1] if metadata.classes else [2]):
            raise GessoError(f"{path} takes {network.input_shape}, not a latent [batch, latent_dim]{beside}.")
        shape = network.outputs[0].shape if len(network.outputs) == 1 else ()
        sides = shape[1:3] if len(shape) == 4 and shape[-1] in (1, 3) else [None]
        if not all(isinstance(side, int) and side <= LARGEST for side in sides):
            raise GessoError(f"{path} makes {network.output_shape}, not pictures of up to {LARGEST} px.")
    if kind != "generator" and 4 not in ranks:
        raise GessoError(f"{path} takes {network.input_shape}, not pictures.")
    return network, metadata


def load_network(path: str | Path):
    """Loads any network of layers that are Keras's or ours. Raises `GessoError` if Keras cannot read it."""
    import keras
    from tensorflow.errors import OpError

    import models.networks

    for module in pkgutil.iter_modules(models.networks.__path__):  # the classes that a file may name
        importlib.import_module(f"models.networks.{module.name}")
    keras_archive.check(path, [name for name in keras.saving.get_custom_objects() if name.startswith("gesso>")])
    try:
        network = keras.models.load_model(path, compile=False, safe_mode=True)
    except (*keras_archive.DAMAGE, OpError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise  # where Keras unpacks it
        reason = str(error).split(": filepath=")[0].split("\n")[0]
        raise GessoError(f"{path} is not a network that Keras can read: {reason}.") from error
    if not isinstance(network, keras.Model) or not getattr(network, "inputs", None):
        raise GessoError(f"{path} is no network of Gesso's: it is not a functional model.")
    for layer in network._flatten_layers():  # the file says what precision it was trained in, on that machine
        if layer.dtype_policy.name.startswith("mixed_"):
            layer.dtype_policy = keras.config.dtype_policy()
    return network


def stylizer_of(path: str | Path | None):
    """Loads the stylizer that `model.start` names; None of None. Raises `GessoError` as `load` does."""
    return _start(path, "stylizer")


def translator_of(path: str | Path | None):
    """Loads the translator that `model.start` names, as `stylizer_of`."""
    return _start(path, "translator")


def _start(path: str | Path | None, kind: str):
    return None if path is None else load(find_network(path, "model.start", [kind]), kind)[0]


def take_over(start, network, beyond: str | None = None) -> None:
    """Gives `network` the weights of `start`, both `keras.Model`s.

    Layers whose names begin with `beyond` may be new in `network`: they stay as they are where `start` has none.
    Raises `GessoError` if the weights do not fit.
    """
    layers = network.layers
    if beyond and not any(layer.name.startswith(beyond) for layer in start.layers):
        layers = [layer for layer in layers if not layer.name.startswith(beyond)]
    weights = [weight for layer in layers for weight in layer.weights]
    if [weight.shape for weight in weights] != [weight.shape for weight in start.weights]:
        raise GessoError(
            "model.start is a network of other sizes than this one's: pictures, width, depth and number of styles "
            "must agree."
        )
    for weight, value in zip(weights, start.get_weights(), strict=True):
        weight.assign(value)


def load_classifier(path: str | Path, image_shape: Sequence[int], num_classes: int | None = None):
    """Loads a classifier: pictures `[batch, *image_shape]` -> probabilities `[batch, num_classes]`, None: any.

    Raises `GessoError` for another network.
    """
    network = load_network(path)
    takes, gives = ([tuple(tensor.shape[1:]) for tensor in ends] for ends in (network.inputs, network.outputs))
    if len(takes) != 1 or len(takes[0]) != 3 or len(gives) != 1 or len(gives[0]) != 1:
        raise GessoError(f"classifier={path} is none: it makes {gives} of {takes}, not probabilities of a picture.")
    if any(size not in (None, wanted) for size, wanted in zip(takes[0], image_shape, strict=True)):
        sizes = ["x".join(map(str, shape)) for shape in (takes[0], image_shape)]
        raise GessoError(f"classifier={path} takes pictures of {sizes[0]}, and these are of {sizes[1]}.")
    if num_classes not in (None, gives[0][0]):
        raise GessoError(f"classifier={path} knows {gives[0][0]} classes, and these pictures have {num_classes}.")
    return network


def parts(generator) -> tuple:
    """Returns the two networks of a generator that understands words: one reads them, one paints from vectors."""
    return generator.get_layer("sentences"), generator.get_layer("generator")


def latent_dim(generator) -> int:
    """Returns the length of a generator's latent."""
    return generator.inputs[0].shape[-1]


def truncate(generator, truncation: float | None) -> float | None:
    """Has a generator with styles move them towards their average, to a share of `truncation` of the distance.

    Returns what is left for `latent.sample` to do: `truncation` itself for a generator without, None otherwise.
    Raises `GessoError` for more than the distance.
    """
    if truncation is None:
        return None
    if not has_styles(generator):
        return truncation
    if truncation > 1:
        raise GessoError(f"truncation={truncation}: of a network with styles it is a share of the way, up to 1.")
    for layer in _with_styles(generator):
        layer.truncation = truncation
    return None


def has_styles(generator) -> bool:
    """Says whether a generator has styles, which truncation is of; else it is of latents."""
    return bool(_with_styles(generator))


def _with_styles(generator) -> list:
    return [layer for layer in generator._flatten_layers() if hasattr(layer, "truncation")]


def drawer(generator) -> Callable[[np.ndarray, np.ndarray | None], np.ndarray]:
    """Compiles a generator: latents `[n, latent_dim]`, labels `[n, ...]` or None -> float32 `[n, h, w, c]`."""
    import tensorflow as tf

    @tf.function(reduce_retracing=True, autograph=False)
    def compiled(*inputs):
        return generator(list(inputs) if len(inputs) > 1 else inputs[0], training=False)

    def drawn(latents: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
        inputs = (latents,) if labels is None else (latents, np.asarray(labels, generator.inputs[1].dtype))
        return np.asarray(compiled(*map(tf.constant, inputs)), np.float32)

    return drawn


def draw(
    generator: Callable,
    latents: np.ndarray,
    labels: np.ndarray | None = None,
    batch_size: int = 100,
    kept: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> np.ndarray:
    """Draws the pictures of `latents` and `labels`, as `drawer`'s, a batch at a time, with a progress bar.

    Of each batch, what `kept` makes of it stays: `to_uint8` takes a quarter of the memory. Raises `GessoError` for
    pictures with NaN in them.
    """
    one_batch, starts = drawer(generator), range(0, len(latents), batch_size)
    parts = (slice(i, i + batch_size) for i in tqdm(starts, desc="drawing", unit="batch", disable=None))
    return np.concatenate(
        [kept(_finite(one_batch(latents[part], None if labels is None else labels[part]))) for part in parts]
    )


def _finite(pictures: np.ndarray) -> np.ndarray:
    if not np.isfinite(pictures).all():
        raise GessoError("The network makes pictures of NaN or infinite numbers: it is damaged, or diverged.")
    return pictures
