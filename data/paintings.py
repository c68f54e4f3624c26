"""The built-in data set: small pictures in ten labelled styles, painted by code (`data.styles`), none alike.

python train.py dataset=paintings
"""

import difflib
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from core.errors import GessoError
from core.files import write_array
from data.budget import cores
from data.cache import cached, new_array, reading
from data.checks import check_whole
from data.clusters import clustered
from data.dataset import digest
from data.image_dataset import ImageDataset
from data.painted_words import STYLES, index_of, said
from data.styles import PAINTERS
from data.styles.canvas import to_sheet
from data.styles.facts import Facts

log = logging.getLogger(__name__)

VERSION = 2  # of what `paint` makes: a new one whenever any picture changes, so that no old cache is used
SMALLEST, LARGEST = 16, 4096  # sides in pixels
FEW = 200  # as many are painted before a process of its own has started

_FILE, _INDICES = "images.npy", "indices.npy"


def paint(seed: int, index: int, size: int) -> np.ndarray:
    """Picture `index` of the endless exhibition `seed`, uint8 [size, size, 3].

    A pure function. The style is `STYLES[index % len(STYLES)]`; `size` (from 16) is only the resolution, the
    picture is the same at every size.
    Raises `ValueError` for other sizes and for negative numbers.
    """
    if not SMALLEST <= size <= LARGEST:
        raise ValueError(f"size={size}: a picture's side is from {SMALLEST} to {LARGEST} pixels.")
    # Painted larger and averaged down, for smooth edges: 3 times up to 256 pixels, 2 times above, and never
    # on a canvas of less than 192 pixels, where thin strokes would fall between the pixels.
    factor = max(-(-192 // size), 3 if size <= 256 else 2)
    rng = np.random.default_rng([seed, index])
    canvas = PAINTERS[STYLES[index % len(STYLES)]](rng, size * factor, Facts())
    return np.asarray(to_sheet(canvas).reduce(factor))


def load(
    image_size: int,
    cache_dir: str | Path,
    num_images: int = 8000,
    seed: int = 0,
    styles: Sequence[str] | None = None,
    flip: bool = False,
    balance: bool = False,
    text: bool = False,
    without: Sequence[str] | None = None,
    clusters: int | None = None,
    clusters_of: str = "all",
) -> ImageDataset:
    """`num_images` pictures, the styles in turn, painted once on all cores and then read from the cache.

    `images` is a memory map uint8 [num_images, image_size, image_size, 3], `labels` are numbers of `styles`
    (all of `STYLES` where None; a name or a list of names otherwise). `seed` chooses the pictures;
    `flip` and `balance` as in `ImageDataset`. With `text` the batches say what was painted. Pictures on
    which there is a combination of `without` ("red circle", "cut-outs on blue") are passed over. So many `clusters`
    take the styles' place (`data.clusters`).
    Raises `GessoError` for an unknown style and for numbers that make no sense.
    """
    names = _check_styles(styles)
    if not SMALLEST <= image_size <= LARGEST:
        raise GessoError(f"image_size={image_size}: paintings are from {SMALLEST} to {LARGEST} pixels wide.")
    check_whole("dataset.num_images", num_images, "a number of pictures")
    check_whole("dataset.seed", seed, "a whole number", least=0)
    key = {"version": VERSION, "size": image_size, "num": num_images, "seed": seed, "styles": names}
    left_out = [without] if isinstance(without, str) else list(without or ())
    found = said(cache_dir, num_images, seed, names, left_out) if text or left_out else None
    numbers = found["numbers"] if left_out else range(num_images)
    indices = [index_of(number, names) for number in numbers]
    key |= {"without": sorted(left_out), "indices": digest(indices)} if left_out else {}
    folder = cached(
        "paintings",
        key,
        lambda folder: _paint_all(folder / _FILE, image_size, seed, indices),
        cache_dir,
    )
    with reading(folder):
        images = np.load(folder / _FILE, mmap_mode="r", allow_pickle=False)
    labels = np.array(numbers, np.int32) % np.int32(len(names))
    labels, names = clustered(images, clusters, flip, key, cache_dir, clusters_of, labels, names)
    return ImageDataset(
        "paintings",
        images=images,
        labels=labels,
        class_names=names,
        captions=found["captions"] if text else None,
        flip=flip,
        balance=balance,
        resizer=f"painted larger, averaged to {image_size} px",
        origin=digest(key | {"size": None}),  # the same pictures at every size
    )


def _check_styles(styles: Sequence[str] | None) -> list[str]:
    names = list(STYLES) if styles is None else [styles] if isinstance(styles, str) else [str(s) for s in styles]
    if not names:
        raise GessoError(f"dataset.styles is empty. Name some of: {', '.join(STYLES)}; or null for all.")
    for name in names:
        if name not in STYLES:
            near = difflib.get_close_matches(name, STYLES, 1, 0.5)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise GessoError(f"dataset.styles: there is no style '{name}'.{hint} There are: {', '.join(STYLES)}.")
    return list(dict.fromkeys(names))


def _paint_all(file: Path, size: int, seed: int, indices: Sequence[int]) -> None:
    """Paints into a new .npy file, in processes of their own if it is worth their start."""
    num = len(indices)
    log.info("Painting %d pictures, once.", num)  # where there is no terminal, there is no bar
    write_array(file.with_name(_INDICES), np.array(indices, np.int64))
    images = new_array(file, (num, size, size, 3))
    workers = min(cores(), -(-num // FEW))
    with tqdm(total=num, desc="Painting", unit="picture", disable=None) as bar:
        if workers > 1 and sys.executable:
            _paint_in_processes(file.resolve(), workers, seed, bar)
            return
        for number, index in enumerate(indices):
            images[number] = paint(seed, index, size)
            bar.update()
    images.flush()


def _paint_in_processes(file: Path, count: int, seed: int, bar: tqdm) -> None:
    """Runs `count` times `python -m data.paintings`; they send a byte for every picture down one pipe.

    Not `multiprocessing`: a fork of a process that has started TensorFlow may hang, and a spawn imports the
    caller's main module, TensorFlow with it, or fails where there is none (a notebook, standard input).
    """
    root = str(Path(__file__).resolve().parents[1])
    where = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))  # NumPy may be there alone
    environment = {**os.environ, "PYTHONPATH": where, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    receive, send = os.pipe()
    painters: list[subprocess.Popen] = []
    try:
        for part in range(count):
            command = [sys.executable, "-m", "data.paintings", str(file), *map(str, (seed, part, count))]
            # In a session of their own, so that Ctrl-C reaches only us; we stop them below.
            painters.append(
                subprocess.Popen(command, stdout=send, cwd=root, env=environment, start_new_session=True)
            )
        os.close(send)
        send = -1
        while done := os.read(receive, 4096):  # nothing more to read: all have ended
            bar.update(len(done))
        codes = [painter.wait() for painter in painters]
        if any(codes):
            raise RuntimeError(f"The painting processes ended with exit codes {codes}; see above for why.")
    finally:
        for painter in painters:
            painter.kill()
            painter.wait()
        for end in (receive, send):
            if end >= 0:
                os.close(end)


def _paint_part(file: str, seed: str, part: str, count: str) -> None:
    """What a process does: part `part` of `count` of the pictures in `file`."""
    try:
        images = np.lib.format.open_memmap(file, "r+")
        indices = np.load(Path(file).with_name(_INDICES), allow_pickle=False)
    except FileNotFoundError:  # who wanted them was stopped while we began, and has taken the folder away
        sys.exit(1)
    num, size = images.shape[:2]
    for number in range(int(part) * num // int(count), (int(part) + 1) * num // int(count)):
        images[number] = paint(int(seed), int(indices[number]), size)
        try:
            os.write(1, b".")
        except BrokenPipeError:  # nobody listens: whoever wanted the pictures is gone
            return
    images.flush()


if __name__ == "__main__":
    _paint_part(*sys.argv[1:])
