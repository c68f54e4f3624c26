"""Metadata inside a `.keras` file: what the network is, read and written without TensorFlow.

A `.keras` file is a zip archive. Gesso adds one member, `gesso.json`; Keras passes over it, so that any Keras 3
loads the file as it always did.
"""

import shutil
import zipfile
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from core import images, zoo
from core.checks import said
from core.errors import GessoError, did_you_mean
from core.files import atomic, expanded, in_utf8
from core.keras_archive import DAMAGE, MEMBERS
from core.network_metadata import BESIDE, KINDS, Metadata
from core.run import Run

MEMBER = "gesso.json"
USE = {  # of each kind, the script that works with it
    "generator": "it makes pictures from noise: python generate.py network={path}",
    "stylizer": "it paints pictures: python stylize.py network={path} content=<picture>",
    "text_encoder": "it reads: python train.py model=dcgan model.condition=text model.words={path}",
    "translator": "it paints pictures: python stylize.py network={path} content=<picture>",
    BESIDE: "it is found by the name of its generator",
}
WAYS = "a run directory, a .keras file, or a network of the zoo"


def read_metadata(path: str | Path) -> Metadata:
    """Reads what the network in a `.keras` file is.

    Raises `GessoError` for what is no `.keras` file, and for a network that is none of Gesso's.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            if MEMBER in archive.namelist():
                if archive.getinfo(MEMBER).file_size > MEMBERS[MEMBER]:
                    raise ValueError(f"{MEMBER} in it is larger than {MEMBERS[MEMBER]} bytes")
                return Metadata.from_json(archive.read(MEMBER))
    except OSError as error:
        raise GessoError(f"{path} cannot be read: {error.strerror or error}.") from error
    except DAMAGE as error:
        raise GessoError(f"{path} is not a network that Keras can read: {error}.") from error
    raise GessoError(f"{path} is no network of Gesso's: it has no {MEMBER}, which says what it is.")


def write_metadata(path: str | Path, metadata: Metadata) -> None:
    """Puts metadata into a `.keras` file, in place of what it had; the file is replaced as a whole.

    Raises `GessoError` for what is no `.keras` file.
    """
    if not zipfile.is_zipfile(path):
        raise GessoError(f"{path} is not a network that Keras can read: it is no zip archive.")
    with atomic(path) as temporary, zipfile.ZipFile(path) as old, zipfile.ZipFile(temporary, "w") as new:
        for member in old.infolist():
            if member.filename != MEMBER:
                with old.open(member) as source, new.open(member, "w", force_zip64=True) as target:
                    shutil.copyfileobj(source, target, 2**20)
        new.writestr(MEMBER, metadata.to_json())


def add_metadata(path: Path, metadata: Metadata) -> None:
    """Adds metadata to a `.keras` file that has none and that nobody else reads yet."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(MEMBER, metadata.to_json())


def find_network(value: str | Path | None, key: str = "network", kinds: Collection[str] = KINDS) -> Path:
    """Finds the file of a trained network of one of `kinds`, the first that there is.

    Args:
        value: a run directory, a `.keras` file, or the name of a network in the zoo. A file or a run of that name
            comes first, another folder does not.
        key: the one of the configuration that gives `value`, for messages.

    Raises `GessoError` if there is none, in words that say what was looked for.
    """
    if value is None:
        there = f" In the zoo: {', '.join(fitting)}." if (fitting := _of_kinds(kinds)) else ""
        raise GessoError(f"{key}= says which trained network: {WAYS}.{there}")
    path, run = expanded(value), Run(expanded(value))
    named = zoo.networks().get(str(value))
    if path.is_dir() and (named is None or run.is_run or run.networks()):
        return _in_run(run, key, kinds)
    if not path.is_file() and named is None:
        fitting = _of_kinds(kinds) if path.name == str(value) else []
        hint = f" In the zoo: {did_you_mean(str(value), fitting)}" if fitting else ""
        raise GessoError(f"{key}={path}: there is no {path}. It is to be {WAYS}.{hint}")
    found = path if path.is_file() else named
    kind = read_metadata(found).kind
    if kind not in kinds:
        raise GessoError(f"{key}={path} is a {kind}, not a {' or '.join(kinds)}; {USE[kind].format(path=path)}")
    return found


def check_networks(config: DictConfig) -> None:
    """Refuses what names no trained network, of keys that blocks `networks` say of which kind. Raises `GessoError`.

    A run that goes on has all that it took over from one.
    """
    for key, kind in said(config, "networks"):
        value = OmegaConf.select(config, key)
        if value is not None and not config.get("resume"):
            find_network(str(value), key, [kind])


def of_the_zoo() -> dict[str, Metadata]:
    """Returns what the networks of the zoo are, by name; who names one that cannot be read is told."""
    found = {}
    for name, path in zoo.networks().items():
        with suppress(GessoError):
            found[name] = read_metadata(path)
    return found


def in_the_zoo(*kinds: str) -> str:
    """Lists the networks of the zoo of some kinds, a line each, with what they do: for `--help`."""
    lines = {name: metadata.in_words() for name, metadata in of_the_zoo().items() if metadata.kind in kinds}
    width = max(map(len, lines), default=0)
    return "\n".join(f"  {name:{width}}  {words}" for name, words in lines.items()) or "  (none)"


def _of_kinds(kinds: Collection[str]) -> list[str]:
    """Lists the networks of the zoo that are of some kinds."""
    return [name for name, metadata in of_the_zoo().items() if metadata.kind in kinds]


def _in_run(run: Run, key: str, kinds: Collection[str]) -> Path:
    files = [run.network(kind) for kind in kinds]
    found = next((file for file in files if file.is_file()), None)
    if found is not None:
        return found
    others = [kind for kind in KINDS if run.network(kind).is_file()]
    hint = " The run has not reached its first checkpoint." if run.is_run else " It is no run directory."
    if others:
        hint = f" There is a {others[0]}; {USE[others[0]].format(path=run.folder)}"
    raise GessoError(f"{key}={run.folder}: there is no {' and no '.join(map(str, files))}.{hint}")


def provenance(path: Path, seed: int) -> dict[str, str]:
    """Returns PNG text chunks for pictures made by the network in `path`: of the run that it is from."""
    metadata = read_metadata(path)
    chunks = images.provenance(metadata.model or in_utf8(path.name), None, seed)
    return chunks if metadata.config_sha256 is None else chunks | {"Config-SHA256": metadata.config_sha256}
