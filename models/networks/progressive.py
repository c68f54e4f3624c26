"""Progressive growing of GANs (Karras et al. 2018, arXiv:1710.10196): from 4x4 to full size while training.

Training begins with pictures of 4x4. Then, again and again, a level of twice the size joins both networks: it fades
in, blended linearly with the level below it, and then learns at full strength before the next one comes.

`progress`, a weight of each network, says how far it has grown: at 0 pictures are 4x4, at 1 they are 8x8, at 1.3
the level of 16x16 counts for 30 %. `grow(step)` sets it. Pictures always have the full size: the generator enlarges
what it paints by nearest neighbours, the discriminator averages what it sees down to the resolution reached. Levels
not reached are not computed and get gradients of zero.

With `width=512` layers and channels are those of the paper's table 2: 512 channels at 4 to 32 px, half as many with
each doubling after that, 16 at 1024 px; at that size, 23.1 million parameters in each network. Departures: our
pictures are in [-1, 1] by tanh, after all blending, as those of all our networks, where the paper's are linear; and
batches are of one size, where the authors' shrink as pictures grow. As in their code the optimizers begin anew with
each level, and once it has faded in (`models/growth.py`). The paper's objective: `loss=wgan_gp penalty=drift`.
"""

from collections.abc import Callable
from functools import partial

import keras
import tensorflow as tf
from keras import layers

from models.layers.equalized import (
    NORMAL,
    DiscriminatorBlock,
    EqualizedConv2D,
    EqualizedDense,
    EqualizedEmbedding,
    GeneratorBlock,
    MinibatchStddev,
    NormalizedActivation,
    PixelNorm,
    enlarge,
    shrink,
)
from models.networks.condition import MODULATION, discriminator_head, discriminator_inputs, generator_inputs
from models.networks.sizes import square

Tensor = tf.Tensor


def generator(
    image_shape: tuple[int, int, int],
    latent_dim: int = 512,
    width: int = 512,
    num_classes: int = 0,
    condition: str = "none",
    prior: str = "normal",
    phase_steps: int = 1000,
) -> keras.Model:
    """Draws pictures from noise: latent `[batch, latent_dim]` (and label) -> image `[batch, size, size, channels]`.

    `width` is the number of channels at 4 to 32 px; it takes `phase_steps * 2 log2(size / 4)` steps to grow.
    Images are float32 in [-1, 1]. Conditions and priors: `models/networks/condition.py`; as there is no batch
    normalisation, `projection` scales and shifts by class after each pixel norm.
    Raises `ValueError` unless `image_shape` is square with a power of two from 8 to 1024 px.
    """
    _check(image_shape, phase_steps)
    start = channels_at(4, width)
    inputs, x, label = generator_inputs(latent_dim, num_classes, condition, prior)
    classes = {"projection": num_classes, "text": MODULATION}.get(condition, 0)
    x = PixelNorm(name="latent_norm")(x)
    # A sixteenth of the usual gain, as in the authors' code.
    x = EqualizedDense(16 * start, gain=2 / 16, use_bias=False, name="seed")(x)
    x = layers.Reshape((4, 4, start), name="seed_4")(x)
    x = NormalizedActivation(classes, name="seed_norm")(x, label)
    x = EqualizedConv2D(start, 3, gain=2, use_bias=False, name="conv_4")(x)
    x = NormalizedActivation(classes, name="conv_4_norm")(x, label)
    x = GeneratorLevels(*image_shape[1:], width, classes, phase_steps=phase_steps, name="levels")(x, label)
    image = layers.Activation("tanh", dtype="float32", name="image")(x)
    return Progressive(inputs, image, name="generator")


def discriminator(
    image_shape: tuple[int, int, int],
    width: int = 512,
    num_classes: int = 0,
    condition: str = "none",
    phase_steps: int = 1000,
) -> keras.Model:
    """Judges pictures: image `[batch, size, size, channels]` in [-1, 1] (and label) -> logits `[batch]`.

    The generator's mirror, without normalisation; minibatch standard deviation at 4x4. Arguments and errors are
    the generator's. The paper blends real pictures as the generator blends its own, lest fading levels give them
    away: `discriminator.fade(reals)`.
    """
    _check(image_shape, phase_steps)
    start = channels_at(4, width)
    inputs, x, label = discriminator_inputs(image_shape, num_classes, condition)
    x = DiscriminatorLevels(image_shape[1], width, phase_steps=phase_steps, name="levels")(x)
    x = MinibatchStddev(name="stddev_4")(x)
    x = EqualizedConv2D(start, 3, gain=2, name="conv_4")(x)
    x = layers.LeakyReLU(0.2, name="conv_4_relu")(x)
    x = layers.Flatten(name="flatten")(x)
    x = EqualizedDense(start, gain=2, name="dense")(x)
    x = layers.LeakyReLU(0.2, name="dense_relu")(x)
    outputs = discriminator_head(
        x, label, num_classes, condition, EqualizedDense, EqualizedEmbedding, initializer=NORMAL
    )
    return Progressive(inputs, outputs, name="discriminator")


