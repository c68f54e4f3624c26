"""Networks at half the size: a `.keras` file's weights in half precision, which are computed with as before."""

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np

from core.errors import GessoError
from core.keras_archive import WEIGHTS

HALF = np.finfo(np.float16)


def halve(source: Path, target: Path) -> None:
    """Writes the network in `source` to `target` with its kernels in half precision; both are `.keras` files.

    Keras turns them back into single precision when it loads them. Biases, scales and statistics, which are few,
    stay as they are, and so do weights that half precision cannot hold.
    """
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for member in old.infolist():
            with old.open(member) as reader, new.open(member.filename, "w", force_zip64=True) as writer:
                if member.filename == WEIGHTS:
                    writer.write(_halved(reader.read()))
                else:
                    shutil.copyfileobj(reader, writer, 2**20)


def _halved(content: bytes) -> bytes:
    import h5py

    written = io.BytesIO()
    with h5py.File(io.BytesIO(content), "r") as old, h5py.File(written, "w") as new:

        def copy(name: str, node: h5py.Group | h5py.Dataset) -> None:
            if isinstance(node, h5py.Group):
                made = new.require_group(name)
            elif node.external or node.is_virtual:
                raise GessoError(f"{name} of the network is refused: its numbers are in another file.")
            else:
                array = node[()]
                made = new.create_dataset(name, data=array.astype(np.float16) if _fits(array) else array)
            made.attrs.update(node.attrs)

        new.attrs.update(old.attrs)
        old.visititems(copy)
    return written.getvalue()


def _fits(array: np.ndarray) -> bool:
    return array.dtype == np.float32 and array.ndim >= 2 and np.abs(array).max(initial=0) <= HALF.max
