"""Adversarial objectives as pure functions of logits.

Every objective is a pair: `..._discriminator_loss(real_logits, fake_logits)`, minimised by the discriminator, and
`..._generator_loss(fake_logits)`, minimised by the generator. Logits are float `[batch, ...]`, any real number,
large where the discriminator believes a picture to be real; losses are scalars, means over all logits, in nats.
"""

import keras
from keras import ops


def non_saturating_discriminator_loss(
    real_logits: keras.KerasTensor, fake_logits: keras.KerasTensor
) -> keras.KerasTensor:
    """Binary cross-entropy of telling real from generated: `-log D(x) - log(1 - D(G(z)))`.

    The discriminator of Goodfellow et al. 2014 (arXiv:1406.2661, equation 1), in the form that stays finite for
    logits of any size: `-log sigmoid(t) = softplus(-t)`. It is 2 log 2 where the discriminator cannot tell.
    """
    return ops.mean(ops.softplus(-real_logits)) + ops.mean(ops.softplus(fake_logits))


def non_saturating_generator_loss(fake_logits: keras.KerasTensor) -> keras.KerasTensor:
    """The generator's `-log D(G(z))` (Goodfellow et al. 2014, section 3).

    The minimax game would have the generator minimise `log(1 - D(G(z)))`, whose gradient vanishes while the
    discriminator is sure; this one is strongest there.
    """
    return ops.mean(ops.softplus(-fake_logits))
