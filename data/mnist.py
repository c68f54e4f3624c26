"""MNIST, handwritten digits (LeCun et al. 1998).

python train.py dataset=mnist image_size=32
python train.py dataset=mnist dataset.root=<folder that holds mnist.npz>
"""

import hashlib
import logging
import zipfile
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

import numpy as np
from PIL import Image

from core.errors import GessoError
from core.files import atomic, expanded
from data.cache import cached, new_array, reading
from data.checks import check_options
from data.clusters import clustered
from data.dataset import digest
from data.image_dataset import ImageDataset
from data.source import spread

log = logging.getLogger(__name__)

VERSION = 1
URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"  # where Keras has it from
SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
ROOM = 2**26  # bytes of arrays that any file may have, all of MNIST; a larger one, as many as `PACKED` allows
PACKED = 16  # bytes that one in the file may stand for; in MNIST it is 5
SPLITS = {"train": ("train",), "test": ("test",), "all": ("train", "test")}


def load(
    image_size: int,
    cache_dir: str,
    root: str | None = None,
    split: str = "train",
    flip: bool = False,
    limit: int | None = None,
    balance: bool = False,
    clusters: int | None = None,
    clusters_of: str = "all",
) -> ImageDataset:
    """The digits, white on black, one channel, classes "0" to "9".

    Padded from 28 to 32 px, then resized if `image_size` is another. `<root>/mnist.npz` if `root` is given,
    else the copy that Keras keeps in ~/.keras, downloaded if it is not there. `split`: train (60,000), test
    (10,000) or all. `flip` and `balance` as in `ImageDataset`; so many `clusters` take the classes' place
    (`data.clusters`). Raises `GessoError` where the file cannot be had or read.
    """
    check_options(image_size, limit)
    if split not in SPLITS:
        raise GessoError(f"dataset.split={split}: must be one of {', '.join(SPLITS)}.")
    path = _find(root)
    digits, labels = _read(path, split)
    chosen = spread(len(digits), limit)
    digits, labels = digits[chosen], labels[chosen]
    info = path.stat()
    key = {
        "version": VERSION, "size": image_size, "split": split, "limit": limit,
        "file": [info.st_size, info.st_mtime_ns],
    }  # fmt: skip
    if image_size == 32:
        images = _padded(digits)
    else:
        folder = cached("mnist", key, lambda folder: _write_resized(folder, digits, image_size), cache_dir)
        with reading(folder):
            images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
    names = tuple(str(digit) for digit in range(10))
    labels, names = clustered(images, clusters, flip, key, cache_dir, clusters_of, labels, names)
    return ImageDataset(
        "mnist", images, labels.astype(np.int32), names,
        flip=flip, balance=balance, origin=digest(key | {"size": None}),
        resizer="padded to 32 px" + ("" if image_size == 32 else f", Lanczos (Pillow) to {image_size} px"),
    )  # fmt: skip


def _find(root: str | None) -> Path:
    if root is not None:
        path = expanded(root) / "mnist.npz"
        if not path.is_file():
            raise GessoError(f"There is no {path.absolute()}. dataset.root=<folder that holds mnist.npz>")
        return path
    path = Path.home() / ".keras" / "datasets" / "mnist.npz"
    if not path.is_file():
        try:
            _download(path)
        except (OSError, HTTPException, GessoError) as error:
            raise GessoError(
                f"MNIST is not in {path} and could not be downloaded ({error}). Put mnist.npz into a folder and "
                "give dataset.root=<folder>."
            ) from error
    return path


def _download(path: Path) -> None:
    log.info("Downloading MNIST, 11 MB, to %s", path)
    with urlopen(URL, timeout=60) as answer:
        content = answer.read()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise GessoError(f"{URL} is not the file that it was")
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def _read(path: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """uint8 [n, 28, 28] and their digits [n]."""
    try:
        with zipfile.ZipFile(path) as archive:
            there = sum(member.file_size for member in archive.infolist())
        if there > ROOM + PACKED * path.stat().st_size:
            raise ValueError(f"it would unpack to {there / 1e9:.1f} GB")
        with np.load(path, allow_pickle=False) as file:
            digits = np.concatenate([file[f"x_{part}"] for part in SPLITS[split]])
            labels = np.concatenate([file[f"y_{part}"] for part in SPLITS[split]])
    except Exception as error:  # damaged zips raise half a dozen kinds
        raise GessoError(
            f"{path.absolute()} is not MNIST as Keras keeps it, or is damaged ({error}). Delete it, or give "
            "another: dataset.root=<folder>."
        ) from error
    if digits.ndim != 3 or digits.shape[1:] != (28, 28) or labels.shape != digits.shape[:1]:
        raise GessoError(f"{path.absolute()} holds arrays {digits.shape}, not digits of 28x28 px.")
    if digits.dtype != np.uint8 or labels.dtype.kind not in "iu" or not set(np.unique(labels)) <= set(range(10)):
        raise GessoError(f"{path.absolute()} holds numbers that are no grey levels, or no digits from 0 to 9.")
    return digits, labels


def _padded(digits: np.ndarray) -> np.ndarray:
    return np.pad(digits, ((0, 0), (2, 2), (2, 2)))[..., None]


def _write_resized(folder: Path, digits: np.ndarray, size: int) -> None:
    images = new_array(folder / "images.npy", (len(digits), size, size, 1))
    for row, digit in zip(images, _padded(digits), strict=True):
        row[:, :, 0] = Image.fromarray(digit[:, :, 0]).resize((size, size), Image.Resampling.LANCZOS)
    images.flush()
