"""Numbers that say how well pictures show what was asked for, by vectors of a text encoder.

Vectors are unit ones, float `[n, dimensions]`, of pictures and of what they were asked to show. The text encoder is
to be one that no generator was trained against: its own would praise what deceives it (Dinh et al. 2021,
arXiv:2112.01398).
"""

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from metrics.order import canonical

log = logging.getLogger(__name__)

SAME = 1 - 1e-4  # cosine from which two sentences say the same


def r_precision(pictures: np.ndarray, sentences: np.ndarray, candidates: int = 100) -> float:
    """Computes how often a picture's own sentence is the nearest to it, among so many candidates.

    AttnGAN, Xu et al. 2018, arXiv:1711.10485. The others are drawn from those of the other pictures, always the
    same; some that say the same as its own are no others. NaN where a picture has fewer: among fewer it is easier.
    Raises `ValueError` for fewer than two pictures.
    """
    if len(pictures) < 2:
        raise ValueError("A picture's sentence is told from others: two pictures at least.")
    ordered = sentences[canonical(sentences)]  # the same are drawn in whatever order the pictures come
    found = 0
    for picture, own in zip(pictures, sentences, strict=True):
        others = ordered[ordered @ own < SAME]
        if len(others) < candidates - 1:
            log.warning(
                "r_precision is left out: it is among %d sentences, and some of these %d pictures have %d others. "
                "Take more, num=, or fewer candidates, metrics.r_precision.function.candidates=.",
                candidates, len(pictures), len(others),
            )  # fmt: skip
            return float("nan")
        others = others[np.random.default_rng(0).permutation(len(others))[: candidates - 1]]
        found += bool((others @ picture < own @ picture).all())
    return found / len(pictures)


def attribute_accuracy(
    pictures: np.ndarray, choices: Mapping[str, Sequence[tuple[int, np.ndarray]]]
) -> list[float]:
    """Computes, of each attribute, how often what was asked for is nearer than what stands in its place otherwise.

    `choices` has of each attribute (style, colour, object, count) pairs of a picture's number and the vectors
    `[k, dimensions]` of its sentence, the first of them as it is, the others with another word in one place. Where
    one is as near, as of a word that the encoder does not know, it is not right. NaN for an attribute that no
    sentence speaks of.
    """
    shares = []
    for pairs in choices.values():
        near = [vectors @ pictures[number] for number, vectors in pairs]
        right = [all(own > other for other in others) for own, *others in near]  # not of what is as near as another
        shares.append(float(np.mean(right)) if right else float("nan"))
    return shares
