"""Checkpoints of strangers: arrays, and no more of them than there are variables."""

import io
import zipfile
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from core.errors import GessoError
from core.run import Run
from training import checkpoint


@pytest.fixture
def model():
    """As much of a system as a checkpoint is of."""
    keras.utils.clear_session()
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")])
    step = keras.Variable(7, dtype="int64", name="step")
    return SimpleNamespace(
        variables=[*network.variables, step], optimizers={}, metrics_variables=[], step=step, memory={}
    )


def packed(path, **arrays) -> None:
    """Adds arrays to a checkpoint, so that they take next to nothing on disk."""
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.save(content, array)
            archive.writestr(f"{name}.npy", content.getvalue())


def test_more_than_there_is_to_fill_is_not_read(tmp_path, model, monkeypatch):
    run = Run(tmp_path)
    path = checkpoint.save(run, model, keep=1)
    assert checkpoint.restore(run, model) == 7
    packed(path, bomb=np.zeros(2**25, np.float32))
    assert path.stat().st_size < 2**20
    monkeypatch.setattr(checkpoint.np, "load", None)  # which would unpack it
    with pytest.raises(GessoError, match=r"written by other networks than these: 0\.1 GB"):
        checkpoint.restore(run, model)


def test_pickled_objects_in_it_are_damage(tmp_path, model):
    run = Run(tmp_path)
    path = checkpoint.save(run, model, keep=1)
    content = io.BytesIO()
    np.save(content, np.array([print], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("9999 evil.npy", content.getvalue())
    with pytest.raises(GessoError, match="damaged"):
        checkpoint.restore(run, model)


def test_an_array_that_claims_a_terabyte_is_damage(tmp_path, model):
    run = Run(tmp_path)
    path = checkpoint.save(run, model, keep=1)
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": "<f8", "fortran_order": False, "shape": (2**50,)})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("9999 evil.npy", content.getvalue())
    with pytest.raises(GessoError, match="damaged"):
        checkpoint.restore(run, model)


@pytest.mark.parametrize("content", [b"no array", b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', (\x08", b""])
def test_a_member_that_is_no_array_is_damage(tmp_path, model, content):
    """NumPy gives the bytes as they are where they do not begin as an array, and parses what does as Python."""
    run = Run(tmp_path)
    checkpoint.save(run, model, keep=2)
    model.step.assign(9)
    path = checkpoint.save(run, model, keep=2)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name in members if "kernel" in name)
    with zipfile.ZipFile(path, "w") as archive:
        for member, whole in members.items():
            archive.writestr(member, content if member == name else whole)
    assert checkpoint.restore(run, model) == 7


def rewritten(path, change) -> None:
    """Writes the arrays of a checkpoint again, changed by `change(name, array)` -> (name, array)."""
    with np.load(path) as file:
        arrays = dict(change(name, file[name]) for name in file.files)
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda name, array: (name.replace(" ", "_"), array), "written by other networks"),
        (
            lambda name, array: (name, array.astype("U9") if "kernel" in name else array),
            "is damaged: .*kernel in it",
        ),
        (lambda name, array: (name, array > 0 if "step" in name else array), "is damaged: step in it is bool"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_overwritten(tmp_path, model, change, words):
    run = Run(tmp_path)
    rewritten(checkpoint.save(run, model, keep=1), change)
    model.step.assign(3)
    before = [np.array(variable) for variable in model.variables]
    with pytest.raises(GessoError, match=words):
        checkpoint.restore(run, model)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
