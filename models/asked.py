"""What a generator is asked for: labels or sentences, in words, and as it takes them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.class_names import wholes
from core.errors import GessoError
from core.network_metadata import Metadata
from models.labels import draw_labels, find_labels, shown_labels

Texts = str | Sequence[str]
NUM = 64  # pictures, unless it is said


def asked(
    metadata: Metadata,
    path: Path,
    text: Texts | None = None,
    label: str | int | None = None,
    num: int = NUM,
    seed: int = 0,
    walk: bool = False,
) -> tuple[list[str], np.ndarray]:
    """What is asked for, in words, and as the generator takes it: int32 `[k]`, or `[k, words]` of sentences.

    No words, and a zero, for a generator that makes pictures from noise alone. Of a class with parts, and of very
    many classes, `num` are drawn by `seed`; on a `walk` between latents there is one part alone. Raises
    `GessoError`, which names the generator's `path`, for words that it does not know.
    """
    if metadata.words:
        key, texts = ("label", label) if text is None and label is not None else ("text", text)
        if texts is None:  # its own, which it may not know all words of
            return list(metadata.sentences), metadata.vocabulary.tokens(metadata.sentences)
        return tokens_of(texts, metadata, key)
    if text is not None:
        kinds = wholes(metadata.classes)
        known = [name for name in kinds if texts_of(name)[0] in texts_of(text)]
        instead = f"label={(known or kinds)[0]}" if kinds else "no label either"
        raise GessoError(
            f"text={text}: {path} understands no words ({instead}). The zoo's network=words does, and what "
            "model.condition=text has trained."
        )
    names = list(metadata.classes)
    if label is not None:
        numbers = find_labels(label, names, path)
        if walk:  # of parts, the one it has seen most of
            numbers = numbers[:1]
        elif len(numbers) > 1:
            numbers = draw_labels(metadata, num, seed, numbers)
    else:
        numbers = shown_labels(metadata, num, seed)
    return [names[i] for i in numbers], np.array(numbers if names else [0], np.int32)


def unwanted(metadata: Metadata, path: Path, negative: Texts | None = None) -> np.ndarray:
    """What is to be avoided, int32 `[k, words]`, k often 0. Raises `GessoError` for words that it does not know."""
    if negative is None:
        return np.zeros((0, metadata.sentence_length or 0), np.int32)
    if not metadata.words:
        raise GessoError(f"negative={negative}: {path} understands no words.")
    return tokens_of(negative, metadata, "negative")[1]


def tokens_of(texts: Texts, metadata: Metadata, key: str) -> tuple[list[str], np.ndarray]:
    """One or several texts as a list, and as numbers, int32 `[k, words]`.

    Raises `GessoError` for unknown words, naming the configuration's `key`, and where there is no text.
    """
    texts = texts_of(texts)
    for text in texts or [""]:
        metadata.vocabulary.check(text, f"{key}=")
    return texts, metadata.vocabulary.tokens(texts)


def texts_of(texts: Texts) -> list[str]:
    """One or several texts as a list; the underscores of labels are spaces."""
    several = isinstance(texts, Sequence) and not isinstance(texts, str)
    return [str(text).replace("_", " ") for text in (texts if several else [texts])]


def in_turn(conditions: np.ndarray, num: int) -> np.ndarray:
    """`num` labels or sentences, those of `conditions` `[k, ...]` in turn."""
    return conditions[np.arange(num) % len(conditions)]
