"""Differentiable augmentation and instance noise: how a discriminator sees pictures.

Real and generated pictures alike are transformed before they are judged, so that a discriminator cannot learn a
small data set by heart; gradients flow through the transformations to the generator (DiffAugment, Zhao et al. 2020,
arXiv:2006.10738; ADA, Karras et al. 2020, arXiv:2006.06676). Penalties are on slopes at the pictures as they were,
through the transformations, as in the code of ADA's authors.

DiffAugment's three transformations are here, ADA's three groups of them in `models/ada.py`. Any of them can have a
probability that adapts, by the rule of the ADA paper, whose target of 0.6 was found for its own.

A transformation of DiffAugment takes images, float `[batch, height, width, channels]` in [-1, 1] with static height
and width, and a seed, int `[2]`; it gives every image its own draw and returns the same shape and dtype. Each is
linear in the image but for a constant, and so can be differentiated any number of times.
"""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from models import ada

Tensor = tf.Tensor


def color(images: Tensor, seed: Tensor) -> Tensor:
    """Changes brightness, saturation and contrast; may leave [-1, 1], as in the authors' code.

    Brightness adds U(-0.5, 0.5); saturation scales the distance to each pixel's mean over channels by U(0, 2),
    which does nothing to grey pictures; contrast scales the distance to the image's mean by U(0.5, 1.5).
    """
    brightness, saturation, contrast = (_uniform(images, key) for key in tf.unstack(tf.random.split(seed, 3)))
    brightness, saturation, contrast = brightness - 0.5, 2 * saturation, contrast + 0.5
    gray = tf.reduce_mean(images, axis=3, keepdims=True)
    mean = tf.cast(tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True), tf.float32)
    # The three in turn, multiplied out: fewer passes over the images. Saturation leaves the image's mean as it is,
    # and brightness moves it along with the pixels.
    constant = (1 - contrast) * mean + brightness
    kept, blended = contrast * saturation, contrast * (1 - saturation)
    kept, blended, constant = (tf.cast(factor, images.dtype) for factor in (kept, blended, constant))
    return kept * images + (blended * gray + constant)


def translation(images: Tensor, seed: Tensor) -> Tensor:
    """Shifts by whole pixels, up to 1/8 of the size in each direction; zeros (grey) flow in.

    Products with shift matrices in place of gathers, whose gradients are slow scatters. They are exact but where
    the device rounds the factors of a product (TF32: to 11 significant bits).
    """
    _, height, width, _ = images.shape
    rows, columns = (_shifts(images, n, key) for n, key in zip((height, width), _pair(seed), strict=True))
    return tf.einsum("bij,bjkc,blk->bilc", rows, images, columns)


def cutout(images: Tensor, seed: Tensor) -> Tensor:
    """Zeroes a rectangle of half the height and width, centred anywhere: at the border a part of it is outside."""
    _, height, width, _ = images.shape
    rows, columns = (_span(images, n, key) for n, key in zip((height, width), _pair(seed), strict=True))
    hole = tf.cast(rows[:, :, None, None] & columns[:, None, :, None], images.dtype)
    return images * (1 - hole)


TRANSFORMATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "color": color,
    "translation": translation,
    "cutout": cutout,
}


