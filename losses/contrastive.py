"""Contrastive losses, as pure functions of vectors: of a batch of pairs, each is to be told from all others."""

import keras
from keras import ops

SAME = 1 - 1e-4  # cosine from which two vectors say the same


def info_nce(
    vectors: keras.KerasTensor, targets: keras.KerasTensor, scale: keras.KerasTensor | float
) -> keras.KerasTensor:
    """Computes the cross-entropy of finding to each of `vectors` its own among `targets`, in nats.

    InfoNCE (van den Oord et al. 2018, arXiv:1807.03748). Both are unit vectors, float `[batch, dimensions]` and
    `[more, dimensions]`: the i-th target is the i-th vector's own, and those beyond are nobody's. `scale`
    multiplies their cosines (one over the temperature). Targets that are the same as its own, such as a sentence
    that is said of two pictures, are right ones, too. It is log(more) where nothing can be told.
    """
    vectors, targets = ops.cast(vectors, "float32"), ops.cast(targets, "float32")
    own = targets[: ops.shape(vectors)[0]]
    same = ops.cast(ops.matmul(own, ops.transpose(targets)) > SAME, "float32")
    right = same / ops.sum(same, axis=1, keepdims=True)
    logits = scale * ops.matmul(vectors, ops.transpose(targets))
    return -ops.mean(ops.sum(right * ops.log_softmax(logits), axis=1))
