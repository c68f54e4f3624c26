"""Perceptual-loss networks (Johnson, Alahi & Fei-Fei 2016, arXiv:1603.08155): a style learned, then in one pass."""

from collections.abc import Callable, Mapping

import keras
import numpy as np
import tensorflow as tf

from losses.clipping import clipped
from models import replicas
from models.average import averaged, follow
from models.base import Trainable, added, key, prepared, scale_loss_for, update
from models.perceptual import Perceptual
from models.preview import ROWS, shown
from models.transfer import transfer_styles

Tensor = tf.Tensor


def flattened(loss: Tensor, limit: float | None) -> Tensor:
    """Flattens a positive `loss` beyond `limit` to its logarithm, scaled to go on smoothly."""
    if limit is None:
        return loss
    beyond = limit * (1 + tf.math.log(tf.maximum(loss, limit) / limit))  # of 0, a slope that is a number
    return tf.where(loss < limit, loss, beyond)


class FastStyle(Trainable, keras.Model):
    """A network that learns to turn any picture into one that the objective of Gatys 2016 likes.

    With several styles, each picture of a batch takes one of them at random (Dumoulin et al. 2017,
    arXiv:1610.07629). What is random is a function of (seed, step), and all state is in variables: a run that goes
    on from a checkpoint cannot be told from one that never stopped.

    Args:
        network: builder, called with `styles`, their number; `models.networks.transform_net.transformer`.
        styles: pictures float32 `[height, width, 3]` in [-1, 1], by name.
        log_above: a style loss beyond which only its logarithm is minimised; None: there is none. An untrained
            network's is a hundred times its content loss: minimised as it is, it teaches the network to paint a
            texture that ignores the picture, and the network stays there.
        start: a network to go on from: one of other styles, or of smaller pictures, saves much of the time.
        ema_decay: of the running average of the network, which is what is exported, `models.average.follow`.
        seed: of the choice of styles.
    """

    method = "fast"
    monitor = "total_loss"

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
        self.ema = averaged(self.network)
        self.ema_decay = ema_decay
        self.log_above = log_above
        self.style_names = tuple(styles)
        self.styles = [tf.constant(style[None], tf.float32) for style in styles.values()]
        self.init_state(seed)

    def compile(self, optimizer: keras.Optimizer, objective: Perceptual, jit_compile: str | bool = "auto") -> None:
        """Sets the optimizer and what to minimise. The styles' Gram matrices are computed here, once."""
        super().compile(optimizer=None, jit_compile=jit_compile)
        self.objective = objective
        self.network_optimizer = prepared(optimizer, self.network.trainable_variables)
        grams = [objective.style(objective.encoder(style)) for style in self.styles]
        self.targets = {name: tf.concat([gram[name] for gram in grams], axis=0) for name in grams[0]}
        names = ["total_loss", "content_loss", "style_loss"]
        names += ["smoothness_loss"] if objective.smoothness else []
        self.track(names)

    @property
    def optimizers(self) -> dict[str, keras.Optimizer]:
        """Returns the optimizer by the name of the network that it trains."""
        return {"network": self.network_optimizer}

    @property
    def exports(self) -> dict[str, keras.Model]:
        """Returns the network that a user takes away, by file name."""
        return {"stylizer": self.ema}

    def paint(self, images: Tensor, styles: Tensor, training: bool = False) -> Tensor:
        """Paints images `[batch, height, width, 3]`, each in the style of that number, int `[batch]`.

        By the running average but in `training`.
        """
        network = self.network if training else self.ema
        if len(self.styles) == 1:
            return network(images, training=training)
        return network([images, tf.one_hot(styles, len(self.styles))], training=training)

    def train_step(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        """Updates the network once, on the contents `data["image"]`."""
        images = data["image"]
        batch, draw = images.shape[0] * replicas.count(), key(self.seed, 0, self.step, 0)
        styles = replicas.own(tf.random.stateless_uniform([batch], draw, 0, len(self.styles), tf.int32))
        targets = {name: tf.gather(grams, styles) for name, grams in self.targets.items()}
        objective = self.objective
        content = objective.content_of(images)
        with tf.GradientTape() as tape:
            painted = clipped(self.paint(images, styles, training=True))
            features = objective.encoder(painted, training=False)
            losses = {
                "content_loss": objective.content_loss(features, content),
                "style_loss": objective.style_loss(objective.style(features), targets),
            }
            if objective.smoothness:
                losses["smoothness_loss"] = objective.smoothness_loss(painted)
            loss = added(losses.values())
            minimised = loss - losses["style_loss"] + flattened(losses["style_loss"], self.log_above)
            scaled_loss = scale_loss_for(minimised, self.network_optimizer)
        update(self.network_optimizer, tape, scaled_loss, self.network.trainable_variables)
        follow(self.ema, self.network, self.step, self.ema_decay)
        return self.update_metrics({"total_loss": loss, **losses})

    def preview(self, examples: dict[str, np.ndarray], columns: int = 8) -> np.ndarray:
        """Paints a row of `columns` contents in each style; returns the contents, then these rows, 16 at most."""
        images = tf.constant(examples["image"][:columns])
        rows = [self.paint(images, tf.fill([len(images)], i)).numpy() for i in shown(len(self.styles), ROWS - 1)]
        return np.concatenate([images, *rows])
