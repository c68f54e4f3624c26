"""The layout of a run directory, spelt here and nowhere else."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from core import stored
from core.errors import GessoError
from core.files import read_json

_HYDRA = ".hydra"
_BEST = "best"
_RESTARTS = "restarts"
_WORDS = "words"
_NETWORK = ".keras"
_LARGEST = 2**23  # bytes of what is read at once: names of some hundred thousand classes


@dataclass(frozen=True)
class Run:
    """A run directory: where each thing in it lies, whether it is there yet or not.

    `best` and the tries of `restart` are laid out in the same way, without the configuration.
    """

    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))

    @classmethod
    def of(cls, file: str | Path) -> "Run | None":
        """Returns the run that a file lies in, or in `best` or a try of; None if it lies in no run."""
        folder = Path(file).parent
        names = Path(os.path.abspath(folder)).parts  # also of a file that is named from within
        above = 1 if names[-1] == _BEST else 2 if names[-2:-1] == (_RESTARTS,) else 0
        candidates = [cls(folder), cls(Path(os.path.normpath(folder / Path(*[".."] * above))))]
        return next((run for run in candidates if run.is_run), None)

    @classmethod
    def within(cls, folder: Path) -> "list[Run]":
        """Returns what lies below a folder and was begun by a command line, be it that nothing came of it."""
        found = sorted(folder.rglob(f"{_HYDRA}/{cls(folder).overrides.name}"))
        return [cls(file.parent.parent) for file in found]

    @property
    def is_run(self) -> bool:
        """Says whether the folder is a run directory: whether it has a configuration."""
        return self.config.is_file()

    @property
    def written(self) -> tuple[str, ...]:
        """The names in the folder of what is written in place, or that holds such."""
        of = (
            self.log, self.config.parent, self.samples, self.tensorboard, self.checkpoints, self.best.folder,
            self.words.folder, self.restarts, self.metrics,
        )  # fmt: skip
        return tuple(path.name for path in of)

    @property
    def has_checkpoints(self) -> bool:
        """Says whether anything has been trained, by the run itself, one of its tries, or as its text encoder."""
        tries = self.restarts.glob(f"*/{self.checkpoints.name}/*.npz")
        return bool(self.saved() or self.words.saved()) or any(tries)

    @property
    def hydra(self) -> Path:
        """The file of what Hydra knew when the run began: the options of the groups among it."""
        return self.folder / _HYDRA / "hydra.yaml"

    @property
    def config(self) -> Path:
        """The composed configuration that the run goes on with."""
        return self.folder / _HYDRA / "config.yaml"

    @property
    def overrides(self) -> Path:
        """The command line that began the run, a list."""
        return self.folder / _HYDRA / "overrides.yaml"

    @property
    def lock(self) -> Path:
        """The file that is locked while a process trains here: see `core.claim`."""
        return self.folder / ".lock"

    @property
    def data(self) -> Path:
        """The file of what the run learns from: its classes, number of pictures and fingerprint."""
        return self.folder / "data.json"

    @property
    def tensorboard(self) -> Path:
        """The folder of event files."""
        return self.folder / "tensorboard"

    @property
    def samples(self) -> Path:
        """The folder of sample grids."""
        return self.folder / "samples"

    def sample(self, step: int) -> Path:
        """Returns the file of the sample grid at a step."""
        return self.samples / f"step_{step:08d}.png"

    @property
    def reals(self) -> Path:
        """A grid of the data set's pictures."""
        return self.samples / "reals.png"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.folder / "checkpoints"

    def checkpoint(self, step: int) -> Path:
        """Returns the file of the checkpoint at a step."""
        return self.checkpoints / f"step_{step:08d}.npz"

    def saved(self) -> list[Path]:
        """Returns the checkpoints that there are, oldest first."""
        files = self.checkpoints.glob("step_*.npz")
        return sorted(file for file in files if re.fullmatch(r"step_\d{8,}\.npz", file.name))

    @property
    def last_step(self) -> int:
        """The step of the newest checkpoint; 0 where there is none."""
        return max((int(file.stem.partition("_")[2]) for file in self.saved()), default=0)

    @property
    def metrics(self) -> Path:
        """The rows of numbers, one JSON object each."""
        return self.folder / "metrics.jsonl"

    @property
    def result(self) -> Path:
        """The file of how a finished run ended."""
        return self.folder / "result.json"

    @property
    def log(self) -> Path:
        """The file of what was said on the way."""
        return self.folder / "train.log"

    @property
    def best(self) -> "Run":
        """The networks and the checkpoint of the best evaluation so far."""
        return Run(self.folder / _BEST)

    @property
    def best_score(self) -> Path:
        """The file of how good `best` is, and what that number depends on."""
        return self.best.folder / "score.json"

    @property
    def words(self) -> "Run":
        """The text encoder of a generator that understands words."""
        return Run(self.folder / _WORDS)

    @property
    def restarts(self) -> Path:
        """The folder of tries with several seeds."""
        return self.folder / _RESTARTS

    def restart(self, seed: int) -> "Run":
        """Returns the try with a seed."""
        return Run(self.restarts / f"seed_{seed}")

    @property
    def restart_scores(self) -> Path:
        """The file of how good each try was, by seed."""
        return self.restarts / "scores.json"

    def network(self, name: str) -> Path:
        """Returns the file of the exported network `name`, such as `generator`."""
        return self.folder / f"{name}{_NETWORK}"

    def networks(self) -> list[Path]:
        """Returns the exported networks that there are, sorted by name."""
        return sorted(file for file in self.folder.glob(f"*{_NETWORK}") if not file.name.startswith("."))

    def load_data(self) -> dict[str, Any]:
        """Reads what the data was: its `name`, `classes`, `num` of pictures, and `fingerprint`."""
        found = _read(self.data)
        if missing := [key for key in ("name", "classes", "num", "fingerprint") if key not in found]:
            raise GessoError(f"{self.data} is damaged: it has no {missing[0]}.")
        if not isinstance(found["classes"], list) or not all(isinstance(name, str) for name in found["classes"]):
            raise GessoError(f"{self.data} is damaged: its classes are not a list of names.")
        if type(found["num"]) is not int or not isinstance(found.get("styles", {}), dict):
            raise GessoError(f"{self.data} is damaged: its num is no whole number, or its styles have no names.")
        return found

    def load_config(self) -> DictConfig:
        """Reads the composed configuration, unresolved."""
        return stored.load_config(self.config)

    def load_overrides(self) -> list[str]:
        """Reads the command line that began the run, its interpolations as they are: they are of another tree."""
        return stored.load_overrides(self.overrides)

    def told(self) -> list[str]:
        """Reads the command line that began the run, to be shown: it is not looked at, and not to be followed."""
        found = OmegaConf.to_container(stored.load(self.overrides))
        return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []

    @property
    def script(self) -> str | None:
        """The script that began the run: `train`; None where that is not known."""
        return stored.load_script(self.hydra)

    def choices(self, *needed: str) -> DictConfig:
        """Reads which option of each group the run was composed of: `choices().model` is `dcgan`.

        Raises `GessoError` where a group is missing that is `needed`.
        """
        return OmegaConf.create(stored.load_choices(self.hydra, *needed))


def _read(path: Path) -> dict[str, Any]:
    """Returns the JSON object in a file. Raises `GessoError` if there is none."""
    try:
        found = read_json(path, _LARGEST)
    except FileNotFoundError:
        raise GessoError(f"{path} is missing.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise GessoError(f"{path} is damaged: {error}.") from error
    if not isinstance(found, dict):
        raise GessoError(f"{path} is damaged: it holds no dictionary.")
    return found
