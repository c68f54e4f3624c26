"""Makes pictures with a trained generator: `python generate.py network=<run directory> num=64 seed=1`."""

import itertools
import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from core.cli import main
from core.errors import GessoError
from core.images import grid, grid_by_rows, save_gif, save_png, to_uint8
from core.network_file import find_network, provenance, read_metadata
from core.network_metadata import Metadata
from core.overrides import own_overrides, refuse_keys
from data.provenance import check_folder, chunks
from models import latent, trained
from models.asked import NUM, asked, in_turn, texts_of, unwanted
from models.labels import kinds_shown

log = logging.getLogger(__name__)


@main("generate", files=("network", "output", "text", "negative", "label"))
def generate(config: DictConfig) -> None:
    path = find_network(config.network, kinds=["generator"])
    metadata = read_metadata(path)
    if config.text == "help":
        return say_words(metadata, path)
    names, conditions = asked(
        metadata, path, config.text, config.label, config.num or NUM, config.seed, config.interpolate
    )
    if metadata.words and config.text is None and config.label is None:
        log.info("Without text=, what it was taught to show: %s. text=help lists its words.", "; ".join(names))
    away = unwanted(metadata, path, config.negative)
    check(config, len(conditions) if metadata.words else 1)
    made_by = provenance(path, config.seed)
    output = Path(config.output)
    check_folder(output, files(None if config.interpolate else config.num or NUM))

    from core import hardware

    hardware.load_tensorflow()
    generator, _ = trained.load(path, "generator")
    num, latent_dim = config.num, trained.latent_dim(generator)
    truncation = trained.truncate(generator, config.truncation)
    if metadata.words:  # sentences become vectors
        from models.words import steered

        reader, generator = trained.parts(generator)
        conditions, away = (np.asarray(reader(tokens, training=False)) for tokens in (conditions, away))
        conditions = steered(conditions, away)

    def draw(latents: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """uint8 `[num, height, width, channels]`."""
        return trained.draw(generator, latents, labels if names else None, config.batch_size, kept=to_uint8)

    if config.interpolate and metadata.words and len(names) > 1:  # from sentence to sentence, latents side by side
        vectors = latent.walk(conditions, config.frames)
        latents = latent.sample(config.seed, num or 1, latent_dim, truncation)
        rows = [draw(np.tile(z, (len(vectors), 1)), vectors) for z in latents]
        save_png(output / "strip.png", grid(np.concatenate(rows), columns=len(vectors)), made_by)
        frames = np.stack([grid(np.stack(side_by_side)) for side_by_side in zip(*rows, strict=True)])
        save_gif(output / "walk.gif", frames, made_by)
    elif config.interpolate:
        corners = latent.sample(config.seed, num or 8, latent_dim, truncation)
        labels = np.repeat(in_turn(conditions, len(corners)), config.frames, axis=0)
        frames = draw(latent.walk(corners, config.frames), labels)
        save_png(output / "strip.png", grid(frames, columns=config.frames), made_by)
        save_gif(output / "walk.gif", frames, made_by)
    else:
        num, kind = num or NUM, "Text" if metadata.words else "Label"
        images = draw(latent.sample(config.seed, num, latent_dim, truncation), in_turn(conditions, num))
        for i, image in enumerate(images):
            own = {"Index": str(i)} | ({kind: names[i % len(names)]} if names else {})
            own |= {"Negative": ", ".join(texts_of(config.negative))} if len(away) else {}
            save_png(output / f"{i:04d}.png", image, made_by | own)
        rows = len(names) if metadata.words else 1 if config.label is not None else kinds_shown(metadata)
        save_png(output / "grid.png", grid_by_rows(images, rows), made_by)
        forget(output, num, made_by)
    log.info("Pictures: %s", output)


def files(num: int | None) -> list[str]:
    """Names what so many pictures are written to; None: a walk."""
    return ["strip.png", "walk.gif"] if num is None else ["grid.png", *(f"{i:04d}.png" for i in range(num))]


def forget(folder: Path, num: int, made_by: Mapping[str, str]) -> None:
    """Removes the pictures of an earlier, longer call of the same network, from number `num` on."""
    own = {f"{key}: {made_by[key]}" for key in ("Model", "Config-SHA256") if key in made_by}
    for i in itertools.count(num):
        earlier = folder / f"{i:04d}.png"
        told = set((chunks(earlier) or "").split("; ")) if earlier.is_file() else set()
        if not told.issuperset({*own, f"Index: {i}"}):
            break
        earlier.unlink()
    if i > num:
        log.info("Removed %d pictures of an earlier, longer call, from %04d.png on.", i - num, num)


def check(config: DictConfig, conditions: int) -> None:
    """Raises `GessoError` for values that make no pictures."""
    if not config.interpolate:
        refuse_keys(("frames",), own_overrides(), "without interpolate=true")
    if config.text is not None and config.label is not None:
        raise GessoError("text= and label= both say what is to be painted. Give one.")
    if config.interpolate and config.num == 1 and conditions < 2:
        raise GessoError("interpolate=true walks between latents: num= must be at least 2.")


def say_words(metadata: Metadata, path: Path) -> None:
    """Lists what a generator understands. Raises `GessoError` for one that understands no words."""
    if not metadata.words:
        raise GessoError(f"text=help: {path} understands no words.")
    log.info(
        "%s understands %d words, in sentences of up to %d:\n%s\nSuch as:\n%s",
        path, len(metadata.words), metadata.sentence_length, " ".join(sorted(metadata.words)),
        "\n".join(f"  {sentence}" for sentence in metadata.sentences),
    )  # fmt: skip


if __name__ == "__main__":
    generate()
