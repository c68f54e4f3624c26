"""The image transformation network of Johnson, Alahi & Fei-Fei 2016, "Perceptual Losses for Real-Time Style
Transfer" (arXiv:1603.08155), with instance normalisation (Ulyanov et al. 2016) and, where they had transposed
convolutions, enlargement and convolution: no checkerboard. Edges are mirrored, so they show no border either."""

import keras
from keras import layers

from core.network_metadata import Geometry
from models.layers.normalization import InstanceNormalization, ScaleAndShift
from models.layers.resampling import ReflectionPadding2D, ToPictureConv2D, UpsamplingConv2D


def transformer(
    width: int = 32, blocks: int = 5, styles: int = 1, edge: int = 9, output: str = "tanh", normalize: str = "all"
) -> keras.Model:
    """Repaints pictures: `[batch, height, width, 3]` in [-1, 1], sides divisible by 4 -> the same, float32.

    `output`: "tanh", as in the papers, or "linear", not bounded, to be clipped when looked at. For losses that look
    at the picture, that is better: a tanh pins what was painted too bright to white, where its gradient is 0.

    With `styles` > 1 there is a second input "weights", float `[batch, styles]`: how much of each style; ones that
    add up to 1 blend. `width` 32, 5 residual blocks, and `edge`, the side of the first and last kernels, 9 are the
    paper's; CycleGAN (Zhu et al. 2017, arXiv:1703.10593) has 64, 9 and 7.

    `normalize`: "all" layers, as in the papers, or the "first", down to the smallest size, alone; those that follow
    are scaled and shifted, by style. That is enough to make a picture's contrast no matter, and no later layer can
    enlarge what is rare in a picture until one spot outweighs all else.
    """
    image = keras.Input((None, None, 3), name="image")
    weights = keras.Input((styles,), name="weights") if styles > 1 else None

    def normalized(name: str) -> bool:
        return normalize == "all" or name in ("in", "down1", "down2")

    def conv(x, filters: int, size: int, strides: int = 1, name: str = ""):
        x = ReflectionPadding2D(size // 2, name=f"{name}_pad")(x)
        start = "glorot_uniform" if normalized(name) else "he_normal"
        return layers.Conv2D(filters, size, strides, use_bias=False, kernel_initializer=start, name=name)(x)

    def norm(x, name: str, relu: bool = True):
        # Blocks begin by adding nothing (Goyal et al. 2017, arXiv:1706.02677). Each normalisation enlarges what is
        # rare in a picture; a dozen of them, untrained, let one spot outweigh all else, hard to unlearn.
        kind = InstanceNormalization if normalized(name) else ScaleAndShift
        norm = kind(styles, gamma_initializer="ones" if relu else "zeros", name=f"{name}_norm")
        x = norm(x) if weights is None else norm(x, weights)
        return layers.ReLU(name=f"{name}_relu")(x) if relu else x

    x = norm(conv(image, width, edge, name="in"), "in")
    for i in (1, 2):
        x = norm(conv(x, width * 2**i, 3, 2, name=f"down{i}"), f"down{i}")
    for i in range(1, blocks + 1):
        y = norm(conv(x, width * 4, 3, name=f"block{i}a"), f"block{i}a")
        y = norm(conv(y, width * 4, 3, name=f"block{i}b"), f"block{i}b", relu=False)
        x = layers.Add(name=f"block{i}")([x, y])
    for i in (1, 2):
        x = norm(UpsamplingConv2D(width * 4 // 2**i, name=f"up{i}")(x), f"up{i}")
    x = ReflectionPadding2D(edge // 2, name="out_pad")(x)
    faint = keras.initializers.VarianceScaling(0.05, "fan_avg", "uniform")  # nothing bounds the first pictures
    x = ToPictureConv2D(3, edge, kernel_initializer="glorot_uniform" if output == "tanh" else faint, name="out")(x)
    x = layers.Activation(output, dtype="float32", name="picture")(x)
    network = keras.Model([image, weights] if styles > 1 else image, x, name="transformer")
    # VGG, which judges, sees black beyond a picture: a frame of 2 px is learned, and cut off by the edge. In mixed
    # precision, a square of the tile's side takes 3.5 GB.
    network.geometry = Geometry(stride=4, reach=20 + 8 * blocks, edge=4, tile=int(3072 * (32 / width) ** 0.5))
    return network
