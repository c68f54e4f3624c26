"""What a discriminator tells of a picture besides whether it is real: its class, or the sentence it belongs to."""

import keras
import tensorflow as tf
from keras import ops

from losses.contrastive import info_nce

Tensor = tf.Tensor

SHARPNESS = 10.0  # factor of cosines, where sentences are told from each other
LOSSES = {"class_logits": "class_loss", "sentence": "sentence_loss"}  # by the discriminator's output


def names(discriminator: keras.Model) -> list[str]:
    """Lists the names of what `told` gives of a discriminator's outputs."""
    outputs = discriminator.output if isinstance(discriminator.output, dict) else {}
    return [name for output, name in LOSSES.items() if output in outputs]


def told(labels: Tensor, judged: dict[str, Tensor]) -> dict[str, Tensor]:
    """Computes by name how far off a discriminator is that tells a picture's label, or its sentence's vector."""
    if "class_logits" in judged:
        losses = ops.sparse_categorical_crossentropy(labels, judged["class_logits"], from_logits=True)
        return {"class_loss": ops.mean(losses)}
    if "sentence" in judged:
        return {"sentence_loss": info_nce(judged["sentence"], labels, SHARPNESS)}
    return {}
