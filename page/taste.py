"""A person's taste, learned from what they click: a preference model over latents.

Of what was shown in a round, each picture that was liked was preferred to each that was not. By Bradley & Terry
(1952, "Rank Analysis of Incomplete Block Designs", Biometrika 39), a picture with features `x` is preferred to one
with `y` with probability `sigmoid(w·x - w·y)`: logistic regression on differences. The weights have a normal prior,
and Laplace's approximation of what is known of them after the clicks.

Why not a Gaussian process: between latents of a hundred numbers all distances are nearly the same, so that its
usual kernels know little of what was not clicked, while a direction in the latent space is a thing that generators
have (see `models.directions`), takes a few dozen clicks to find, and milliseconds.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import GessoError
from models import latent

SHOWN = 12  # pictures at a time
SPREAD = 3.0  # deviation of the utilities that the prior expects, in units of the noise of a choice
CANDIDATES = 200  # latents that each proposal is the best of
NEAR, FAR = 0.35, 1.2  # radians that walks around liked latents go
ROUNDS = 500  # that a file may hold
KEY = "gesso_taste"


@dataclass(frozen=True)
class Round:
    """What was shown, latents `[n, latent_dim]` and labels `[n]`, and the numbers of those that were liked."""

    latents: np.ndarray
    labels: np.ndarray
    liked: tuple[int, ...]


class Taste:
    """What is known of a taste in the pictures of one generator, of so many latent numbers and classes.

    Where there are no classes, labels are of what is not learned about: sentences.
    """

    def __init__(self, latent_dim: int, classes: int = 0, rounds: Sequence[Round] = ()):
        self.latent_dim, self.classes = latent_dim, classes
        self.rounds = list(rounds)

    def learn(self, latents: np.ndarray, labels: np.ndarray, liked: Sequence[int]) -> None:
        """Takes note of a round: latents `[n, latent_dim]`, labels `[n]`, the numbers of those that were liked."""
        self.rounds.append(Round(latents.copy(), labels.copy(), tuple(sorted(map(int, liked)))))

    def features(self, latents: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Returns what utilities are linear in, `[n, latent_dim + classes]`: latents and classes count as much."""
        ways = np.eye(self.classes)[labels] if self.classes else np.zeros((len(latents), 0))
        return np.concatenate([latents / np.sqrt(self.latent_dim), ways], axis=1)

    def weights(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the likeliest weights `[f]`, and the Cholesky factor `[f, f]` of their precision."""
        pairs = [np.zeros((0, self.latent_dim + self.classes))]
        for shown in self.rounds:
            x, liked = self.features(shown.latents, shown.labels), list(shown.liked)
            others = np.delete(x, liked, axis=0)
            pairs.append((x[liked][:, None] - others[None]).reshape(-1, x.shape[1]))
        differences = np.concatenate(pairs)
        prior = np.eye(differences.shape[1]) / SPREAD**2
        weights = np.zeros(differences.shape[1])
        for _ in range(30):  # Newton's method: the objective is convex
            wrong = 1 / (1 + np.exp(differences @ weights))
            precision = prior + differences.T @ (differences * (wrong * (1 - wrong))[:, None])
            step = np.linalg.solve(precision, differences.T @ wrong - prior @ weights)
            weights += step
            if np.abs(step).max() < 1e-6:
                break
        return weights, np.linalg.cholesky(precision)

    def propose(
        self,
        num: int,
        near: np.ndarray,
        labels: np.ndarray,
        rng: np.random.Generator,
        among: np.ndarray | None = None,
        truncation: float | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Proposes latents float32 `[num, latent_dim]` and labels `[num]` that may be liked.

        Each is the best of many by weights that are drawn anew from what is known of them (Thompson 1933): what is
        not known is tried out. The many are walks around liked latents, `near` `[m, latent_dim]` with `labels`, and
        fresh ones, with `truncation` as `latent.sample` has it; `among` these classes alone, if they are given. Of
        sentences, the fresh ones have those of what was liked.
        """
        weights, factor = self.weights()
        latents, classes = [], []
        for _ in range(num):
            fresh = latent.normal(rng, (CANDIDATES, self.latent_dim), truncation)
            ways = rng.integers(0, max(1, self.classes), CANDIDATES)
            if not self.classes and len(labels):
                ways = rng.choice(labels, CANDIDATES)
            if len(near):
                around = rng.integers(0, len(near), CANDIDATES // 2)
                angle = rng.uniform(NEAR, FAR, (len(around), 1))
                walks = np.cos(angle) * near[around] + np.sin(angle) * fresh[: len(around)]
                fresh[: len(around)], ways[: len(around)] = walks, labels[around]
            if among is not None:
                ways = np.where(np.isin(ways, among), ways, rng.choice(among, CANDIDATES))
            drawn = weights + np.linalg.solve(factor.T, rng.standard_normal(len(weights)))
            best = np.argmax(self.features(fresh, ways) @ drawn)
            latents.append(fresh[best])
            classes.append(ways[best])
        return np.asarray(latents, np.float32), np.asarray(classes, np.int32)

    def to_json(self, network: str) -> str:
        """Returns the text that `from_json` reads: all that was shown and liked."""
        rounds = [
            {"latents": shown.latents.astype(float).round(4).tolist(), "labels": shown.labels.tolist(),
             "liked": shown.liked}
            for shown in self.rounds
        ]  # fmt: skip
        own = {KEY: 1, "network": network, "latent_dim": self.latent_dim, "classes": self.classes}
        return json.dumps(own | {"rounds": rounds}) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, latent_dim: int, classes: int) -> "Taste":
        """Reads a taste in pictures of a generator of these numbers. Raises `GessoError` for all else."""
        try:
            found = json.loads(text)
            if found[KEY] != 1 or not isinstance(found["rounds"], list):
                raise ValueError
        except (ValueError, TypeError, LookupError, RecursionError):
            raise GessoError("This file is no taste that was saved from this page.") from None
        if (found.get("latent_dim"), found.get("classes")) != (latent_dim, classes):
            raise GessoError(f"This is a taste in pictures of another network, {str(found.get('network'))[:80]}.")
        try:
            rounds = [_round(entry, latent_dim, classes) for entry in found["rounds"][-ROUNDS:]]
        except (ValueError, TypeError, LookupError, OverflowError):
            raise GessoError("This file is damaged: its rounds are not what this page saves.") from None
        return cls(latent_dim, classes, rounds)


def _round(entry: Any, latent_dim: int, classes: int) -> Round:
    latents, labels = np.array(entry["latents"], np.float32), np.array(entry["labels"], np.int32)
    liked = tuple(int(number) for number in entry["liked"])
    right = (
        latents.ndim == 2
        and len(latents) <= SHOWN
        and latents.shape == (len(labels), latent_dim)
        and np.abs(latents).max() < 100
    )
    if not right or len(set(liked)) < len(liked) or not all(0 <= number < len(labels) for number in liked):
        raise ValueError
    if classes and not all(0 <= label < classes for label in labels):
        raise ValueError
    return Round(latents, labels, liked)
