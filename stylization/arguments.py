"""Checks the command line of `stylize.py`, and finds its files, before anything slow starts."""

import logging
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, ListConfig

from core.config import leaves
from core.errors import GessoError, did_you_mean
from core.files import expanded, in_utf8, relative, try_out
from core.images import config_hash, provenance_text, state_of
from core.overrides import refuse_keys
from data import film, film_writer, motion, picture, picture_writer, provenance
from data.folder import SUFFIXES
from stylization.methods import METHODS

log = logging.getLogger(__name__)

# Keys that go into what is noted of a picture, whatever the method.
EVERYWHERE = ("size", "region", "tile", "temporal_consistency", "motion", "depth", "precision")


def check(config: DictConfig) -> None:
    """Raises `GessoError` for values that make no picture, whatever the method."""
    if config.method not in (None, *METHODS):
        raise GessoError(f"method={config.method}: {did_you_mean(str(config.method), METHODS)}")
    if config.motion == "flow":
        motion.check()
    if config.trainer.strategy != "one":
        raise GessoError("trainer= has several devices train together; painting takes one: trainer.devices=[0].")
    weights = [1] if config.style_weights is None else config.style_weights
    if not isinstance(weights, list | ListConfig) or not all(isinstance(weight, int | float) for weight in weights):
        raise GessoError(f"style_weights={config.style_weights}: a list, [2,1], with a number for each style.")
    if config.content is None:
        raise GessoError("content= says what to paint: a picture, a film, or a folder of them.")


def find_contents(config: DictConfig) -> list[Path]:
    """Finds the files that `content=` names. Raises `GessoError` if there are none."""
    path = expanded(str(config.content))
    if path.is_dir():
        films = (file for file in sorted(path.iterdir()) if film.is_film(file) and not file.name.startswith("."))
        found = picture.find(path) + [file for file in films if file.is_file()]
        if not found:
            known = " ".join((*SUFFIXES, *film_writer.OUTPUTS))
            raise GessoError(f"content={path}: no pictures or films in this folder itself. Read are {known}.")
        _say_left_out(path, found)
        return found
    if not path.is_file():
        raise GessoError(f"content={path}: there is no such file or folder.")
    if not film.is_film(path):
        picture.sides(path)
    elif config.save_every is not None:
        raise GessoError(
            f"save_every= keeps what is done of a picture; of a film, {path.name}, frames come one by one."
        )
    return [path]


def _say_left_out(folder: Path, found: list[Path]) -> None:
    """Logs what else lies in a folder, which a painter may have meant."""
    known = set(found)
    others = [path for path in folder.iterdir() if path not in known and not path.name.startswith(".")]
    kinds = Counter("subfolder" if path.is_dir() else path.suffix.lower() or "without suffix" for path in others)
    if kinds:
        most = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))[:8]
        log.info("Left out: %s", ", ".join(f"{number} {kind}" for kind, number in most))


def outputs(contents: list[Path], config: DictConfig) -> list[tuple[Path, Path]]:
    """Pairs each content with the file that its result goes to.

    `output=` is a file if `content=` is one and it has a suffix, else a folder. Raises `GessoError` where a result
    would overwrite what it is made from, or a file which Gesso did not paint.
    """
    folder = relative(expanded(config.output or HydraConfig.get().runtime.output_dir))
    one_file = config.output is not None and not folder.is_dir() and folder.suffix
    if one_file and expanded(str(config.content)).is_dir():
        if folder.suffix.lower() in {**film_writer.OUTPUTS, **picture_writer.OUTPUTS}:
            raise GessoError(f"output={folder}: content= is a folder, so this must be one too.")
        one_file = False
    if folder.is_dir() and _identity(folder) == _identity(expanded(str(config.content))):
        raise GessoError(f"output={folder} is the folder of content=: what is painted would count as content.")
    kept = {_identity(expanded(path)) for path in [*contents, *input_files(config)]} - {None}
    made: set[str] = set()
    stems = Counter(path.stem.casefold() for path in contents)  # on many disks, Sea.png and sea.png are one file
    jobs = []
    for content in contents:
        moving = film.is_film(content)
        name = content.stem if stems[content.stem.casefold()] == 1 else content.name  # a.jpg beside a.png
        output = folder if one_file else folder / (name + (film_writer.suffix(content) if moving else ".png"))
        known = film_writer.OUTPUTS if moving else picture_writer.OUTPUTS
        if output.suffix.lower() not in known:
            raise GessoError(f"output={output}: the suffix must be one of {' '.join(known)}, or none for a folder.")
        if config.depth == 16 and output.suffix.lower() not in picture_writer.DEEP:
            raise GessoError(f"depth=16: {output.name} has 8 bits a colour; pictures may have 16 as .png or .tif.")
        if _identity(output) in kept:
            raise GessoError(f"{output} is one of the inputs, and would be overwritten. Give another output=.")
        if output.name.casefold() in made:  # a.jpg, a.png and a.jpg.png
            raise GessoError(f"{output} would come of {content.name} and of another one. Rename one of them.")
        if os.path.exists(output) and "Software: Gesso" not in (_provenance(output) or ""):
            raise GessoError(f"{output} is there, and Gesso did not paint it. Give another output=.")
        made.add(output.name.casefold())
        jobs.append((content, output))
    parent = jobs[0][1].parent
    try_out(parent)  # now, not after minutes of painting
    try:
        for _, output in jobs:
            with suppress(FileNotFoundError):
                output.lstat()  # a name may be too long
    except OSError as error:
        raise GessoError(f"Cannot write to {output}: {error.strerror}.") from error
    return jobs


