"""What reads damaged pictures, films, arrays and networks. Each is a function of an empty folder and chance.

It damages a whole file, reads it as the scripts do, and raises `GessoError` where Gesso refuses it, or nothing.
What ought not to be, it asserts.
"""

import itertools
import random
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import damage
import numpy as np
import samples

from core.errors import GessoError
from core.run import Run

KIND = {"generator": "generator", "stylizer": "stylizer", "adain": "stylizer", "translator": "translator"}


def pictures(folder: Path, rng: random.Random) -> None:
    """A picture alone, to be painted and written back; or in a folder that is trained on."""
    from data import image_folder, picture, picture_writer

    suffix, content = rng.choice(samples.pictures())
    path = folder / f"picture{suffix}"
    path.write_bytes(damage.of_picture(content, rng))
    if rng.random() < 0.3:
        cache, crop = folder / "cache", rng.choice(("center", "random", "native"))
        with suppress(GessoError):
            dataset = image_folder.load(str(folder), rng.choice((8, 16, 64)), str(cache), crop)
            assert dataset.images[np.arange(len(dataset))].shape[0] == len(dataset) == 1
        assert not list(cache.glob("*.tmp")), "a half-built cache is left"
        return
    found = picture.read(path, rng.choice((None, None, 16, 100)))
    assert found.pixels.dtype == np.uint8 and found.pixels.shape[2] == 3
    output = folder / f"out{rng.choice(list(picture_writer.OUTPUTS))}"
    if found.pixels.size < 2**24:
        picture_writer.write(output, found.pixels, {"Software": "Gesso"}, like=found)
        assert picture.read(output).pixels.shape == found.pixels.shape


def films(folder: Path, rng: random.Random) -> None:
    """A film, looked at from its beginning to its end, or painted: written anew with its sound."""
    from data import film, film_writer

    suffix, content = rng.choice(samples.films())
    path = folder / f"film{suffix}"
    path.write_bytes(damage.of_bytes(content, rng))
    if rng.random() < 0.5:
        opened = film.open(path)
        for pixels, _, _ in itertools.islice(opened.timed(), 1000):
            assert pixels.shape == (opened.height, opened.width, 3)
        return
    output = folder / f"out{rng.choice((film_writer.suffix(path), *film_writer.OUTPUTS))}"
    try:
        film_writer.write(path, output, lambda frames: (255 - frame for frame in frames), {"Software": "Gesso"})
    except GessoError:
        assert not output.exists(), "a film that could not be written is there"
        raise
    film.open(output)


def arrays(folder: Path, rng: random.Random) -> None:
    """MNIST's file, which comes from the network."""
    from data import mnist

    (folder / "mnist.npz").write_bytes(damage.of_archive(samples.mnist(), rng))
    split, size, cache = rng.choice(("train", "test", "all")), rng.choice((32, 16)), folder / "cache"
    try:
        dataset = mnist.load(size, str(cache), str(folder), split, limit=rng.choice((None, 5)))
    finally:
        assert not list(cache.glob("*.tmp")), "a half-built cache is left"
    indices = np.arange(len(dataset))
    assert dataset.images[indices].shape[1:] == (size, size, 1)
    labels = dataset.labels
    assert labels.min() >= 0 and labels.max() <= 9, f"labels from {labels.min()} to {labels.max()}"


def archives(folder: Path, rng: random.Random) -> None:
    """Pictures in archives, records and tables."""
    from data import image_folder, parquet

    suffix, content = rng.choice(samples.archives())
    path = folder / f"pictures{suffix}"
    path.write_bytes(damage.of_bytes(content, rng))
    cache, options = folder / "cache", {"store": rng.choice(("decoded", "encoded")), "limit": rng.choice((None, 2))}
    load = parquet.load if suffix == ".parquet" else image_folder.load
    try:
        dataset = load(str(path), 16, str(cache), **options)
        assert dataset.images[np.arange(len(dataset))].shape[1:] == (16, 16, 3)
        assert {entry.name for entry in folder.iterdir()} == {path.name, "cache"}
    finally:
        assert not list(cache.glob("*.tmp")), "a half-built cache is left"


def networks(folder: Path, rng: random.Random) -> None:
    """A `.keras` file, from a stranger: what it is, and, now and then, the network itself."""
    from core.network_file import find_network, provenance, read_metadata

    name, content = rng.choice(samples.networks())
    path = folder / f"{name}.keras"
    path.write_bytes(damage.of_archive(content, rng))
    with suppress(GessoError):
        provenance(path, 1)
    with suppress(GessoError):
        find_network(rng.choice((path, folder)))
    metadata = read_metadata(path)
    str(metadata).encode()  # it is logged
    if rng.random() < 0.3:
        from models import trained

        network, _ = trained.load(path, KIND[name])
        assert network.count_params() > 0


def checkpoints(folder: Path, rng: random.Random) -> None:
    """The two newest checkpoints, one or both of them damaged: all of one is loaded, or nothing."""
    from training import checkpoint

    run, model, contents = Run(folder), *_checkpoints()
    paths = [run.checkpoint(step) for step in (7, 9)]
    run.checkpoints.mkdir()
    hit = rng.choice(((0,), (1,), (0, 1)))
    for i, path in enumerate(paths):
        path.write_bytes(damage.of_archive(contents[i], rng) if i in hit else contents[i])
    for variable in model.variables:
        variable.assign(np.full(variable.shape, -1, variable.dtype))
    model.memory = before = {}
    try:
        step = checkpoint.restore(run, model)
    except GessoError:
        assert all((np.array(variable) == -1).all() for variable in model.variables), "half of it is loaded"
        assert model.memory is before
        raise
    assert isinstance(model.memory, dict) and isinstance(step, int)


_made: list = []


def _checkpoints() -> tuple[SimpleNamespace, list[bytes]]:
    """As much of a system as a checkpoint is of, and two of it."""
    if not _made:
        import tempfile

        import keras

        from training import checkpoint

        network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")])
        step = keras.Variable(7, dtype="int64", name="step")
        variables = [*network.variables, step]
        model = SimpleNamespace(
            variables=variables, optimizers={}, metrics_variables=[], step=step, memory={"images": 70}
        )
        with tempfile.TemporaryDirectory() as folder:
            first = checkpoint.save(Run(folder), model, keep=2).read_bytes()
            step.assign(9)
            second = checkpoint.save(Run(folder), model, keep=2).read_bytes()
        _made.extend((model, [first, second]))
    return _made[0], _made[1]
