"""Pictures of a generator, and walks among them: what the tab *Imagine* does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from core.errors import GessoError
from core.images import grid, save_gif, save_png, to_uint8
from core.network_file import provenance
from models import latent
from page.kept import kept
from page.networks import Network
from page.taste import SHOWN, Taste

DIRECTIONS = 4
NEARBY = 0.35  # radians that a little varied pictures are away
FRAMES = 12  # of a walk, from one picture to the next
KEPT = 2  # generators in memory

_kept: dict[tuple, "Studio"] = {}


@dataclass(frozen=True)
class Studio:
    """A generator that is ready: `draw` makes float pictures of latents and labels.

    `directions`: along which its pictures change most, `[n, latent_dim]`; none where they cannot be found.
    `asked`: the truncation, None where it is none: styles go no further from their average than they are.
    `truncation`: what of it is left for `latent.sample` to do, where the network does not do it itself.
    """

    network: Network
    draw: Callable[[np.ndarray, np.ndarray | None], np.ndarray]
    latent_dim: int
    directions: np.ndarray
    asked: float | None = None
    truncation: float | None = None

    def pictures(self, latents: np.ndarray, labels: np.ndarray, ways: Sequence[str]) -> np.ndarray:
        """Draws uint8 `[n, height, width, 3]` of latents `[n, latent_dim]` and labels `[n]`, numbers of `ways`."""
        metadata, conditions = self.network.metadata, None
        if metadata.words:
            conditions = metadata.vocabulary.tokens([ways[label] for label in labels])
        elif metadata.classes:
            conditions = labels
        images = to_uint8(self.draw(latents, conditions))
        return np.repeat(images, 3, -1) if images.shape[-1] == 1 else images


@dataclass
class Sitting:
    """What a visitor has before them: the sheet, what they liked of it, and what they liked before.

    Labels are numbers of `ways`: the classes, or the sentences that were asked for. `taste` is what was learned of
    what was liked; `kept` are latents, labels and pictures.
    """

    studio_of: str
    truncation: float | None
    ways: tuple[str, ...]
    taste: Taste
    latents: np.ndarray
    labels: np.ndarray
    pictures: np.ndarray | None = None
    liked: list[int] = field(default_factory=list)
    kept: list[tuple[np.ndarray, int, np.ndarray]] = field(default_factory=list)
    rounds: int = 0

    def like(self, number: int) -> None:
        """Likes a picture of the sheet, or no longer."""
        latents, label = self.latents[number], int(self.labels[number])
        if number in self.liked:
            self.liked.remove(number)
            same = [i for i, entry in enumerate(self.kept) if np.array_equal(entry[0], latents)]
            del self.kept[same[-1]]
        else:
            self.liked.append(number)
            self.kept.append((latents, label, self.pictures[number]))

    def show(self, latents: np.ndarray, labels: np.ndarray, studio: Studio) -> None:
        """Puts other pictures on the sheet, all at once: meanwhile, what is there can be liked."""
        pictures = studio.pictures(latents, labels, self.ways)
        self.latents, self.labels, self.pictures, self.liked = latents, labels, pictures, []
        self.rounds += 1


def studio(network: Network, truncation: float | None = None) -> Studio:
    """Loads a generator, if it is not there yet; those used last are kept. Raises `GessoError`.

    `truncation` is as in `generate.py`: of latents, or of the styles of a network that has them.
    """
    key = (network.path, network.path.stat().st_mtime_ns, truncation)
    return kept(_kept, key, lambda: _opened(network, truncation), KEPT)


def _opened(network: Network, truncation: float | None) -> Studio:
    from core import hardware

    hardware.load_tensorflow()
    import keras

    from models import directions, trained

    keras.config.set_dtype_policy("float32")  # as in generate.py, whatever was painted before
    generator, _ = trained.load(network.path, "generator")
    latent_dim = trained.latent_dim(generator)
    try:
        paints = trained.parts(generator)[1] if network.metadata.words else generator
        found = directions.sefa(paints, min(DIRECTIONS, latent_dim))
    except (ValueError, StopIteration):  # its first layer is no such one
        found = np.zeros((0, latent_dim), np.float32)
    cut = None if trained.has_styles(generator) and (truncation or 1) >= 1 else truncation
    left = trained.truncate(generator, cut)
    return Studio(network, trained.drawer(generator), latent_dim, found, cut, left)


def asked(network: Network, wanted: str | None) -> tuple[tuple[str, ...], np.ndarray | None]:
    """Returns the ways in which a generator can be asked, and the numbers of those that are wanted, if any are.

    They are its classes, or sentences: the one that is `wanted`, or those that it was shown with. Raises
    `GessoError` for classes and words that it does not know.
    """
    metadata = network.metadata
    if not metadata.words:
        from models.labels import find_labels

        numbers = None if wanted is None else find_labels(wanted, metadata.classes, network.path)
        return metadata.classes, numbers
    if wanted is None and metadata.sentences:
        return metadata.sentences, None
    if wanted not in metadata.sentences:  # of its own it may not know all words
        metadata.vocabulary.check(wanted or "", "What you typed", "")
    return (wanted,), np.zeros(1, np.int32)


def begin(
    network: Network, seed: int, wanted: str | None, truncation: float | None, before: Sitting | None = None
) -> Sitting:
    """Draws a first sheet, as `generate.py num=12` does, of the same classes or sentences.

    What was liked `before`, of the same network's, is kept, and so is what was learned of it.
    """
    from models.labels import draw_labels, shown_labels

    ways, numbers = asked(network, wanted)
    of = studio(network, truncation)
    latents = latent.sample(seed, SHOWN, of.latent_dim, of.truncation)
    own = network.metadata.classes
    if numbers is None:
        numbers = shown_labels(network.metadata, SHOWN, seed) if own else np.arange(max(1, len(ways)))
    elif len(numbers) > 1:  # parts of what was asked for
        numbers = draw_labels(network.metadata, SHOWN, seed, numbers)
    labels = np.resize(numbers, SHOWN).astype(np.int32)
    same = before is not None and before.studio_of == network.name
    if same and network.metadata.words:  # what was liked keeps the number of its sentence
        ways, places = _numbered(before.ways, ways)
        labels = places[labels]
    taste = Taste(of.latent_dim, len(network.metadata.classes))
    sitting = Sitting(network.name, of.asked, ways, taste, latents, labels)
    if same:
        sitting.taste, sitting.kept, sitting.rounds = before.taste, list(before.kept), before.rounds
    sitting.show(latents, labels, of)
    return sitting


def _numbered(known: Sequence[str], ways: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Returns all sentences, those that were known before with the numbers they had, and the numbers of `ways`."""
    all_ways = tuple(dict.fromkeys((*known, *ways)))
    return all_ways, np.array([all_ways.index(way) for way in ways], np.int32)


