"""Checks the command line of `stylize.py`, and finds its files, before anything slow starts."""

import tempfile
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, ListConfig, OmegaConf

from core.errors import GessoError
from core.files import relative
from data import film, film_writer, picture
from models import trained

# Keys that a method has no use for. Whoever gives one expects something of it.
UNUSED = {
    "gatys": ("mask", "style_size"),
    "fast": ("style", "mask", "steps", "seed", "weights", "style_size", "gatys"),
    "adain": ("mask", "steps", "seed", "weights", "gatys"),
    "translate": (
        "style", "style_weights", "strength", "preserve_color", "steps", "seed", "weights", "style_size", "gatys",
    ),
}  # fmt: skip
TRAINED_BY = {"fast": "fast_style", "adain": "adain", "translate": "pix2pix"}


def check(config: DictConfig) -> None:
    """Raises `GessoError` for values that make no picture."""
    if isinstance(config.preserve_color, bool):
        config.preserve_color = "luminance" if config.preserve_color else "none"
    weights = [1] if config.style_weights is None else config.style_weights
    if not isinstance(weights, list | ListConfig) or not all(isinstance(weight, int | float) for weight in weights):
        raise GessoError(f"style_weights={config.style_weights}: a list, [2,1], with a number for each style.")
    if config.content is None:
        raise GessoError("content= says what to paint: a picture, a film, or a folder of them.")
    if config.stylizer is None and config.method in ("fast", "adain", "translate"):
        raise GessoError(
            f"method={config.method} paints with a trained network: model=<run directory or stylizer.keras>. "
            f"To train one: python train.py model={TRAINED_BY[config.method]} ..."
        )
    if config.stylizer is None and not config.style:
        raise GessoError("style= says in whose manner: a painting, or several, style=[a.jpg,b.jpg].")
    if config.stylizer is not None and config.method == "gatys":
        raise GessoError("method=gatys works on the picture itself and takes no model=. Leave out one of them.")
    if config.stylizer is not None:
        trained.network_file(config.stylizer)


def find_contents(config: DictConfig) -> list[Path]:
    """The files that `content=` names. Raises `GessoError` if there are none."""
    path = Path(str(config.content)).expanduser()
    if path.is_dir():
        films = [file for file in sorted(path.iterdir()) if film.is_film(file) and not file.name.startswith(".")]
        found = picture.find(path) + films
        if not found:
            raise GessoError(f"content={path}: no pictures or films in this folder.")
        return found
    if not path.is_file():
        raise GessoError(f"content={path}: there is no such file or folder.")
    return [path]


def outputs(contents: list[Path], config: DictConfig) -> list[tuple[Path, Path]]:
    """Each content with the file that its result goes to.

    `output=` is a file if `content=` is one and it has a suffix, else a folder. Raises `GessoError` where a result
    would overwrite what it is made from.
    """
    folder = relative(Path(config.output or HydraConfig.get().runtime.output_dir).expanduser())
    one_file = config.output is not None and not folder.is_dir() and folder.suffix
    if one_file and Path(str(config.content)).expanduser().is_dir():
        if folder.suffix.lower() in {**film_writer.OUTPUTS, **picture.OUTPUTS}:
            raise GessoError(f"output={folder}: content= is a folder, so this must be one too.")
        one_file = False
    kept = {Path(path).expanduser().resolve() for path in [*contents, *listed(config.style), *mask_files(config)]}
    stems = [path.stem for path in contents]
    jobs = []
    for content in contents:
        moving = film.is_film(content)
        name = content.stem if stems.count(content.stem) == 1 else content.name  # a.jpg beside a.png
        output = folder if one_file else folder / (name + (film_writer.suffix(content) if moving else ".png"))
        known = film_writer.OUTPUTS if moving else picture.OUTPUTS
        if output.suffix.lower() not in known:
            raise GessoError(f"output={output}: the suffix must be one of {' '.join(known)}, or none for a folder.")
        if output.resolve() in kept:
            raise GessoError(
                f"{output} is one of the inputs, or another one's result, and would be overwritten. "
                "Give another output=."
            )
        kept.add(output.resolve())  # a.jpg, a.png and a.jpg.png
        jobs.append((content, output))
    parent = jobs[0][1].parent
    try:  # now, not after minutes of painting
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as error:
        raise GessoError(f"Cannot write to {parent}: {error.strerror}.") from error
    return jobs


def listed(value) -> list[str]:
    """The files that a key names: one, several, or none."""
    if value is None:
        return []
    return [str(file) for file in value] if isinstance(value, ListConfig) else [str(value)]


def mask_files(config: DictConfig) -> list[str]:
    """The masks that any key names."""
    return listed(config.mask) + listed(config.gatys.content_masks) + listed(config.gatys.style_masks)


def refuse_unused(config: DictConfig, method: str) -> None:
    """Raises `GessoError` if the command line gives a key that `method` has no use for."""
    for override in OmegaConf.to_container(HydraConfig.get().overrides.task):
        key = override.lstrip("+~").partition("=")[0]
        if key.split(".")[0] in UNUSED[method]:
            raise GessoError(f"{key}= has no effect with method={method}. Leave it out.")
