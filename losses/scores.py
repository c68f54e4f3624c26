"""Scores that a discriminator gives pictures, on the scale of its objective, as pure functions of logits.

A sigmoid makes a probability of a logit only where the objective makes the logit a log-odds. Elsewhere it would
show an ideal LSGAN, whose discriminator says 1 of real pictures, as one that is 73 % sure.

Each is `score(real_logits, fake_logits)`, float `[batch, ...]`, and returns means by the names under which they are
logged. They are for looking at: nothing learns from them.
"""

import keras
from keras import ops

Means = dict[str, keras.KerasTensor]


def probabilities(real_logits: keras.KerasTensor, fake_logits: keras.KerasTensor) -> Means:
    """Returns the probabilities D(x) and D(G(z)) of being real (Goodfellow et al. 2014): 1/2 each if in doubt."""
    return {
        "real_probability": ops.mean(ops.sigmoid(real_logits)),
        "fake_probability": ops.mean(ops.sigmoid(fake_logits)),
    }


def outputs(real_logits: keras.KerasTensor, fake_logits: keras.KerasTensor) -> Means:
    """Returns outputs of least squares as they are: at best 1 of real, 0 of generated pictures; 1/2 if in doubt."""
    return {"real_output": ops.mean(real_logits), "fake_output": ops.mean(fake_logits)}


def critic_values(real_logits: keras.KerasTensor, fake_logits: keras.KerasTensor) -> Means:
    """Returns a critic's values as they are: for a Wasserstein distance only their difference counts.

    The hinge asks for 1 and more of real pictures, for -1 and less of generated ones.
    """
    return {"real_critic": ops.mean(real_logits), "fake_critic": ops.mean(fake_logits)}


def pair_probability(real_logits: keras.KerasTensor, fake_logits: keras.KerasTensor) -> Means:
    """Returns the probability that of a pair the real one is taken for it, of relativistic losses: 1/2 if in doubt.

    Logits have no zero point there: of a picture on its own they say nothing.
    """
    return {"pair_probability": ops.mean(ops.sigmoid(real_logits - fake_logits))}
