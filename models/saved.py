"""Trained networks: from a `.keras` file to what it makes."""

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from training.errors import GessoError


def load(path: str | Path):
    """The generator in a `.keras` file, a `keras.Model`; its inputs are a latent, or a latent and a label.

    Raises `GessoError` if there is no such file, Keras cannot read it, or what is in it takes something else.
    """
    generator = _read(path)
    if [len(tensor.shape) for tensor in generator.inputs] not in ([2], [2, 1]):
        raise GessoError(f"{path} takes {generator.input_shape}, not a latent [batch, latent_dim] (and a label).")
    return generator


def load_stylizer(path: str | Path):
    """The stylizer in a `.keras` file, a `keras.Model`: `models.networks.transformer` or `adain`, by its name.

    Raises `GessoError` if there is no such file, Keras cannot read it, or what is in it is something else.
    """
    return _of(path, ("transformer", "adain"), "stylizer")


def load_translator(path: str | Path):
    """The translator in a `.keras` file: `unet`, `transformer` or `srresnet`; otherwise as `load_stylizer`."""
    return _of(path, ("unet", "transformer", "srresnet"), "translator")


def _of(path: str | Path, names: tuple[str, ...], kind: str):
    network = _read(path)
    if network.name not in names:
        raise GessoError(f"{path} holds the network '{network.name}', which is no {kind}.")
    return network


def network_file(path: str | Path, key: str = "model") -> Path:
    """The file `path`, or of a run directory the stylizer or translator in it. Raises `GessoError` if none.

    `key` is the one of the configuration that named it.
    """
    path = Path(path).expanduser()
    files = [path / f"{kind}.keras" for kind in ("stylizer", "translator")] if path.is_dir() else [path]
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        raise GessoError(f"{key}={path}: there is no {' and no '.join(map(str, files))}.")
    return found


def stylizer_of(path: str | Path | None):
    """The stylizer that `model.start` names; None of None. Raises `GessoError` as `load_stylizer`."""
    return None if path is None else load_stylizer(network_file(path, "model.start"))


def _read(path: str | Path):
    import keras

    import models.networks

    for module in pkgutil.iter_modules(models.networks.__path__):  # the classes that a file may name
        importlib.import_module(f"models.networks.{module.name}")
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error).split(": filepath=")[0].split("\n")[0]
        raise GessoError(f"{path} is not a network that Keras can read: {reason}.") from error


def latent_dim(generator) -> int:
    """The length of its latent."""
    return generator.inputs[0].shape[-1]


def is_conditional(generator) -> bool:
    """Whether it also wants to be told the class."""
    return len(generator.inputs) > 1


def draw(
    generator: Callable, latents: np.ndarray, labels: np.ndarray | None = None, batch_size: int = 100
) -> np.ndarray:
    """Pictures of `latents` `[n, latent_dim]`, and of `labels` int32 `[n]` if given: float32 `[n, h, w, c]`."""
    import tensorflow as tf

    @tf.function(reduce_retracing=True, autograph=False)
    def compiled(*inputs):
        return generator(list(inputs) if len(inputs) > 1 else inputs[0], training=False)

    inputs = (latents,) if labels is None else (latents, np.asarray(labels, np.int32))
    starts = tqdm(range(0, len(latents), batch_size), desc="drawing", unit="batch", disable=None)
    batches = [compiled(*(tf.constant(x[i : i + batch_size]) for x in inputs)) for i in starts]
    return np.concatenate([np.asarray(batch, np.float32) for batch in batches])
