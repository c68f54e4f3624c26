"""The words that a network knows: texts to numbers of words, and in words what it does not know."""

import difflib
import logging
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from core.errors import GessoError

log = logging.getLogger(__name__)

NONE, UNKNOWN, FIRST = 0, 1, 2  # numbers: of no word, of one that is not known, of the first that is
MOST, LONGEST = 10_000, 64  # words that a network may know, and words of a sentence


def words_of(text: str) -> list[str]:
    """Splits a text in words: lower case, in one way of Unicode's (NFKC), punctuation and signs left out."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())
    kept = (c if c.isalnum() or unicodedata.category(c).startswith("M") else " " for c in text)
    return "".join(kept).split()


class Vocabulary:
    """Known `words`, and the most words of a sentence, `length`. Raises `ValueError` for what is none."""

    def __init__(self, words: Sequence[str], length: int):
        if not 1 <= length <= LONGEST or not 1 <= len(words) <= MOST:
            raise ValueError(f"a vocabulary has {len(words)} words, in sentences of {length}")
        self.words = tuple(words)
        self.length = length
        self._numbers = {word: FIRST + i for i, word in enumerate(self.words)}

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Vocabulary":
        """Gathers the words of texts, the most frequent first; tells what is too long, or too much.

        Raises `GessoError` where there are no words.
        """
        counts, lengths = Counter(), []
        for text in texts:
            found = words_of(text)
            counts.update(found[:LONGEST])
            lengths.append(len(found))
        if not counts:
            raise GessoError("There is no word in what is said of these pictures.")
        if long := sum(length > LONGEST for length in lengths):
            log.warning("%d of %d texts have more than %d words: no more are read.", long, len(lengths), LONGEST)
        if len(counts) > MOST:
            log.warning("There are %d different words: the %d most frequent are learned.", len(counts), MOST)
        known = sorted(counts, key=lambda word: (-counts[word], word))[:MOST]
        return cls(known, min(max(lengths), LONGEST))

    @property
    def size(self) -> int:
        """Counts the numbers that there are: `tokens` are less than it."""
        return FIRST + len(self.words)

    def tokens(self, texts: Iterable[str]) -> np.ndarray:
        """Writes texts in numbers of words: int32 `[num, length]`, with `NONE` after the last word.

        Words beyond `length` are left out, as training does; what a user says is to pass `check` first.
        """
        rows = [[self._numbers.get(word, UNKNOWN) for word in words_of(text)[: self.length]] for text in texts]
        return np.array([row + [NONE] * (self.length - len(row)) for row in rows], np.int32).reshape(
            -1, self.length
        )

    def check(self, text: str, said: str = "text=", hint: str = " text=help lists what it understands.") -> None:
        """Raises `GessoError` for a text with words that are not known, by name, with none, or with too many.

        `said` is what the message calls the text, `hint` where it sends who looks for words.
        """
        found = words_of(text)
        if not found:
            raise GessoError(f"{said} has no words in it, and this network wants some.{hint}")
        if len(found) > self.length:
            raise GessoError(f"{said} has {len(found)} words, and this network has learned to read {self.length}.")
        unknown = [word for word in dict.fromkeys(found) if word not in self._numbers]
        if unknown:
            names = "; ".join(f"'{word[:40]}'{self._nearest(word)}" for word in unknown[:5])
            raise GessoError(f"Not in this network's vocabulary: {names}.{hint}")

    def _nearest(self, word: str) -> str:
        near = difflib.get_close_matches(word[:40], self.words, 1, 0.1)
        return f" (nearest: '{near[0]}')" if near else ""
