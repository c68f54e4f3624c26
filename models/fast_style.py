"""Perceptual-loss networks (Johnson, Alahi & Fei-Fei 2016, arXiv:1603.08155): a style learned, then in one pass."""

from collections.abc import Callable, Mapping

import keras
import numpy as np
import tensorflow as tf

from models import replicas
from models.average import averaged
from models.base import key
from models.by_objective import ByObjective
from models.perceptual import Perceptual
from models.preview import ROWS, shown
from models.transfer import transfer_styles

Tensor = tf.Tensor


class FastStyle(ByObjective, keras.Model):
    """A network that learns to turn any picture into one that the objective of Gatys 2016 likes.

    With several styles, each picture of a batch takes one of them at random (Dumoulin et al. 2017,
    arXiv:1610.07629). What is random is a function of (seed, step), and all state is in variables: a run that goes
    on from a checkpoint cannot be told from one that never stopped.

    Args:
        network: builder, called with `styles`, their number; `models.networks.transform_net.transformer`.
        styles: pictures float32 `[height, width, 3]` in [-1, 1], by name.
        log_above, ema_decay: as `ByObjective` says.
        start: a network to go on from: one of other styles, or of smaller pictures, saves much of the time.
        seed: of the choice of styles.
    """

    method = "fast"

    def __init__(
        self,
        network: Callable[..., keras.Model],
        styles: Mapping[str, np.ndarray],
        log_above: float | None = None,
        start: keras.Model | None = None,
        ema_decay: float = 0.999,
        seed: int = 0,
    ):
        super().__init__(name="fast_style")
        self.network = network(styles=len(styles))
        if start is not None:
            transfer_styles(start, self.network)
        self.average = averaged(self.network)
        self.ema_decay = ema_decay
        self.log_above = log_above
        self.style_names = tuple(styles)
        self.styles = [tf.constant(style[None], tf.float32) for style in styles.values()]
        self.init_state(seed)

    def compile(self, optimizer: keras.Optimizer, objective: Perceptual, jit_compile: str | bool = "auto") -> None:
        """Sets the optimizer and what to minimise. The styles' Gram matrices are computed here, once."""
        super().compile(optimizer, objective, jit_compile)
        grams = [objective.style(objective.encoder(style)) for style in self.styles]
        self.targets = {name: tf.concat([gram[name] for gram in grams], axis=0) for name in grams[0]}

    def paint(self, images: Tensor, styles: Tensor, training: bool = False) -> Tensor:
        """Paints images `[batch, height, width, 3]`, each in the style of that number, int `[batch]`.

        By the running average but in `training`.
        """
        network = self.network if training else self.average
        if len(self.styles) == 1:
            return network(images, training=training)
        return network([images, tf.one_hot(styles, len(self.styles))], training=training)

    def train_step(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        """Updates the network once, on the contents `data["image"]`."""
        images = data["image"]
        batch, draw = images.shape[0] * replicas.count(), key(self.seed, 0, self.step, 0)
        styles = replicas.own(tf.random.stateless_uniform([batch], draw, 0, len(self.styles), tf.int32))
        targets = {name: tf.gather(grams, styles) for name, grams in self.targets.items()}
        return self.learn(
            lambda: self.paint(images, styles, training=True),
            images,
            lambda grams: self.objective.style_loss(grams, targets),
        )

    def preview(self, examples: dict[str, np.ndarray], columns: int = 8) -> np.ndarray:
        """Paints a row of `columns` contents in each style; returns the contents, then these rows, 16 at most."""
        images = tf.constant(examples["image"][:columns])
        rows = [self.paint(images, tf.fill([len(images)], i)).numpy() for i in shown(len(self.styles), ROWS - 1)]
        return np.concatenate([images, *rows])
