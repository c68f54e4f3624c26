"""Penalties that keep a discriminator smooth, as pure functions of it and of pictures.

Each is `penalty(critic, reals, fakes, seed)`, a scalar to add to the discriminator's loss. `critic(images)` returns
logits `[batch, ...]`; where a picture has several, its score is their mean, as in the losses. `reals` and `fakes`
are float `[batch, height, width, channels]`; `seed` is int `[2]`, for stateless noise, and unused by some.

All but `drift` are made of the gradient of scores with respect to pixels, over all of height, width and channels,
in float32 (in float64 where pictures are), and can be differentiated again with respect to the critic's weights. A
critic with batch normalisation mixes its pictures; what is penalised is then the gradient of the sum of scores.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from keras import ops

Tensor = tf.Tensor
Critic = Callable[[Tensor], Tensor]


def gradient_penalty(critic: Critic, reals: Tensor, fakes: Tensor, seed: Tensor, one_sided: bool = False) -> Tensor:
    """Averages `(|grad D| - 1)^2` at random points on the lines between real and generated pictures.

    WGAN-GP, Gulrajani et al. 2017 (arXiv:1704.00028, equation 3); one point on the line of every pair.
    With `one_sided`, `max(0, |grad D| - 1)^2`: slopes below one are free (section 4 there).
    """
    return _distance_to_one(critic, _between(reals, fakes, seed), one_sided)


def r1(critic: Critic, reals: Tensor, fakes: Tensor, seed: Tensor) -> Tensor:
    """Takes half the mean of `|grad D|^2` at real pictures (Mescheder et al. 2018, arXiv:1801.04406, equation 9).

    The half is part of it, so that a `weight` is the gamma of the papers, whose penalty is `gamma / 2 E|grad D|^2`.
    """
    return tf.reduce_mean(_squared_norms(critic, reals)) / 2


def r2(critic: Critic, reals: Tensor, fakes: Tensor, seed: Tensor) -> Tensor:
    """Takes half the mean of `|grad D|^2` at generated pictures (Mescheder et al. 2018, equation 10)."""
    return tf.reduce_mean(_squared_norms(critic, fakes)) / 2


def dragan(critic: Critic, reals: Tensor, fakes: Tensor, seed: Tensor) -> Tensor:
    """Averages `(|grad D| - 1)^2` around real pictures (DRAGAN, Kodali et al. 2017, arXiv:1705.07215).

    As in the authors' code: each pixel is raised by uniform noise in [0, 0.5), in units of the standard deviation
    of all the batch's pixels, and the point is taken at random on the line from the picture to its noisy copy.
    """
    on_line, in_noise = tf.unstack(tf.random.split(seed, 2))
    reals = _wide(reals)
    noise = tf.random.stateless_uniform(tf.shape(reals), in_noise, dtype=reals.dtype)
    noisy = reals + 0.5 * tf.math.reduce_std(reals) * noise
    return _distance_to_one(critic, _between(reals, noisy, on_line), one_sided=False)


def drift(critic: Critic, reals: Tensor, fakes: Tensor, seed: Tensor) -> Tensor:
    """Averages `D(x)^2` of real pictures, which keeps the values of a Wasserstein critic from drifting away.

    Progressive growing, Karras et al. 2018 (arXiv:1710.10196, appendix A.1), with a weight of 0.001.
    """
    return tf.reduce_mean(tf.square(_scores(critic, _wide(reals))))


def matching_aware(critic: Critic, reals: Tensor, fakes: Tensor, seed: Tensor, power: float = 6.0) -> Tensor:
    """Averages `(|grad_x D| + |grad_s D|)^power` at real pictures with their sentences.

    Matching-aware gradient penalty, DF-GAN, Tao et al. 2022 (arXiv:2008.05865, equation 2), with a weight of 2:
    what is real and fits what is said of it lies in a smooth valley. The sentences' vectors `[batch, length]` are
    `critic.sentences`, and the critic takes others, `critic(images, sentences)`; one without has slopes in pictures
    alone.
    """
    images, sentences = _wide(reals), getattr(critic, "sentences", None)
    places = [images] if sentences is None else [images, _wide(sentences)]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(places)
        scores = _scores(lambda images: critic(images, *places[1:]), images)
    slopes = tape.gradient(scores, places)
    squares = [tf.reduce_sum(tf.square(slope), axis=tf.range(1, tf.rank(slope))) for slope in slopes]
    norms = tf.add_n([tf.sqrt(square + 1e-12) for square in squares])
    return tf.reduce_mean(norms**power)


def clip_weights(variables: Iterable[keras.Variable], limit: float) -> None:
    """Sets every weight to the nearest value in [-limit, limit] (WGAN, Arjovsky et al. 2017, arXiv:1701.07875)."""
    for variable in variables:
        variable.assign(ops.clip(variable, -limit, limit))


@dataclass(frozen=True)
class Penalty:
    """A penalty with its weight, computed at every `every`-th step, and then weighted that much more.

    Lazy regularisation (StyleGAN2, Karras et al. 2020, arXiv:1912.04958, section 3.1): on average the same, at a
    fraction of the cost. One update takes it together with the loss, so that there are no more updates than steps;
    where penalties have updates of their own, as in the authors' code, Adam's rate and betas want a correction
    for them. Raises `ValueError` unless `every` is at least 1.

    Args:
        function: a penalty, `function(critic, reals, fakes, seed)`; or of generators, with arguments of its own.
        weight: its factor, a number or a function of the step; the lambda or gamma of the papers.
        every: steps between computations; 1 is always.
    """

    function: Callable[..., Tensor]
    weight: float | Callable[[Tensor], Tensor]
    every: int = 1

    def __post_init__(self):
        if self.every < 1:
            raise ValueError(f"every={self.every}: it must be at least 1.")

    def __call__(self, *arguments_and_step: Any) -> Tensor:
        """Computes the weighted penalty, scalar float32; 0 where the step, an integer, is no multiple of `every`.

        It takes what `function` takes, and then the step.
        """
        *arguments, step = arguments_and_step

        def penalty() -> Tensor:
            weight = self.weight(step) if callable(self.weight) else self.weight
            return weight * self.every * tf.cast(self.function(*arguments), tf.float32)

        if self.every == 1:
            return penalty()
        return tf.cond(tf.equal(step % self.every, 0), penalty, lambda: tf.zeros([]))


def _wide(images: Tensor) -> Tensor:
    return images if images.dtype == tf.float64 else tf.cast(images, tf.float32)


def _between(start: Tensor, end: Tensor, seed: Tensor) -> Tensor:
    """Draws a random point on the line between the pictures of each pair."""
    start, end = _wide(start), _wide(end)
    part = tf.random.stateless_uniform([tf.shape(start)[0], 1, 1, 1], seed, dtype=start.dtype)
    return start + part * (end - start)


def _scores(critic: Critic, images: Tensor) -> Tensor:
    """Returns one score for every picture: `[batch]`."""
    logits = critic(images)
    return tf.reduce_mean(tf.reshape(logits, [tf.shape(logits)[0], -1]), axis=1)


def _squared_norms(critic: Critic, images: Tensor) -> Tensor:
    """Squares the norm of the gradient of every picture's score by its pixels: `[batch]`."""
    images = _wide(images)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        scores = _scores(critic, images)
    return tf.reduce_sum(tf.square(tape.gradient(scores, images)), axis=[1, 2, 3])


def _distance_to_one(critic: Critic, images: Tensor, one_sided: bool) -> Tensor:
    # The root has no finite slope at zero, where a dead or untrained critic is.
    norms = tf.sqrt(_squared_norms(critic, images) + 1e-12)
    excess = norms - 1.0
    return tf.reduce_mean(tf.square(tf.nn.relu(excess) if one_sided else excess))
