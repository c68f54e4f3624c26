"""Contrastive losses, as pure functions of vectors: of a batch of pairs, each is to be told from all others."""

import keras
from keras import ops

SAME = 1e-4  # how far below a vector's cosine with itself one may be that says the same


def info_nce(
    vectors: keras.KerasTensor,
    targets: keras.KerasTensor,
    scale: keras.KerasTensor | float,
    meanings: keras.KerasTensor | None = None,
) -> keras.KerasTensor:
    """Computes the cross-entropy of finding to each of `vectors` its own among `targets`, in nats.

    InfoNCE (van den Oord et al. 2018, arXiv:1807.03748). Both are unit vectors, float `[batch, dimensions]` and
    `[more, dimensions]`: the i-th target is the i-th vector's own, and those beyond are nobody's. `scale`
    multiplies their cosines (one over the temperature). Targets that mean the same as its own, such as a sentence
    that is said of two pictures, are right ones, too: those with the same `meanings`, unit vectors `[more,
    dimensions]`, by default the targets themselves. It is log(more) where nothing can be told.
    """
    vectors, targets = ops.cast(vectors, "float32"), ops.cast(targets, "float32")
    meanings = targets if meanings is None else ops.cast(meanings, "float32")
    alike = ops.matmul(meanings[: ops.shape(vectors)[0]], ops.transpose(meanings))
    # Beside its own product, which a GPU with TF32 does not compute to 1.
    same = ops.cast(alike > ops.diagonal(alike)[:, None] - SAME, "float32")
    right = same / ops.sum(same, axis=1, keepdims=True)
    logits = scale * ops.matmul(vectors, ops.transpose(targets))
    return -ops.mean(ops.sum(right * ops.log_softmax(logits), axis=1))
