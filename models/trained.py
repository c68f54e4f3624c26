"""Trained networks: from a `.keras` file to what it makes."""

import importlib
import pkgutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from core import images, keras_archive
from core.errors import GessoError, did_you_mean
from core.run import Run


def load(path: str | Path):
    """The generator in a `.keras` file, a `keras.Model`; its inputs are a latent, or a latent and a label.

    Raises `GessoError` if there is no such file, Keras cannot read it, or what is in it takes something else.
    """
    generator = load_network(path)
    if [len(tensor.shape) for tensor in generator.inputs] not in ([2], [2, 1]):
        raise GessoError(f"{path} takes {generator.input_shape}, not a latent [batch, latent_dim] (and a label).")
    return generator


def generator_file(run: str | None, generator: str | None) -> Path:
    """The file that one of `run=` and `generator=` names. Raises `GessoError` if there is none."""
    if (run is None) == (generator is None):
        raise GessoError("Give one of run=<run directory> and generator=<file.keras>.")
    path = Run(run).network("generator") if run is not None else Path(generator)
    if not path.is_file():
        hint = " The run has not reached its first checkpoint." if path.parent.is_dir() and run else ""
        if any(Run(path.parent).network(kind).is_file() for kind in ("stylizer", "translator")):
            hint = f" It paints from pictures: python stylize.py model={path.parent} content=<picture>."
        raise GessoError(f"There is no {path}.{hint}")
    return path


def class_names(path: Path) -> list[str]:
    """The classes that the generator in `path` takes labels of. Raises `GessoError` if they are not beside it."""
    run = Run.of(path) or Run(path.parent)
    names = run.class_names()
    if not names:
        raise GessoError(f"{path} takes labels, but {run.data}, which names its classes, is missing.")
    return names


def find_class(label: str | int, names: list[str], path: Path) -> int:
    """The number of the class that `label`, a name or a number, stands for. Raises `GessoError`."""
    if not names:
        raise GessoError(f"label={label}: {path} makes pictures from noise alone, without labels.")
    plain = [name.casefold().replace(" ", "_") for name in names]
    wanted = str(label).casefold().replace(" ", "_")
    if wanted in plain:
        return plain.index(wanted)
    if wanted.isdigit() and int(wanted) < len(names):
        return int(wanted)
    raise GessoError(f"label={label}: {did_you_mean(str(label), names)}")


def provenance(path: Path, seed: int) -> dict[str, str]:
    """PNG text chunks: of the run that the generator lies in, or in `best/` of, if it lies in one."""
    run = Run.of(path)
    if run is None:
        return images.provenance(path.name, None, seed)
    return images.provenance(run.model_name, run.load_config(), seed)


def load_stylizer(path: str | Path):
    """The stylizer in a `.keras` file, a `keras.Model`: `models.networks.transform_net` or `adain`, by its name.

    Raises `GessoError` if there is no such file, Keras cannot read it, or what is in it is something else.
    """
    return _of(path, ("transformer", "adain"), "stylizer")


def load_translator(path: str | Path):
    """The translator in a `.keras` file: `unet`, `transformer` or `srresnet`; otherwise as `load_stylizer`."""
    return _of(path, ("unet", "transformer", "srresnet"), "translator")


def _of(path: str | Path, names: tuple[str, ...], kind: str):
    network = load_network(path)
    if network.name not in names:
        raise GessoError(f"{path} holds the network '{network.name}', which is no {kind}.")
    return network


def network_file(path: str | Path, key: str = "model") -> Path:
    """The file `path`, or of a run directory the stylizer or translator in it. Raises `GessoError` if none.

    `key` is the one of the configuration that named it.
    """
    path = Path(path).expanduser()
    files = [Run(path).network(kind) for kind in ("stylizer", "translator")] if path.is_dir() else [path]
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        raise GessoError(f"{key}={path}: there is no {' and no '.join(map(str, files))}.")
    return found


def take_over(start, network) -> None:
    """Gives `network` the weights of `start`, both `keras.Model`s. Raises `GessoError` if they do not fit."""
    shapes = [[weight.shape for weight in model.weights] for model in (start, network)]
    if shapes[0] != shapes[1]:
        raise GessoError(
            "model.start is a network of other sizes than this one's: width, depth and number of styles must agree."
        )
    network.set_weights(start.get_weights())


def stylizer_of(path: str | Path | None):
    """The stylizer that `model.start` names; None of None. Raises `GessoError` as `load_stylizer`."""
    return None if path is None else load_stylizer(network_file(path, "model.start"))


def load_network(path: str | Path):
    import keras

    import models.networks

    for module in pkgutil.iter_modules(models.networks.__path__):  # the classes that a file may name
        importlib.import_module(f"models.networks.{module.name}")
    keras_archive.check(path, [name for name in keras.saving.get_custom_objects() if name.startswith("gesso>")])
    try:
        network = keras.models.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        reason = str(error).split(": filepath=")[0].split("\n")[0]
        raise GessoError(f"{path} is not a network that Keras can read: {reason}.") from error
    for layer in network._flatten_layers():  # the file says what precision it was trained in, on that machine
        if layer.dtype_policy.name.startswith("mixed_"):
            layer.dtype_policy = keras.config.dtype_policy()
    return network


def latent_dim(generator) -> int:
    """The length of its latent."""
    return generator.inputs[0].shape[-1]


def is_conditional(generator) -> bool:
    """Whether it also wants to be told the class."""
    return len(generator.inputs) > 1


def drawer(generator) -> Callable[[np.ndarray, np.ndarray | None], np.ndarray]:
    """The generator, compiled: latents `[n, latent_dim]`, labels int `[n]` or None -> float32 `[n, h, w, c]`."""
    import tensorflow as tf

    @tf.function(reduce_retracing=True, autograph=False)
    def compiled(*inputs):
        return generator(list(inputs) if len(inputs) > 1 else inputs[0], training=False)

    def drawn(latents: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
        inputs = (latents,) if labels is None else (latents, np.asarray(labels, np.int32))
        return np.asarray(compiled(*map(tf.constant, inputs)), np.float32)

    return drawn


def draw(
    generator: Callable, latents: np.ndarray, labels: np.ndarray | None = None, batch_size: int = 100
) -> np.ndarray:
    """All pictures of `latents` and `labels`, as `drawer`'s, a batch at a time, with a progress bar."""
    one_batch, starts = drawer(generator), range(0, len(latents), batch_size)
    parts = (slice(i, i + batch_size) for i in tqdm(starts, desc="drawing", unit="batch", disable=None))
    return np.concatenate([one_batch(latents[part], None if labels is None else labels[part]) for part in parts])
