"""Puts a trained network into the zoo: `python -m zoo.add network=<run directory> name=paintings`."""

import logging
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import OverrideParseException
from omegaconf import DictConfig

from core import zoo
from core.cli import main
from core.errors import GessoError
from core.files import atomic, relative
from core.half import halve
from core.images import software, to_uint8
from core.network_file import find_network, read_metadata, write_metadata
from core.network_metadata import BESIDE, Metadata
from core.overrides import quoted
from core.results import last_values
from core.run import Run
from models import latent, trained

log = logging.getLogger(__name__)
MOST = 2  # levels of 255 by which a picture may change
LARGEST = 8_000_000  # bytes: a clone has all networks
SEPARATORS = r"[/\\]"  # in paths, Windows's too


@main("zoo", files=("network",))
def add(config: DictConfig) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", str(config.name)):
        raise GessoError(f"name={config.name}: small letters, digits and _, as in name=paintings.")
    path = find_network(config.network, kinds=("generator", "stylizer", "translator"))

    from core import hardware  # TensorFlow takes seconds to import: not before all of this is right

    hardware.load_tensorflow()
    put(path, config.name)


def put(path: Path, name: str) -> None:
    """Puts the network in `path` into the zoo, with all that is known of it; a card that is there is kept.

    Raises `GessoError` where its pictures would change in half precision, and where it is too large.
    """
    from training.start import discriminator

    metadata = facts(path, read_metadata(path))
    before, _ = trained.load(path, metadata.kind)
    goes_on = metadata.kind == "generator" and not metadata.words  # which a start has to learn anew
    judge = discriminator(path, before, metadata) if goes_on else None
    with tempfile.TemporaryDirectory() as folder:
        half = Path(folder, path.name)
        halve(path, half)
        write_metadata(half, metadata)
        _check_size(half, str(path))
        changed = difference(before, trained.load(half, metadata.kind)[0], metadata)
        if changed > MOST:
            raise GessoError(f"{path}: in half precision its pictures change by {changed} levels of 255.")
        if judge is not None:
            whole = Path(folder, f"of_{path.name}")
            trained.save(judge, whole, replace(metadata, kind=BESIDE, classes=(), shares=()))
            small = Path(folder, f"half_of_{path.name}")
            halve(whole, small)
            _check_size(small, f"The discriminator of {path}")
            _write(zoo.discriminator(zoo.network(name)), lambda target: target.write_bytes(small.read_bytes()))
        _write(zoo.network(name), lambda target: target.write_bytes(half.read_bytes()))
        if judge is None:  # one that is there is of the network that was here before
            zoo.discriminator(zoo.network(name)).unlink(missing_ok=True)
    card = zoo.card(zoo.network(name))
    if card.exists():
        log.info("%s stays as it is: see whether it is still right.", relative(card))
    else:
        text = stub(name, metadata, changed, zoo.network(name).stat().st_size)
        _write(card, lambda target: target.write_text(text, encoding="utf-8"))


def _check_size(half: Path, what: str) -> None:
    if (size := half.stat().st_size) > LARGEST:
        raise GessoError(f"{what}: {size / 1e6:.1f} MB in half precision; {LARGEST // 10**6} is the most here.")


def facts(path: Path, metadata: Metadata) -> Metadata:
    """Adds to the metadata of a network what its run knows of it; nothing of the machine's folders."""
    import keras
    import tensorflow as tf

    versions = f"Keras {keras.__version__}, TensorFlow {tf.__version__}"
    found = {"software": f"{metadata.software or software()}, {versions}"}
    run = Run.of(path)
    if run is not None:
        told = (text for text in run.told() if not text.startswith(("hydra.", "resume=")))
        found["command"] = tuple(map(without_folders, told))
        found["images"] = metadata.images or last_values(run)[1].get("images")
    return replace(metadata, **found)


def without_folders(override: str) -> str:
    """Returns an override with nothing of paths in it but their last parts: `dataset.root=<photos>`."""
    key, sign, text = override.partition("=")
    if not re.search(SEPARATORS, text):
        return override
    try:
        value = OverridesParser.create().parse_overrides([override])[0].value()
    except OverrideParseException:
        value = text
    return key + sign + _last_parts(value if isinstance(value, str | list | dict) else text)


def _last_parts(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_last_parts, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{_last_parts(item)}' for key, item in value.items())}}}"
    if isinstance(value, str) and re.search(SEPARATORS, value):
        return f"<{re.split(SEPARATORS, value.rstrip('/'))[-1]}>"
    return quoted(value)


def difference(one, other, metadata: Metadata) -> int:
    """Returns by how many levels of 255 the pictures of two networks differ at most, of the same random inputs."""
    random = np.random.default_rng(0)
    inputs = []
    for i, tensor in enumerate(one.inputs):
        if metadata.kind == "generator":
            classes = np.arange(16, dtype=np.int32) * max(1, len(metadata.classes)) // 16
            said = [metadata.sentences[n % len(metadata.sentences)] for n in range(16)] if metadata.words else []
            label = metadata.vocabulary.tokens(said) if said else classes
            inputs.append(latent.sample(0, 16, tensor.shape[-1]) if i == 0 else label)
        elif len(tensor.shape) == 4:
            side = max(64, metadata.geometry.stride)
            coarse = random.uniform(-1, 1, (1, side // 8, side // 8, tensor.shape[-1]))
            inputs.append(np.kron(coarse, np.ones((1, 8, 8, 1))).astype(np.float32))
        else:
            drawn = np.abs(random.normal(size=(1, *tensor.shape[1:]))).astype(np.float32)
            inputs.append(drawn / drawn.sum() if tensor.name == "weights" else drawn)  # shares of styles
    inputs = inputs if len(inputs) > 1 else inputs[0]
    pictures = [to_uint8(network(inputs, training=False)).astype(int) for network in (one, other)]
    return int(np.abs(pictures[0] - pictures[1]).max())


def stub(name: str, metadata: Metadata, changed: int, size: int) -> str:
    """Writes the card of a network: what is known of it, and TODO where somebody has to say it."""
    command = " ".join(["python train.py", *metadata.command]) if metadata.command else "TODO"
    learned = f"{metadata.step:,} steps" if metadata.step is not None else "TODO"
    learned += f", {metadata.images:,} pictures seen" if metadata.images is not None else ""
    rows = {
        "what": f"{metadata.kind}: {metadata.in_words()}",
        "trained by": f"`{command}`",
        "learned": learned,
        "hours, and machine": "TODO",
        "quality, as measured": "TODO",
        "pictures it learned from, and their terms": "TODO",
        "terms of the weights": "TODO",
        "file": f"{size / 1e6:.1f} MB, half precision; pictures differ by at most {changed} of 255 levels for it",
        "made by": f"{metadata.software}; configuration {metadata.config_sha256 or 'not known'}",
    }
    lines = [f"| {key} | {value} |" for key, value in rows.items()]
    return "\n".join([f"# {name}", "", "TODO: a sentence, and a picture.", "", "| | |", "|---|---|", *lines]) + "\n"


def _write(path: Path, write) -> None:
    with atomic(path) as temporary:
        write(temporary)
    log.info("%s: %.1f MB", relative(path), path.stat().st_size / 1e6)


if __name__ == "__main__":
    add()
