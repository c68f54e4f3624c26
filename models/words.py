"""Words as a condition: a frozen text encoder, and the sentences of a data set as vectors."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from core.errors import GessoError
from core.network_file import find_network
from core.vocabulary import Vocabulary, words_of

Tensor = tf.Tensor

STEERING = 0.5  # beyond a sentence, of the way to it from what is unwanted
SHOWN, LOOKED_AT = 8, 200  # sentences of which samples are made, and captions that they are chosen from
BATCH = 512


class Words:
    """A text encoder (`models.networks.text.joined`), the words that it knows, and the sentences of a data set.

    Each sentence is looked up as a whole: its words are split, and its vector computed, once and not in every step,
    and no string enters a step, which may be compiled. `shown` are some sentences that have few words in common.
    """

    def __init__(self, network: keras.Model, vocabulary: Vocabulary, captions: Sequence[Sequence[str]] = ()):
        self.network = network
        self.vocabulary = vocabulary
        self._sentences = list(dict.fromkeys(sentence for of_one in captions for sentence in of_one))
        self.shown = _apart(list(dict.fromkeys(of_one[0] for of_one in captions[:LOOKED_AT])))

    @classmethod
    def load(cls, path: str | Path, captions: Sequence[Sequence[str]] = ()) -> "Words":
        """Loads a text encoder, a run of it or its file. Raises `GessoError` where it knows none of the words."""
        from models import trained

        network, metadata = trained.load(find_network(path, "model.words", ["text_encoder"]), "text_encoder")
        network.trainable = False
        words = cls(network, metadata.vocabulary, captions)
        known = set(words.vocabulary.words)
        if captions and not any(known.intersection(words_of(sentence)) for sentence in words._sentences):
            raise GessoError(f"{path} knows none of the words that are said of these pictures. Train one on them.")
        return words

    @property
    def dimensions(self) -> int:
        """Returns the length of a sentence's vector."""
        return self.network.get_layer("sentences").output_shape[-1]

    def vectors(self, texts: Iterable[str]) -> np.ndarray:
        """Reads texts: unit vectors, float32 `[num, dimensions]`."""
        tokens, reader = self.vocabulary.tokens(texts), self.network.get_layer("sentences")
        parts = [reader(tokens[i : i + BATCH], training=False) for i in range(0, len(tokens), BATCH)]
        return np.concatenate([np.asarray(part, np.float32) for part in parts])

    def look(self, images: np.ndarray) -> np.ndarray:
        """Looks at pictures, float32 `[batch, height, width, channels]`: unit vectors `[batch, dimensions]`."""
        return np.asarray(self.look_at(images), np.float32)

    def look_at(self, images: Tensor) -> Tensor:
        """Does as `look` in a step; gradients pass through. At the size that the network has learned from."""
        network = self.network.get_layer("pictures")
        size = network.input_shape[1:3]
        if images.shape[1:3] != size:
            images = tf.image.resize(images, size, "bicubic", antialias=True)
        return network(images, training=False)

    def lookup(self, vectors: bool = True) -> Callable[[Tensor], Tensor]:
        """Makes a function that looks up sentences of the data set, strings `[batch]`.

        They become unit vectors, float32 `[batch, dimensions]`, or else numbers of words, int32 `[batch, length]`.
        """
        numbers = tf.range(len(self._sentences), dtype=tf.int64)
        entries = tf.lookup.KeyValueTensorInitializer(tf.constant(self._sentences), numbers)
        table = tf.lookup.StaticHashTable(entries, -1)
        rows = tf.constant((self.vectors if vectors else self.vocabulary.tokens)(self._sentences))
        return lambda texts: tf.gather(rows, table[texts])

    def spoken_to(self, generator: keras.Model) -> keras.Model:
        """Joins sentences to a generator: latent and tokens int32 `[batch, length]` -> what it makes of both."""
        latent = keras.Input(generator.inputs[0].shape[1:], name="latent")
        tokens = keras.Input((self.vocabulary.length,), dtype="int32", name="tokens")
        vector = self.network.get_layer("sentences")(tokens)
        return keras.Model([latent, tokens], generator([latent, vector]), name="generator")


def steered(vectors: np.ndarray, away: np.ndarray) -> np.ndarray:
    """Moves sentences away from what is unwanted, along the line between the two, as guidance does.

    Both are unit vectors, float32 `[num, dimensions]`, and so is what is returned, one for each of `vectors`.
    """
    moved = vectors + STEERING * (len(away) * vectors - np.sum(away, axis=0))
    return moved / np.linalg.norm(moved, axis=1, keepdims=True) if len(away) else vectors


def _apart(sentences: list[str]) -> tuple[str, ...]:
    """Chooses the first, and then always the one that shares least of its words with any chosen so far."""
    words = [set(words_of(sentence)) for sentence in sentences]
    chosen, common = [], np.zeros(len(words))
    for _ in sentences[:SHOWN]:
        number = min((i for i in range(len(words)) if i not in chosen), key=lambda i: common[i])
        chosen.append(number)
        common = np.maximum(common, [len(own & words[number]) / max(len(own | words[number]), 1) for own in words])
    return tuple(sentences[i] for i in chosen)
