"""Training of a network for any style (Ghiasi et al. 2017, arXiv:1705.06830)."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from models.average import averaged
from models.base import added
from models.by_objective import ByObjective
from models.networks import any_style
from models.perceptual import Features
from models.trained import take_over
from models.transfer import transfer_styles

Tensor = tf.Tensor


class AnyStyle(ByObjective, keras.Model):
    """A network that learns to paint any picture in the manner of any other, as the objective of Gatys 2016 likes.

    All state is in variables: a run that goes on from a checkpoint cannot be told from one that never stopped.
    Nothing in a step is random.

    Args:
        network: builder; `models.networks.any_style.stylizer`.
        log_above, ema_decay: as `ByObjective` says.
        start: a network to go on from: of this kind, or of several styles that it has learned, whose part that
            paints and whose rows are taken over, these again and again until there are enough.
    """

    method = "any_style"

    def __init__(
        self,
        network: Callable[[], keras.Model],
        log_above: float | None = None,
        start: keras.Model | None = None,
        ema_decay: float = 0.999,
    ):
        super().__init__(name="any_style")
        self.network = network()
        self.reader, self.painter = any_style.parts(self.network)
        if start is not None:
            begin(start, self.network)
        self.average = any_style.assembled(*(averaged(part) for part in (self.reader, self.painter)))
        self.ema_decay = ema_decay
        self.log_above = log_above
        self.init_state()

    def train_step(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        """Updates the network once, on the pictures `data["content"]` in the styles of `data["style"]`.

        How far a style is counts relative to its own strength: the Gram matrices of a loud painting are a thousand
        times those of a quiet one, and would be all that is learned.
        """
        images, styles, objective = data["content"], data["style"], self.objective
        targets = objective.style(objective.encoder(styles, training=False))
        loudness = tf.sqrt(added(tf.reduce_mean(gram**2, [1, 2, 3], keepdims=True) for gram in targets.values()))
        targets = {name: gram / loudness for name, gram in targets.items()}

        def style_loss(grams: Features) -> Tensor:
            return objective.style_loss({name: gram / loudness for name, gram in grams.items()}, targets)

        return self.learn(
            lambda: self.network({"image": images, "style": styles}, training=True), images, style_loss
        )

    def preview(self, examples: dict[str, np.ndarray], columns: int = 8) -> np.ndarray:
        """Paints `columns` contents in as many styles; returns a row of each, and a row of what is painted."""
        content, style = (examples[name][:columns] for name in ("content", "style"))
        inputs = {"image": tf.constant(content), "style": tf.constant(style)}
        return np.concatenate([content, style, self.average(inputs, training=False).numpy()])


def begin(start: keras.Model, network: keras.Model) -> None:
    """Gives an `any_style.stylizer` the weights of another, or those of a `transform_net.transformer`.

    Raises `GessoError` if they do not fit.
    """
    if any(layer.name == "reader" for layer in start.layers):
        take_over(start, network)
    else:
        transfer_styles(start, any_style.parts(network)[1], repeated=True)
