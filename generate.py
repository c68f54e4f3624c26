"""Makes pictures with a trained generator: `python generate.py network=<run directory> num=64 seed=1`."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from core.cli import main
from core.errors import GessoError
from core.images import grid, save_gif, save_png, to_uint8
from core.network_file import find_network, provenance, read_metadata
from models import latent, trained

log = logging.getLogger(__name__)


@main("generate", files=("network", "output"))
def generate(config: DictConfig) -> None:
    check(config)
    path = find_network(config.network, kinds=["generator"])
    names = read_metadata(path).classes
    classes = [trained.find_class(config.label, names, path)] if config.label is not None else range(len(names))
    chunks = provenance(path, config.seed)
    output = Path(config.output)

    from core import hardware

    hardware.load_tensorflow()
    generator, _ = trained.load(path, "generator")
    latent_dim = trained.latent_dim(generator)
    truncation = trained.truncate(generator, config.truncation)

    def draw(latents: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """uint8 `[num, height, width, channels]`."""
        return to_uint8(trained.draw(generator, latents, labels if names else None, config.batch_size))

    if config.interpolate:
        corners = latent.sample(config.seed, config.num or 8, latent_dim, truncation)
        legs = zip(corners, np.roll(corners, -1, axis=0), strict=True)  # the walk ends where it began
        walk = np.concatenate([latent.slerp(a, b, config.frames + 1)[:-1] for a, b in legs])
        frames = draw(walk, np.repeat(in_turn(classes, len(corners)), config.frames))
        save_png(output / "strip.png", grid(frames, columns=config.frames), chunks)
        save_gif(output / "walk.gif", frames, chunks)
    else:
        num = config.num or 64
        labels = in_turn(classes, num)
        images = draw(latent.sample(config.seed, num, latent_dim, truncation), labels)
        for i, image in enumerate(images):
            own = {"Index": str(i)} | ({"Label": names[labels[i]]} if names else {})
            save_png(output / f"{i:04d}.png", image, chunks | own)
        save_png(output / "grid.png", sheet_of(images, len(classes)), chunks)
    log.info("Pictures: %s", output)


def check(config: DictConfig) -> None:
    """Raises `GessoError` for values that make no pictures."""
    if config.interpolate and config.num == 1:
        raise GessoError("interpolate=true walks between latents: num= must be at least 2.")


def sheet_of(images: np.ndarray, classes: int) -> np.ndarray:
    """One picture of many; of several classes, which the images `[num, ...]` have in turn, a row each."""
    if classes < 2:
        return grid(images)
    rows, columns = min(classes, len(images)), -(-len(images) // classes)
    sheet = np.full((rows * columns, *images.shape[1:]), 255, np.uint8)
    for i, image in enumerate(images):
        sheet[i % classes * columns + i // classes] = image
    return grid(sheet, columns)


def in_turn(classes: Sequence[int], num: int) -> np.ndarray:
    """`num` labels, the classes in turn, int32; zeros where there are none."""
    return np.resize(np.array(classes if len(classes) else [0], np.int32), num)


if __name__ == "__main__":
    generate()