def channels_at(resolution: int, width: int) -> int:
    """Counts the channels: `width` up to 32 px, half as many with each doubling from there."""
    return max(1, width * 32 // max(resolution, 32))


@keras.saving.register_keras_serializable(package="gesso")
class Progressive(keras.Model):
    """A functional model that grows: one of its layers is `Levels`."""

    def grow(self, step: Tensor) -> None:
        """Grows to where training is at `step`, an integer."""
        self._levels().grow(step)

    def changes_level(self, step: Tensor) -> Tensor:
        """Says whether a level begins to fade in at `step`, an integer, or has just done so: a scalar boolean."""
        return self._levels().changes(step)

    def fade(self, images: Tensor) -> Tensor:
        """Shows pictures `[batch, size, size, channels]` as the generator would now, float32.

        Nothing finer than the resolution reached, and of that only the share that has faded in.
        """
        return self._levels().fade(images)

    def _levels(self) -> "Levels":  # not a property: Keras would save the layer under that name too
        return next(layer for layer in self.layers if isinstance(layer, Levels))


class Levels(layers.Layer):
    """Levels of 4, 8, ..., `size` px, of which those count that the weight `progress` has reached.

    The 4x4 level itself is always there and lies outside, before the generator's levels or after the
    discriminator's.
    """

    def __init__(self, size: int, width: int, phase_steps: int = 1000, **options):
        # Pictures come in as they are: a mean of thousands of pixels needs more digits than bfloat16 has.
        super().__init__(autocast=False, **options)
        self.size = size
        self.width = width
        self.phase_steps = phase_steps
        self.resolutions = [4 << level for level in range((size // 4).bit_length())]
        # XLA would compile each branch with all its gradients, for minutes, and then carry the memory of all.
        self.supports_jit = False

    def _add_progress(self) -> None:
        self.progress = self.add_weight((), "zeros", "float32", trainable=False, autocast=False, name="progress")

    def grow(self, step: Tensor) -> None:
        """Grows by the paper's schedule: a phase at 4x4, then for each level one of fading in, one of staying."""
        self.progress.assign(tf.cast(self._progress_at(step), tf.float32))

    def changes(self, step: Tensor) -> Tensor:
        """Says whether the next whole number above or below `progress` is another: `Progressive.changes_level`."""
        before, now = self._progress_at(step - 1), self._progress_at(step)
        return (tf.floor(before) != tf.floor(now)) | (tf.math.ceil(before) != tf.math.ceil(now))

    def _progress_at(self, step: Tensor) -> Tensor:
        phases = tf.cast(step, tf.float64) / self.phase_steps
        starts = tf.range(1, 2 * len(self.resolutions) - 2, 2, dtype=tf.float64)
        return tf.reduce_sum(tf.clip_by_value(phases - starts, 0, 1))

    def fade(self, images: Tensor) -> Tensor:
        """Shows what `Progressive.fade` does."""

        def shown(level: int) -> Tensor:
            factor = self.size // self.resolutions[level]
            fine = shrink(tf.cast(images, tf.float32), factor)
            if level:
                fine = self._blend(enlarge(shrink(fine, 2), 2), fine, level)
            return enlarge(fine, factor)

        return self._at_newest(shown)

    def _at_newest(self, function: Callable[[int], Tensor]) -> Tensor:
        """Computes `function(level)` of the newest level reached: one branch for each, of which one is computed.

        Conditions nested in each other, level in level, would share code; but the graph of their second-order
        gradients, which gradient penalties need, multiplies with each level.
        """
        newest = tf.cast(tf.math.ceil(tf.convert_to_tensor(self.progress)), tf.int32)
        return tf.switch_case(newest, [partial(function, level) for level in range(len(self.resolutions))])

    def _blend(self, below: Tensor, newest: Tensor, level: int) -> Tensor:
        """Blends `newest`, as far as `level` has faded in, with `below`."""
        share = tf.cast(tf.convert_to_tensor(self.progress) - (level - 1), newest.dtype)
        return below + (newest - below) * share

    def get_config(self) -> dict:
        own = {"size": self.size, "width": self.width, "phase_steps": self.phase_steps}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="gesso")
class GeneratorLevels(Levels):
    """Levels of the generator: features `[batch, 4, 4, channels_at(4)]` (and label) -> `[batch, size, size, c]`.

    Float32, any real number. Each level doubles by nearest neighbours and has two convolutions; a 1x1 convolution
    makes a picture of any level's features ("toRGB").
    """

    def __init__(self, size: int, channels: int, width: int, num_classes: int = 0, **options):
        super().__init__(size, width, **options)
        self.channels = channels
        self.num_classes = num_classes
        self.blocks = [
            GeneratorBlock(channels_at(r, width), num_classes, dtype=self.dtype_policy, name=f"block_{r}")
            for r in self.resolutions[1:]
        ]
        self.to_image = [
            EqualizedConv2D(channels, 1, dtype=self.dtype_policy, name=f"to_image_{r}") for r in self.resolutions
        ]

    def build(self, x_shape: tuple, label_shape: tuple | None = None) -> None:
        self._add_progress()
        features = [channels_at(r, self.width) for r in self.resolutions]
        for block, before in zip(self.blocks, features, strict=False):
            block.build((None, None, None, before))
        for convolution, here in zip(self.to_image, features, strict=True):
            convolution.build((None, None, None, here))

    def call(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        def paint(level: int) -> Tensor:
            features = [x]
            for block in self.blocks[:level]:
                features.append(block(features[-1], label))
            image = self._image(features, level)
            if level:
                image = self._blend(enlarge(self._image(features, level - 1), 2), image, level)
            return enlarge(image, self.size // self.resolutions[level])

        return self._at_newest(paint)

    def _image(self, features: list[Tensor], level: int) -> Tensor:
        return tf.cast(self.to_image[level](features[level]), tf.float32)

    def compute_output_spec(self, x: keras.KerasTensor, label: keras.KerasTensor | None = None):
        return keras.KerasTensor((x.shape[0], self.size, self.size, self.channels), "float32")

    def get_config(self) -> dict:
        return {**super().get_config(), "channels": self.channels, "num_classes": self.num_classes}


@keras.saving.register_keras_serializable(package="gesso")
class DiscriminatorLevels(Levels):
    """Levels of the discriminator: image `[batch, size, size, channels]` -> `[batch, 4, 4, channels_at(4)]`.

    The picture is averaged down to the newest level's resolution and enters there by a 1x1 convolution
    ("fromRGB"). Each level has two convolutions and halves by averaging.
    """

    def __init__(self, size: int, width: int, **options):
        super().__init__(size, width, **options)
        self.blocks = [
            DiscriminatorBlock(channels_at(r // 2, width), dtype=self.dtype_policy, name=f"block_{r}")
            for r in self.resolutions[1:]
        ]
        self.from_image = [
            EqualizedConv2D(channels_at(r, width), 1, gain=2, dtype=self.dtype_policy, name=f"from_image_{r}")
            for r in self.resolutions
        ]

    def build(self, image_shape: tuple) -> None:
        self._add_progress()
        features = [channels_at(r, self.width) for r in self.resolutions]
        for convolution in self.from_image:
            convolution.build(image_shape)
        for block, here in zip(self.blocks, features[1:], strict=True):
            block.build((None, None, None, here))

    def call(self, images: Tensor) -> Tensor:
        def see(level: int) -> Tensor:
            shown = shrink(images, self.size // self.resolutions[level])
            x = self._entered(shown, level)
            if level:
                x = self._blend(self._entered(shrink(shown, 2), level - 1), self.blocks[level - 1](x), level)
            for block in reversed(self.blocks[: max(level - 1, 0)]):
                x = block(x)
            return x

        return self._at_newest(see)

    def _entered(self, shown: Tensor, level: int) -> Tensor:
        return tf.nn.leaky_relu(self.from_image[level](shown), 0.2)

    def compute_output_shape(self, image_shape: tuple) -> tuple:
        return (image_shape[0], 4, 4, channels_at(4, self.width))


def _check(image_shape: tuple[int, int, int], phase_steps: int) -> None:
    square("Progressive growing", image_shape, [2**i for i in range(3, 11)])
    if phase_steps < 1:
        raise ValueError(f"phase_steps={phase_steps}: it must be at least 1.")
