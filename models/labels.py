"""Labels that a generator is asked for: by name, as often as it has seen them, or all in turn."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.class_names import whole, wholes
from core.errors import GessoError, did_you_mean
from core.network_metadata import Metadata

MANY = 32  # classes: of more, those that are shown are drawn


def find_labels(label: str | int, names: Sequence[str], path: Path) -> np.ndarray:
    """Finds the class that `label`, a name or a number, stands for, or all parts of it: their numbers, int32 `[k]`.

    `cubism/03` is one part of `cubism`, the rest of whose name may be left out. Raises `GessoError`.
    """
    if not len(names):
        raise GessoError(f"label={label}: {path} makes pictures from noise alone, without labels.")
    wanted = _plain(str(label))
    for own in ([_plain(name) for name in names], [_plain(_short(name)) for name in names],
                [_plain(whole(name)) for name in names]):  # fmt: skip
        if wanted in own:
            return np.flatnonzero([name == wanted for name in own]).astype(np.int32)
    if wanted.isdecimal() and int(wanted) < len(names):
        return np.array([int(wanted)], np.int32)
    raise GessoError(f"label={label}: {did_you_mean(str(label), wholes(names))}")


def draw_labels(
    metadata: Metadata, num: int, seed: int | list[int], among: Sequence[int] | None = None
) -> np.ndarray:
    """Draws `num` classes of a generator at random, each as often as it has seen it in training: int32 `[num]`.

    Where given, only `among` these numbers.
    """
    shares = np.array(metadata.shares or [1] * len(metadata.classes))
    if among is None:
        return np.random.default_rng(seed).choice(len(shares), num, p=shares / shares.sum()).astype(np.int32)
    own = shares[among] if shares[among].any() else np.ones(len(among))
    return np.random.default_rng(seed).choice(among, num, p=own / own.sum()).astype(np.int32)


def kinds_shown(metadata: Metadata) -> int:
    """Returns how many classes, or what they are parts of, are shown in turn if none is asked for; 1: none are."""
    found = len(wholes(metadata.classes))
    return found if found <= MANY else 1


def shown_labels(metadata: Metadata, num: int, seed: int) -> np.ndarray:
    """Chooses the classes that are shown in turn if none is asked for.

    All; of parts, `num` in turn of what they are parts of; of over `MANY`, `num` drawn: int32 `[k]`.
    """
    kinds = wholes(metadata.classes)
    if len(kinds) > MANY:
        return draw_labels(metadata, num, seed)
    if len(kinds) == len(metadata.classes):
        return np.arange(len(kinds), dtype=np.int32)
    return draw_parts(metadata, np.arange(num) % len(kinds), seed)


def draw_parts(metadata: Metadata, labels: np.ndarray, seed: int) -> np.ndarray:
    """Draws for each of `labels` `[n]`, numbers of what the classes are parts of, one of its parts: int32 `[n]`."""
    kinds, found = np.array([whole(name) for name in metadata.classes]), np.empty(len(labels), np.int32)
    for i, kind in enumerate(wholes(metadata.classes)):
        mine = np.flatnonzero(labels == i)
        found[mine] = draw_labels(metadata, len(mine), [seed, i], np.flatnonzero(kinds == kind))
    return found


def same_classes(classes: Sequence[str], names: Sequence[str]) -> bool:
    """Says whether a data set's classes `names` can be asked of a generator: its own, or what they are parts of."""
    return tuple(names) in (tuple(classes), wholes(classes))


def as_asked(
    metadata: Metadata, num: int, seed: int, names: Sequence[str] = (), labels: np.ndarray | None = None
) -> np.ndarray:
    """Returns a generator's labels int32 `[num]` for `labels` `[num]`, numbers of a data set's classes `names`.

    Parts of them, if it knows these; where it knows others, or for None, each of its own as often as it has seen.
    """
    if labels is None or not same_classes(metadata.classes, names):
        return draw_labels(metadata, num, seed)
    return labels if tuple(names) == tuple(metadata.classes) else draw_parts(metadata, labels, seed)


def _plain(name: str) -> str:
    return name.casefold().replace(" ", "_")


def _short(name: str) -> str:
    """Leaves out what tells the clusters of other pictures apart: `cubism/03` of `cubism/03-1a2b3c`."""
    return name if whole(name) == name else name.rsplit("-", 1)[0]
