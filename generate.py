"""Makes pictures with a trained generator: `python generate.py network=<run directory> num=64 seed=1`."""

import itertools
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, ListConfig

from core.class_names import wholes
from core.cli import main
from core.errors import GessoError
from core.images import grid, save_gif, save_png, to_uint8
from core.network_file import find_network, provenance, read_metadata
from core.network_metadata import Metadata
from core.overrides import refuse_keys
from data.provenance import check_folder, chunks
from models import latent, trained
from models.labels import draw_labels, find_labels, kinds_shown, shown_labels

log = logging.getLogger(__name__)

NUM = 64  # pictures, unless it is said


@main("generate", files=("network", "output", "text", "negative", "label"))
def generate(config: DictConfig) -> None:
    path = find_network(config.network, kinds=["generator"])
    metadata = read_metadata(path)
    if config.text == "help":
        return say_words(metadata, path)
    names, conditions = asked(config, metadata, path)
    away = unwanted(config, metadata, path)
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
        save_png(output / "grid.png", sheet_of(images, rows), made_by)
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


def asked(config: DictConfig, metadata: Metadata, path: Path) -> tuple[list[str], np.ndarray]:
    """What is asked for, in words, and as the generator takes it: int32 `[k]`, or `[k, words]` of sentences.

    No words, and a zero, for a generator that makes pictures from noise alone. Raises `GessoError` for words that
    it does not know.
    """
    if metadata.words:
        key = "label" if config.text is None and config.label is not None else "text"
        if config[key] is None:  # its own, which it may not know all words of
            return list(metadata.sentences), metadata.vocabulary.tokens(metadata.sentences)
        return tokens_of(config[key], metadata, key)
    if config.text is not None:
        kinds = wholes(metadata.classes)
        known = [name for name in kinds if texts_of(name)[0] in texts_of(config.text)]
        label = f"label={(known or kinds)[0]}" if kinds else "no label either"
        raise GessoError(
            f"text={config.text}: {path} understands no words ({label}). The zoo's network=words does, and what "
            "model.condition=text has trained."
        )
    names = list(metadata.classes)
    if config.label is not None:
        numbers = find_labels(config.label, names, path)
        if config.interpolate:  # of parts, the one it has seen most of
            numbers = numbers[:1]
        elif len(numbers) > 1:
            numbers = draw_labels(metadata, config.num or NUM, config.seed, numbers)
    else:
        numbers = shown_labels(metadata, config.num or NUM, config.seed)
    return [names[i] for i in numbers], np.array(numbers if names else [0], np.int32)


def unwanted(config: DictConfig, metadata: Metadata, path: Path) -> np.ndarray:
    """What is to be avoided, int32 `[k, words]`, k often 0. Raises `GessoError` for words that it does not know."""
    if config.negative is None:
        return np.zeros((0, metadata.sentence_length or 0), np.int32)
    if not metadata.words:
        raise GessoError(f"negative={config.negative}: {path} understands no words.")
    return tokens_of(config.negative, metadata, "negative")[1]


def tokens_of(texts: str | Sequence[str], metadata: Metadata, key: str) -> tuple[list[str], np.ndarray]:
    """One or several texts as a list, and as numbers, int32 `[k, words]`.

    Raises `GessoError` for unknown words, naming the configuration's `key`, and where there is no text.
    """
    texts = texts_of(texts)
    for text in texts or [""]:
        metadata.vocabulary.check(text, f"{key}=")
    return texts, metadata.vocabulary.tokens(texts)


def texts_of(texts: str | Sequence[str]) -> list[str]:
    """One or several texts as a list; the underscores of labels are spaces."""
    several = isinstance(texts, list | tuple | ListConfig)
    return [str(text).replace("_", " ") for text in (texts if several else [texts])]


def check(config: DictConfig, conditions: int) -> None:
    """Raises `GessoError` for values that make no pictures."""
    if not config.interpolate:
        refuse_keys(("frames",), HydraConfig.get().overrides.task, "without interpolate=true")
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


def sheet_of(images: np.ndarray, classes: int) -> np.ndarray:
    """One picture of many; of several classes, which the images `[num, ...]` have in turn, a row each."""
    if classes < 2:
        return grid(images)
    rows, columns = min(classes, len(images)), -(-len(images) // classes)
    sheet = np.full((rows * columns, *images.shape[1:]), 255, np.uint8)
    for i, image in enumerate(images):
        sheet[i % classes * columns + i // classes] = image
    return grid(sheet, columns)


def in_turn(conditions: np.ndarray, num: int) -> np.ndarray:
    """`num` labels or sentences, those of `conditions` `[k, ...]` in turn."""
    return conditions[np.arange(num) % len(conditions)]


if __name__ == "__main__":
    generate()
