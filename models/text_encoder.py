"""Training of a text encoder: which sentence belongs to which picture (CLIP, Radford et al., arXiv:2103.00020)."""

import math
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from core.vocabulary import FIRST, NONE, Vocabulary
from losses.contrastive import info_nce
from models.average import averaged, follow
from models.base import Trainable, key, prepared, scale_loss_for, update
from models.networks import text
from models.words import Words

Tensor = tf.Tensor

SHARPEST = 100.0  # of the factor of cosines, as in the paper


class TextEncoder(Trainable, keras.Model):
    """Two networks, of sentences and of pictures, whose vectors are to be near where they belong together.

    Each picture's sentence is to be told from those of the others, and from itself with another word in one place:
    so that every word counts, where one would do to tell the pictures of a batch apart (as Yuksekgonul et al. 2022,
    arXiv:2210.01936, found CLIP to read). All state is in variables, and which words are replaced is a function of
    (seed, step, replica): a run that goes on from a checkpoint cannot be told from one that never stopped.

    Args:
        image_shape: of the pictures, whose sides are a power of 2.
        captions: of each picture what is said of it; the vocabulary is made of these, and kept with the network.
        dimensions: of the vectors.
        width: channels of the network of pictures at half their size.
        ema_decay: of the running average, which is what is exported, `models.average.follow`.
    """

    monitor = "contrastive_loss"

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        captions: Sequence[Sequence[str]],
        dimensions: int = 128,
        width: int = 16,
        ema_decay: float = 0.99,
        seed: int = 0,
    ):
        super().__init__(name="text_encoder")
        self.vocabulary = Vocabulary.of(sentence for of_one in captions for sentence in of_one)
        reader = text.sentences(self.vocabulary.size, self.vocabulary.length, dimensions)
        self.network = text.joined(reader, text.pictures(image_shape, dimensions, width))
        self.average = averaged(self.network)
        self.ema_decay = ema_decay
        self.log_scale = self.add_weight((), keras.initializers.Constant(math.log(1 / 0.07)), name="log_scale")
        self.words = Words(self.average, self.vocabulary, captions)
        self.init_state(seed)

    def compile(self, optimizer: keras.Optimizer, jit_compile: str | bool = "auto") -> None:
        """Sets the optimizer."""
        super().compile(optimizer=None, jit_compile=jit_compile)
        self.trained = [*self.network.trainable_variables, self.log_scale]
        self.network_optimizer = prepared(optimizer, self.trained, self.step)
        self.track(("contrastive_loss", "matched_accuracy"))

    @property
    def optimizers(self) -> dict[str, keras.Optimizer]:
        """Returns the optimizer by the name of the network that it trains."""
        return {"network": self.network_optimizer}

    @property
    def exports(self) -> dict[str, keras.Model]:
        """Returns the network that a user takes away, by file name."""
        return {"text_encoder": self.average}

    @property
    def prepare(self) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
        """Returns what is to be done with a batch before a step: sentences are written in numbers of words."""
        tokens = self.words.lookup(vectors=False)
        return lambda batch: {"image": batch["image"], "tokens": tokens(batch["text"])}

    def train_step(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        """Updates both networks once, on pictures `data["image"]` and sentences `data["tokens"]`."""
        misread, reader = self._misread(data["tokens"]), self.network.get_layer("sentences")
        with tf.GradientTape() as tape:
            vectors = self.network([data["tokens"], data["image"]], training=True)
            said = ops.concatenate([vectors["sentence"], reader(misread, training=True)])
            scale = ops.exp(self.log_scale)
            loss = info_nce(vectors["picture"], said, scale)
            loss += info_nce(vectors["sentence"], vectors["picture"], scale, meanings=vectors["sentence"])
            loss /= 2  # both ways, as in the paper's figure 3
            objective = scale_loss_for(loss, self.network_optimizer)
        update(self.network_optimizer, tape, objective, self.trained)
        self.log_scale.assign(ops.minimum(self.log_scale, math.log(SHARPEST)))
        follow(self.average, self.network, self.step, self.ema_decay)
        cosines = ops.matmul(vectors["picture"], ops.transpose(vectors["sentence"]))
        own, best = ops.diagonal(cosines), ops.max(cosines, axis=1)
        matched = ops.mean(ops.cast(own >= best - 1e-6, "float32"))
        return self.update_metrics({"contrastive_loss": loss, "matched_accuracy": matched})

    def _misread(self, tokens: Tensor) -> Tensor:
        """Replaces one word of each sentence, int32 `[batch, length]`, by another of the vocabulary."""
        where, what = tf.unstack(tf.random.split(key(self.seed, 0, self.step)))
        shape = tf.shape(tokens)
        chances = tf.random.stateless_uniform(shape, where) * tf.cast(tokens != NONE, tf.float32)
        place = tf.one_hot(tf.argmax(chances, axis=1), shape[1], dtype=tf.int32)
        words = tf.random.stateless_uniform([shape[0], 1], what, FIRST, self.vocabulary.size, tf.int32)
        return tokens * (1 - place) + words * place

    def preview(self, examples: dict[str, np.ndarray], columns: int = 8) -> np.ndarray:
        """Shows what pictures sentences call up: a row of the nearest `columns` for each of `self.words.shown`."""
        images = examples["image"]
        pictures = self.average.get_layer("pictures")(images, training=False).numpy()
        nearest = np.argsort(-self.words.vectors(self.words.shown) @ pictures.T, axis=1)[:, :columns]
        return images[nearest.ravel()]