class Augmentation(keras.Layer):
    """A policy of transformations with a probability, then instance noise; with `target`, the probability adapts.

    Args:
        policy: names of transformations (`TRANSFORMATIONS`, `ada.PARTS`), applied in this order; "ada" is all of
            ADA's.
        probability: that a transformation is applied to an image, a number or a function of the step; where
            `target` is given, it starts at 0.
        color_share: factor of the probability of ADA's "recolor", in [0, 1].
        target: of the running mean of `sign(real_logits)`, in (-1, 1); the ADA paper's is 0.6.
        speed: how many images it takes at least to move the probability from 0 to 1.
        noise: standard deviation of the instance noise (Sønderby et al. 2016, arXiv:1610.04490; Arjovsky & Bottou
            2017, arXiv:1701.04862).
        noise_steps: over which the noise falls to 0, in a straight line; 0 keeps it constant.

    All state is in weights. Raises `ValueError` for unknown names and values out of range.
    """

    def __init__(
        self,
        policy: Sequence[str] = (),
        probability: float | Callable[[Tensor], Tensor] = 1.0,
        target: float | None = None,
        speed: int = 500_000,
        noise: float = 0.0,
        noise_steps: int = 0,
        color_share: float = 1.0,
    ):
        super().__init__(autocast=False, dtype="float32", name="augmentation")  # images keep their own dtype
        _check(policy, probability, target, speed, noise, noise_steps)
        self.policy = tuple(part for name in policy for part in (ada.PARTS if name == "ada" else [name]))
        self.color_share = color_share
        self.schedule = probability if callable(probability) else None
        self.target = target
        self.fixed = probability
        self.speed = speed
        self.noise = noise
        self.noise_steps = noise_steps
        self.always = target is None and probability == 1.0
        start = keras.initializers.Constant(probability if target is None and self.schedule is None else 0.0)
        self.probability = self.add_weight((), start, "float32", trainable=False, name="probability")
        if target is not None:
            # Starts undecided. Replicas see different pictures: all keep the mean of what they would assign.
            self.overfitting = self.add_weight(
                (),
                keras.initializers.Constant(target),
                "float32",
                trainable=False,
                name="overfitting",
                aggregation="mean",
            )
        self.built = True

    def call(self, images: Tensor, seed: Tensor, step: Tensor) -> Tensor:
        """Returns images as the discriminator sees them; each has draws of its own, which depend on `seed` alone.

        Images are float `[batch, height, width, channels]` in [-1, 1], `seed` is int `[2]`, `step` an integer
        scalar, for the noise. Without policy and noise the images are returned as they are.
        """
        num = len(self.policy)
        probability = self.current(step)
        for i, name in enumerate(self.policy):
            own = tf.random.fold_in(seed, i)
            if name in ada.PARTS:  # of many transformations, each of which has the probability
                share = self.color_share if name == "recolor" else 1.0
                images = ada.PARTS[name](images, own, probability * share)
                continue
            changed = TRANSFORMATIONS[name](images, own)
            if not self.always:
                chosen = _uniform(images, tf.random.fold_in(seed, num + i)) < probability
                changed = tf.where(chosen, changed, images)
            images = changed
        if self.noise:
            images = self._noisy(images, tf.random.fold_in(seed, 2 * num), step)
        return images

    @property
    def varies(self) -> bool:
        """Says whether the probability changes while it trains."""
        return self.target is not None or self.schedule is not None

    def current(self, step: Tensor) -> Tensor:
        """Returns the probability at a step, a float32 scalar: the weight that adapts, else what was asked for.

        A run that goes on may ask for another than its checkpoint has.
        """
        if self.target is not None:
            return self.probability.value
        return tf.constant(self.fixed, tf.float32) if self.schedule is None else self.schedule(step)

    def update(self, real_logits: Tensor, batch_size: int | Tensor) -> None:
        """Moves the probability by `batch_size / speed` towards less overfitting, within [0, 1] (ADA, section 3.2).

        The heuristic is `r = mean(sign(real_logits))`: 1 where the discriminator knows every real picture, 0 where
        it cannot tell. The probability rises while r is above `target`. As in the paper, single batches do not
        decide: r is a running mean over about four of them, where the paper looks at every four, and then makes
        a step that is four times as long.

        Args:
            real_logits: float `[batch, ...]`, positive where a picture passes for real; as one replica sees them.
            batch_size: real pictures in the step, on all replicas together.

        Does nothing without `target`.
        """
        if self.target is None:
            return
        r = tf.reduce_mean(tf.sign(tf.cast(real_logits, tf.float32)))
        self.overfitting.assign(self.overfitting.value + (r - self.overfitting.value) / 4)
        direction = tf.sign(self.overfitting.value - self.target)
        moved = self.probability.value + direction * (tf.cast(batch_size, tf.float32) / self.speed)
        self.probability.assign(tf.clip_by_value(moved, 0.0, 1.0))

    def _noisy(self, images: Tensor, seed: Tensor, step: Tensor) -> Tensor:
        def noisy() -> Tensor:
            left = 1 - tf.cast(step, tf.float32) / self.noise_steps if self.noise_steps else 1.0
            normal = tf.random.stateless_normal(tf.shape(images), seed, dtype=images.dtype)
            return images + tf.cast(self.noise * left, images.dtype) * normal

        if not self.noise_steps:
            return noisy()
        # Once it has faded, nothing is drawn any more: normal draws cost more than all of the policy.
        return tf.cond(tf.cast(step, tf.int64) < self.noise_steps, noisy, lambda: tf.identity(images))


def _check(policy, probability, target, speed, noise, noise_steps) -> None:
    known = [*TRANSFORMATIONS, "ada", *ada.PARTS]
    if isinstance(policy, str) or not set(policy) <= set(known):
        raise ValueError(f"An augmentation policy is a list out of {', '.join(known)}; not {policy!r}.")
    if callable(probability):
        if target is not None:
            raise ValueError("An augmentation's probability goes by a schedule or by a target, not by both.")
    elif not 0 <= probability <= 1:
        raise ValueError(f"An augmentation's probability lies in [0, 1], not at {probability}.")
    if target is not None and not (policy and -1 < target < 1):
        raise ValueError(f"Adaptive augmentation takes a policy and a target in (-1, 1), not {policy!r}, {target}.")
    if speed <= 0 or noise < 0 or noise_steps < 0:
        raise ValueError(f"speed={speed} must be positive; noise={noise}, noise_steps={noise_steps} not negative.")


def _uniform(images: Tensor, seed: Tensor) -> Tensor:
    """Draws a number in [0, 1) for each image, float32 `[batch, 1, 1, 1]`."""
    return tf.random.stateless_uniform([tf.shape(images)[0], 1, 1, 1], seed)


def _pair(seed: Tensor) -> list[Tensor]:
    return tf.unstack(tf.random.split(seed))


def _shifts(images: Tensor, size: int, seed: Tensor) -> Tensor:
    """Draws shift matrices `[batch, size, size]`: identities with their ones moved by up to size / 8."""
    most = int(size / 8 + 0.5)
    shift = tf.random.stateless_uniform([tf.shape(images)[0], 1], seed, -most, most + 1, tf.int32)
    return tf.one_hot(tf.range(size) - shift, size, dtype=images.dtype)  # no one where the index is outside


def _span(images: Tensor, size: int, seed: Tensor) -> Tensor:
    """Draws spans `[batch, size]`, true on size / 2 neighbouring places, fewer where some lie outside."""
    length = int(size / 2 + 0.5)
    center = tf.random.stateless_uniform([tf.shape(images)[0], 1], seed, 0, size + 1 - length % 2, tf.int32)
    start = center - length // 2
    places = tf.range(size)
    return (places >= start) & (places < start + length)
