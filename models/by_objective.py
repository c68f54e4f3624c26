"""What trainings of a network by the objective of Gatys 2016 share (Johnson et al. 2016, arXiv:1603.08155)."""

from collections.abc import Callable

import keras
import tensorflow as tf

from losses.clipping import clipped
from models.average import follow
from models.base import Trainable, added, prepared, scale_loss_for, update
from models.perceptual import Features, Perceptual

Tensor = tf.Tensor


class ByObjective(Trainable):
    """A network that learns to paint pictures that the objective likes, and its running average.

    A system of this kind has `network`, which learns; `average`, which follows it and is exported; `ema_decay`, of
    `models.average.follow`; and `log_above`: a style loss beyond which only its logarithm is minimised; None: there
    is none. An untrained network's is a hundred times its content loss: minimised as it is, it teaches the network
    to paint a texture that ignores the picture, and the network stays there.
    """

    monitor = "total_loss"
    network: keras.Model
    average: keras.Model
    ema_decay: float
    log_above: float | None

    def compile(self, optimizer: keras.Optimizer, objective: Perceptual, jit_compile: str | bool = "auto") -> None:
        """Sets the optimizer and what to minimise."""
        super().compile(optimizer=None, jit_compile=jit_compile)
        self.objective = objective
        self.network_optimizer = prepared(optimizer, self.network.trainable_variables, self.step)
        names = ["total_loss", "content_loss", "style_loss"]
        self.track(names + ["smoothness_loss"] * bool(objective.smoothness))

    @property
    def optimizers(self) -> dict[str, keras.Optimizer]:
        """Returns the optimizer by the name of the network that it trains."""
        return {"network": self.network_optimizer}

    @property
    def exports(self) -> dict[str, keras.Model]:
        """Returns the network that a user takes away, by file name."""
        return {"stylizer": self.average}

    def learn(
        self, paint: Callable[[], Tensor], images: Tensor, style_loss: Callable[[Features], Tensor]
    ) -> dict[str, Tensor]:
        """Updates the network once; returns the means so far.

        `paint` gives what it makes of `images` in training, `style_loss` how far Gram matrices are from those that
        are wanted.
        """
        objective = self.objective
        content = objective.content_of(images)
        with tf.GradientTape() as tape:
            painted = clipped(paint())
            features = objective.encoder(painted, training=False)
            losses = {
                "content_loss": objective.content_loss(features, content),
                "style_loss": style_loss(objective.style(features)),
            }
            if objective.smoothness:
                losses["smoothness_loss"] = objective.smoothness_loss(painted)
            loss = added(losses.values())
            minimised = loss - losses["style_loss"] + flattened(losses["style_loss"], self.log_above)
            scaled_loss = scale_loss_for(minimised, self.network_optimizer)
        update(self.network_optimizer, tape, scaled_loss, self.network.trainable_variables)
        follow(self.average, self.network, self.step, self.ema_decay)
        return self.update_metrics({"total_loss": loss, **losses})


def flattened(loss: Tensor, limit: float | None) -> Tensor:
    """Flattens a positive `loss` beyond `limit` to its logarithm, scaled to go on smoothly."""
    if limit is None:
        return loss
    beyond = limit * (1 + tf.math.log(tf.maximum(loss, limit) / limit))  # of 0, a slope that is a number
    return tf.where(loss < limit, loss, beyond)
