"""Checkpoints: all that a bit-exact resume needs, in one file that proves itself undamaged."""

import json
import logging
import math
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np

from core.errors import GessoError
from core.files import atomic
from core.run import Run

log = logging.getLogger(__name__)

MEAN = ("/total", "/count")  # how the names of what a running mean consists of end
KINDS = {"f": "float", "i": "int", "u": "uint", "b": "bool"}  # NumPy's, and how Keras's types begin
ROOM = 2**26  # bytes that a checkpoint may have beside twice what its variables take


def variables(model: keras.Model) -> list[keras.Variable]:
    """Returns the state of a trainable system: weights, averages, seeds, step, optimizers, running metrics.

    Not the learning rates: these are the configuration's, which may be changed on resume.
    """
    optimizers = [variable for optimizer in model.optimizers.values() for variable in optimizer.variables]
    everything = [*model.variables, *optimizers, *model.metrics_variables]
    return [variable for variable in everything if variable.name != "learning_rate"]


def save(run: Run, model: keras.Model, keep: int) -> Path:
    """Writes a checkpoint and removes all but the `keep` newest. Raises `GessoError` on a full disk.

    An uncompressed zip of arrays: each member carries a CRC-32, so that damage is seen when it is read. The
    system's `memory` goes along.
    """
    step = int(model.step.numpy())
    arrays = {
        f"{i:04d} {variable.path}": keras.ops.convert_to_numpy(variable)
        for i, variable in enumerate(variables(model))
    }
    meta = {
        "step": step, "keras": keras.__version__, "precision": keras.config.dtype_policy().name,
        "memory": model.memory,
    }  # fmt: skip
    path = run.checkpoint(step)
    for left in path.parent.glob(".*.npz"):  # of a process that was killed while it wrote
        left.unlink(missing_ok=True)
    with atomic(path) as temporary:
        # Sorted: in which order things came to be remembered is no part of the state.
        np.savez(temporary, meta=np.array(json.dumps(meta, sort_keys=True)), **arrays)
    newest_first = [other for other in reversed(run.saved()) if other != path]
    for old in newest_first[keep - 1 :]:
        old.unlink(missing_ok=True)
    return path


def restore(run: Run, model: keras.Model, weights_alone: bool = False) -> int:
    """Loads the newest undamaged checkpoint into the compiled `model`; returns its step, 0 if there is none.

    With `weights_alone` nothing of its optimizers, whatever precision they were for, and no file is touched.
    A damaged one is passed over with a warning, and renamed: it is not to count among those that are kept. Raises
    `GessoError` if one was written by other networks, or if all are damaged.
    """
    paths, damaged = run.saved(), []
    for path in reversed(paths):
        try:
            arrays, meta = _read(path, variables(model))
        except GessoError:
            raise
        except Exception as error:  # damaged zips and arrays raise a dozen kinds, SyntaxError among them
            log.warning("%s is damaged (%s).", path, error)
            damaged.append(path)
            continue
        if weights_alone:
            weights = [variable for variable in model.variables if variable.name != "learning_rate"]
            _assign(path, dict(sorted(arrays.items())[: len(weights)]), weights)
            return int(meta["step"])
        policy = keras.config.dtype_policy().name
        if meta["precision"] != policy and "mixed_float16" in (meta["precision"], policy):
            raise GessoError(
                f"{path} is of a run in {meta['precision']}, and this is {policy}: only one of the two scales its "
                f"loss. Give precision={meta['precision']}."
            )
        _assign(path, *_with_its_means(arrays, variables(model)))
        for other in damaged:
            with suppress(OSError):  # another worker was faster
                other.rename(other.with_suffix(".damaged"))
        if damaged:
            log.warning("Goes on from the one before, %s.", path)
        model.memory = meta["memory"]
        if meta["precision"] != policy:
            log.warning("This run was in %s so far and goes on in %s.", meta["precision"], policy)
        return int(meta["step"])
    if paths:
        raise GessoError(f"All {len(paths)} checkpoints in {run.checkpoints} are damaged; start a new run.")
    return 0


def _read(path: Path, targets: list[keras.Variable]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Reads the arrays, and what stands beside them. Raises `GessoError` where they are more than can be filled."""
    with zipfile.ZipFile(path) as archive:
        there = sum(member.file_size for member in archive.infolist())
    here = sum(math.prod(variable.shape) * 4 for variable in targets)
    if there > 2 * here + ROOM:
        raise GessoError(
            f"{path} was written by other networks than these: {there / 1e9:.1f} GB, not {here / 1e9:.1f}."
        )
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    if raw := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
        raise ValueError(f"{raw[0]} in it is no array")
    meta = json.loads(str(arrays.pop("meta")))
    if [type(meta[key]) for key in ("step", "precision", "memory")] != [int, str, dict]:
        raise ValueError("what it says of itself is not what Gesso writes")
    return arrays, meta


def _with_its_means(
    arrays: dict[str, np.ndarray], targets: list[keras.Variable]
) -> tuple[dict[str, np.ndarray], list[keras.Variable]]:
    """Returns both as they are, or both without running means, where these are of other numbers.

    Another loss= may measure other things: its means since the last row of numbers begin anew.
    """
    there = sorted(name.partition(" ")[2] for name in arrays if name.endswith(MEAN))
    if there == sorted(variable.path for variable in targets if variable.path.endswith(MEAN)):
        return arrays, targets
    return (
        {name: array for name, array in arrays.items() if not name.endswith(MEAN)},
        [variable for variable in targets if not variable.path.endswith(MEAN)],
    )


def _assign(path: Path, arrays: dict[str, np.ndarray], targets: list[keras.Variable]) -> None:
    stored = [(name.partition(" ")[2], array) for name, array in sorted(arrays.items())]
    described = [f"{variable.path} {tuple(variable.shape)}" for variable in targets]
    there = [f"{name} {array.shape}" for name, array in stored]
    if described != there:
        first = next((pair for pair in zip(there, described, strict=False) if pair[0] != pair[1]), None)
        detail = f"{first[0]} there, {first[1]} here" if first else f"{len(there)} arrays, not {len(described)}"
        raise GessoError(f"{path} was written by other networks than these: {detail}.")
    for variable, (name, array) in zip(targets, stored, strict=True):  # before the first is overwritten
        if not variable.dtype.startswith(KINDS.get(array.dtype.kind, "none")):
            raise GessoError(f"{path} is damaged: {name} in it is {array.dtype}, not {variable.dtype}.")
    for variable, (_, array) in zip(targets, stored, strict=True):
        variable.assign(array)
