"""Trained networks and runs that may be named on the page: those under `zoo/` and `outputs/`, and no others."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from core import zoo
from core.class_names import wholes
from core.errors import GessoError, did_you_mean
from core.network_file import read_metadata
from core.network_metadata import KINDS, Metadata
from core.run import Run

OUTPUTS = Path("outputs")  # of where the page was started
SUFFIX = "*.keras"


@dataclass(frozen=True)
class Network:
    """A trained network: what it is called on a command line, its file, and what it is."""

    name: str
    path: Path
    metadata: Metadata

    @property
    def in_words(self) -> str:
        """What an artist chooses by."""
        name = self.name.removeprefix(f"{OUTPUTS}/")
        return f"{name.replace('_', ' ')}: {_words(self.metadata)}"


def networks(kinds: Collection[str] = KINDS) -> dict[str, Network]:
    """Finds the trained networks of some kinds by their names, those of the zoo first."""
    found = [*zoo.networks().items(), *((_name(path), path) for path in sorted(OUTPUTS.rglob(SUFFIX)))]
    known = {}
    for name, path in found:
        if path.name.startswith(".") or not path.is_file():  # not whole yet; a pipe, which would be waited for
            continue
        try:
            metadata = read_metadata(path)
        except GessoError:  # who names it on a command line is told
            continue
        if metadata.kind in kinds:
            known.setdefault(name, Network(name, path, metadata))
    return known


def find(name: str | None, kinds: Collection[str] = KINDS) -> Network:
    """Returns the network of a name. Raises `GessoError` for all that is not listed, be it a file elsewhere."""
    known = networks(kinds)
    if not name:
        raise GessoError("Choose a network first. None in the list? They are looked for in zoo/ and outputs/.")
    if name not in known:
        raise GessoError(f"There is no network {name} in zoo/ or outputs/. {did_you_mean(name, known)}")
    return known[name]


def choices(known: dict[str, Network], fits: Callable[[Metadata], bool] = lambda _: True) -> list[tuple[str, str]]:
    """Lists (words, name) of networks, for a list to choose from."""
    return [(network.in_words, name) for name, network in known.items() if fits(network.metadata)]


def runs() -> dict[str, Run]:
    """Finds the runs of `train.py` under `outputs/` that have numbers or pictures, by their names, newest first."""
    begun = [run for run in Run.within(OUTPUTS) if run.config.is_file()]
    found = [run for run in begun if run.metrics.is_file() or run.networks()]
    found.sort(key=lambda run: run.config.stat().st_mtime, reverse=True)
    return {str(run.folder): run for run in found}


def find_runs(names: Collection[str]) -> list[Run]:
    """Returns the runs of these names. Raises `GessoError` for all that is not listed."""
    known = runs()
    for name in names:
        if name not in known:
            raise GessoError(f"There is no run {name} in outputs/. {did_you_mean(name, known)}")
    return [known[name] for name in names]


def _name(path: Path) -> str:
    """A run directory where it has but one network, else the file."""
    run = Run(path.parent)
    return str(run.folder) if run.networks() == [path] else str(path)


def _words(metadata: Metadata) -> str:
    size = f" of {metadata.image_size} px" if metadata.image_size else ""
    if metadata.kind == "generator":
        found = len(wholes(metadata.classes))
        kinds = f", {found} kinds" if found else ", of words" if metadata.words else ""
        return f"pictures{size}{kinds}"
    if metadata.kind == "translator":
        return metadata.task.replace("_", " ") if metadata.task else "turns pictures into others"
    if metadata.kind == "stylizer" and not metadata.styles:
        return "any painting that you show it"
    return f"{len(metadata.styles)} manners" if len(metadata.styles) > 1 else "one manner"
