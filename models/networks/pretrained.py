"""Networks of `keras.applications` that have learned to name the pictures of ImageNet."""

import warnings
from pathlib import Path

import keras

from core.errors import GessoError
from core.files import expanded

# Of each network, its builder there, and where the weights are that it downloads.
STORE = "https://storage.googleapis.com"
SOURCES = {
    "vgg16": ("VGG16", "tensorflow/keras-applications/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"),
    "vgg19": ("VGG19", "tensorflow/keras-applications/vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"),
    "inception_v3": (
        "InceptionV3",
        "tensorflow/keras-applications/inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
    ),
    "efficientnet_b0": ("EfficientNetB0", "keras-applications/efficientnetb0_notop.h5"),
}


def pretrained(network: str, weights: str | Path | None) -> keras.Model:
    """Builds a network of `SOURCES` without its top, with the weights of a file, or ImageNet's if that is None.

    These are downloaded by Keras, once. Raises `GessoError`, which names both, where there are neither.
    """
    name, source = SOURCES[network]
    weights = None if weights is None else expanded(weights)
    if weights is not None and not weights.is_file():
        raise GessoError(f"weights={weights}: there is no such file.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras's, before it fails: the error says it all
            build = getattr(keras.applications, name)
            return build(include_top=False, weights="imagenet" if weights is None else str(weights))
    except Exception as error:  # Keras raises a bare one where a download fails, and whatever h5py does for a file
        if weights is not None:
            reason = str(error).split("\n")[0][:200]
            raise GessoError(f"weights={weights} are not those of {network} without its top: {reason}") from error
        folder, _, file = source.rpartition("/")
        raise GessoError(
            f"The ImageNet weights of {network} could not be downloaded. Get {file} from {STORE}/{folder}/ "
            "elsewhere, and give weights=<file>."
        ) from error