def check_of_films(jobs: Sequence[tuple[Path, Path]], overrides: Iterable[str]) -> None:
    """Raises `GessoError` where a command line's `overrides` give keys of films, and none is to be painted."""
    if not any(film.is_film(content) for content, _ in jobs):
        refuse_keys(("motion", "temporal_consistency"), overrides, "without a film")


def check_sides(jobs: Sequence[tuple[Path, Path]], size: int | None, scale: int) -> None:
    """Raises `GessoError` where a result, `scale` times as large as its content, is too large for its format.

    A folder's are PNGs, which hold any; and yet what `size` asks for is to be no more than Gesso reads again.
    """
    content, output = jobs[0]
    if len(jobs) == 1 and not film.is_film(content):
        picture_writer.kind_for(output, scale * (size or max(picture.sides(content))))
    if size is None or size**2 <= picture.most():
        return
    for content, _ in jobs:
        with suppress(GessoError):  # one that cannot be read is said where it is read
            # A film may be of any shape: it takes long to ask.
            height, width = (1, 1) if film.is_film(content) else picture.sides(content)
            if math.prod(picture.scale_sides((height, width), size)) > picture.most():
                break
    else:
        return
    raise GessoError(f"size={size}: {content} would have more than {picture.most() // 10**6} million pixels.")


def settings(config: DictConfig, keys: Sequence[str], network: Path | None = None) -> dict[str, str]:
    """Returns the provenance of a picture's settings: the method's `keys`, as on a command line, and a hash of all.

    Files are told by their names alone, the `network`, too: where they lie is nobody's business.
    """
    config = config.copy()
    config.save_every = None  # the picture is the same
    values = {name: value for name, value in leaves(config) if name.split(".")[0] in (*EVERYWHERE, *keys)}
    told = {name: value for name, value in values.items() if value is not None and not _of_the_house(name, value)}
    if network is not None:
        told = {"network": config.network or network.stem, **told}
    text = " ".join(f"{name}={_name(value)}" for name, value in told.items())
    return {"Settings": text, "Settings-SHA256": config_hash(config)}


def _of_the_house(name: str, value: object) -> bool:
    """Whether nobody types it: what is called, and what stands for another value."""
    return name.endswith("_target_") or (isinstance(value, str) and "${" in value)


def undone(
    jobs: list[tuple[Path, Path]], chunks: Mapping[str, str], others: Sequence[Path] = (), sweep: bool = False
) -> list[tuple[Path, Path]]:
    """Returns the pairs of a folder, or of a `sweep`'s job, that are yet to be painted, and says how many are not.

    Painted is what has the same provenance, the state of its content included, and is younger than the `others`,
    files such as the style: an interrupted folder or sweep goes on. Who asks for one picture gets it.
    """
    if len(jobs) < 2 and not sweep:
        return jobs
    newest = max((file.stat().st_mtime for file in others if file.is_file()), default=-math.inf)
    left = [(content, output) for content, output in jobs if not _is_done(content, output, chunks, newest)]
    if len(left) < len(jobs):
        done = f"{len(jobs) - len(left)} of {len(jobs)}"
        log.info("%s are there, painted just so, and stay. To paint them again, remove them.", done)
    return left


def _is_done(content: Path, output: Path, chunks: Mapping[str, str], newest: float) -> bool:
    if not output.is_file() or output.stat().st_mtime < newest:
        return False
    written = _provenance(output)
    if written == provenance_text(chunks):  # as it was before it noted the state: their clocks have to do
        return output.stat().st_mtime >= content.stat().st_mtime
    return written == provenance_text({**chunks, **state_of(content)})


def _provenance(output: Path) -> str | None:
    return film_writer.comment(output) if film.is_film(output) else provenance.chunks(output)


def _identity(path: Path) -> tuple[int, int] | None:
    """Returns what a file or folder is the same by, however it is spelt and reached; None where there is none."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):  # also of what is no name
        return None
    return found.st_dev, found.st_ino


def _name(value: object) -> str:
    if isinstance(value, list | ListConfig):
        return "[" + ",".join(map(_name, value)) + "]"
    return in_utf8(Path(value).name) if isinstance(value, str) else str(value)


def input_files(config: DictConfig) -> list[str]:
    """Returns what any key but `output` may name a file by."""
    values = [value if isinstance(value, list) else [value] for key, value in leaves(config) if key != "output"]
    return [text for value in values for text in value if isinstance(text, str)]