def more(sitting: Sitting, studio: Studio, wanted: str | None) -> None:
    """Learns from what was liked of the sheet, and proposes others, of one kind if it is wanted.

    Raises `GessoError` where nothing was liked, and for classes and words that the generator does not know.
    """
    ways, numbers = asked(studio.network, wanted)
    if numbers is not None and studio.network.metadata.words:
        sitting.ways, numbers = _numbered(sitting.ways, ways)
    if not sitting.liked:
        raise GessoError("Click on what you like first, one picture or several.")
    sitting.taste.learn(sitting.latents, sitting.labels, sitting.liked)
    near = sitting.kept[-SHOWN:]
    rng = np.random.default_rng([sitting.rounds, len(sitting.kept)])
    latents, labels = sitting.taste.propose(
        SHOWN, np.stack([entry[0] for entry in near]), np.array([entry[1] for entry in near]), rng, numbers,
        studio.truncation,
    )  # fmt: skip
    sitting.show(latents, labels, studio)


def mix(sitting: Sitting, studio: Studio) -> None:
    """Shows the way from one picture to another, the two liked last. Raises `GessoError` where there are fewer."""
    if len(sitting.kept) < 2:
        raise GessoError("Mixing takes two: click on two pictures that you like.")
    (start, label, _), (end, other, _) = sitting.kept[-2:]
    labels = np.array([label] * (SHOWN // 2) + [other] * (SHOWN - SHOWN // 2), np.int32)
    sitting.show(latent.slerp(start, end, SHOWN), labels, studio)


def vary(sitting: Sitting, studio: Studio) -> None:
    """Shows what lies near the picture that was liked last. Raises `GessoError` where there is none."""
    start, label, _ = last(sitting)
    rng = np.random.default_rng([sitting.rounds, len(sitting.kept), 1])
    away = latent.normal(rng, (SHOWN, studio.latent_dim), studio.truncation)
    latents = np.cos(NEARBY) * start + np.sin(NEARBY) * away
    latents[0] = start
    sitting.show(latents.astype(np.float32), np.full(SHOWN, label, np.int32), studio)


def turned(sitting: Sitting, studio: Studio, amounts: Sequence[float]) -> tuple[np.ndarray, int, np.ndarray]:
    """Returns the picture that was liked last, moved by these amounts along the main directions."""
    start, label, _ = last(sitting)
    moved = (start + np.asarray(amounts[: len(studio.directions)], np.float32) @ studio.directions).astype(
        np.float32
    )
    return moved, label, studio.pictures(moved[None], np.array([label]), sitting.ways)[0]


def last(sitting: Sitting) -> tuple[np.ndarray, int, np.ndarray]:
    """Returns what was liked last: latent, label, picture. Raises `GessoError` where nothing was."""
    if not sitting.kept:
        raise GessoError("Click on a picture that you like first.")
    return sitting.kept[-1]


def take_home(sitting: Sitting, studio: Studio, seed: int, folder: Path) -> list[Path]:
    """Writes a grid of what was liked, a walk from each to the next, and the taste; returns the files."""
    last(sitting)
    chunks = provenance(studio.network.path, seed)
    latents, labels = np.stack([k[0] for k in sitting.kept]), np.array([k[1] for k in sitting.kept], np.int32)
    files = [folder / "liked.png", folder / "walk.gif", folder / "taste.json"]
    save_png(files[0], grid(np.stack([k[2] for k in sitting.kept])), chunks)
    if len(latents) > 1:
        walk = latent.walk(latents, FRAMES)
        parts, labels = [slice(i, i + 64) for i in range(0, len(walk), 64)], np.repeat(labels, FRAMES)
        frames = [studio.pictures(walk[part], labels[part], sitting.ways) for part in parts]
        save_gif(files[1], np.concatenate(frames), chunks, milliseconds=80)
    files[2].write_text(sitting.taste.to_json(studio.network.name), encoding="utf-8")
    return [file for file in files if file.is_file()]
