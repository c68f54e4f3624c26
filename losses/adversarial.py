"""Adversarial objectives as pure functions of logits.

Every objective is a pair: `..._discriminator_loss(real_logits, fake_logits)`, minimised by the discriminator, and
`..._generator_loss(fake_logits)`, minimised by the generator. Logits are float `[batch, ...]`, any real number,
large where the discriminator believes a picture to be real; losses are scalars, means over all logits. A
discriminator's loss that draws random numbers names a `seed`, int `[2]`, in its signature and is given one.

Those with `label_smoothing` ask the discriminator to call real pictures real by only `1 - label_smoothing`, in
[0, 1); generated ones stay 0, hence one-sided (Salimans et al. 2016, arXiv:1606.03498, section 3.4).
"""

import keras
import tensorflow as tf
from keras import ops


def non_saturating_discriminator_loss(
    real_logits: keras.KerasTensor, fake_logits: keras.KerasTensor, label_smoothing: float = 0.0
) -> keras.KerasTensor:
    """Computes the cross-entropy of telling real from generated: `-log D(x) - log(1 - D(G(z)))`, in nats.

    The discriminator of Goodfellow et al. 2014 (arXiv:1406.2661, equation 1), in the form that stays finite for
    logits of any size: `-log sigmoid(t) = softplus(-t)`. It is 2 log 2 where the discriminator cannot tell.
    """
    real = ops.softplus(-real_logits) + label_smoothing * real_logits  # -log(1 - D) + log D is the logit
    return ops.mean(real) + ops.mean(ops.softplus(fake_logits))


def non_saturating_generator_loss(fake_logits: keras.KerasTensor) -> keras.KerasTensor:
    """Computes the generator's `-log D(G(z))` (Goodfellow et al. 2014, section 3).

    The minimax game would have the generator minimise `log(1 - D(G(z)))`, whose gradient vanishes while the
    discriminator is sure; this one is strongest there.
    """
    return ops.mean(ops.softplus(-fake_logits))


minimax_discriminator_loss = non_saturating_discriminator_loss  # the two games differ in the generator's part alone


def minimax_generator_loss(fake_logits: keras.KerasTensor) -> keras.KerasTensor:
    """Computes the generator's `log(1 - D(G(z)))` (Goodfellow et al. 2014, arXiv:1406.2661, equation 1).

    The saturating loss, negative: the generator's gradient vanishes while the discriminator is sure of itself.
    """
    return -ops.mean(ops.softplus(fake_logits))


def least_squares_discriminator_loss(
    real_logits: keras.KerasTensor, fake_logits: keras.KerasTensor, label_smoothing: float = 0.0
) -> keras.KerasTensor:
    """Computes half the squared distances, to 1 of real, 0 of generated: `(D(x) - 1)^2 / 2 + D(G(z))^2 / 2`.

    LSGAN, Mao et al. 2017 (arXiv:1611.04076, equation 9: a = 0, b = c = 1). It is 1/4 at best where the
    discriminator cannot tell; it then says 1/2, which divides real from generated here, instead of 0.
    """
    target = 1.0 - label_smoothing
    return (ops.mean(ops.square(real_logits - target)) + ops.mean(ops.square(fake_logits))) / 2


def least_squares_generator_loss(fake_logits: keras.KerasTensor) -> keras.KerasTensor:
    """Computes the generator's `(D(G(z)) - 1)^2 / 2` (Mao et al. 2017, equation 9)."""
    return ops.mean(ops.square(fake_logits - 1.0)) / 2


def hinge_discriminator_loss(
    real_logits: keras.KerasTensor,
    fake_logits: keras.KerasTensor,
    least_margin: float = 1.0,
    seed: tf.Tensor | None = None,
) -> keras.KerasTensor:
    """Asks for a margin of one on either side: `max(0, 1 - D(x)) + max(0, 1 + D(G(z)))`.

    Geometric GAN, Lim & Ye 2017 (arXiv:1705.02894); with spectral normalisation, Miyato et al. 2018
    (arXiv:1802.05957). Pictures beyond the margin teach nothing more. It is 2 where all logits are 0.

    With a `least_margin` below 1 every logit is asked for a margin of its own, drawn uniformly between that and 1
    by `seed`, int `[2]`: FastGAN's authors have 0.8 (Liu et al. 2021, arXiv:2101.04775, in their code alone).
    Raises `ValueError` for one outside of [0, 1], and where there is no seed to draw by.
    """
    if not 0 <= least_margin <= 1:
        raise ValueError(f"least_margin={least_margin}: it must be between 0 and 1.")
    real_margin = fake_margin = 1.0
    if least_margin < 1:
        if seed is None:
            raise ValueError(f"least_margin={least_margin}: margins are drawn, and there is no seed.")
        real_margin, fake_margin = (
            tf.random.stateless_uniform(tf.shape(logits), key, least_margin, 1.0, logits.dtype)
            for logits, key in zip((real_logits, fake_logits), tf.unstack(tf.random.split(seed)), strict=True)
        )
    return ops.mean(ops.relu(real_margin - real_logits)) + ops.mean(ops.relu(fake_margin + fake_logits))


def hinge_generator_loss(fake_logits: keras.KerasTensor) -> keras.KerasTensor:
    """Computes the generator's `-D(G(z))` (Lim & Ye 2017), whose gradient never fades."""
    return -ops.mean(fake_logits)


def wasserstein_discriminator_loss(
    real_logits: keras.KerasTensor, fake_logits: keras.KerasTensor
) -> keras.KerasTensor:
    """Computes the critic's `D(G(z)) - D(x)` (WGAN, Arjovsky et al. 2017, arXiv:1701.07875).

    For a critic that is Lipschitz continuous, minus an estimate of the distance between the two distributions,
    times the Lipschitz constant. It has no lower bound otherwise: clip the weights, or add a gradient penalty
    (`losses.penalties`). Logits have no zero point: adding a constant to all changes nothing.
    """
    return ops.mean(fake_logits) - ops.mean(real_logits)


def wasserstein_generator_loss(fake_logits: keras.KerasTensor) -> keras.KerasTensor:
    """Computes the generator's `-D(G(z))` (Arjovsky et al. 2017)."""
    return -ops.mean(fake_logits)


def relativistic_discriminator_loss(
    real_logits: keras.KerasTensor, fake_logits: keras.KerasTensor
) -> keras.KerasTensor:
    """Computes the cross-entropy of telling which of a pair is real: `-log sigmoid(D(x) - D(G(z)))`, in nats.

    The paired form, RSGAN, of Jolicoeur-Martineau 2018 (arXiv:1807.00734). Both logits have the same shape: the
    i-th real picture is compared with the i-th generated one. It is log 2 where the discriminator cannot tell.
    R3GAN (Huang et al. 2024, arXiv:2501.05441) joins it to the penalties R1 and R2 and shows that it converges.
    """
    return ops.mean(ops.softplus(fake_logits - real_logits))


def relativistic_generator_loss(
    fake_logits: keras.KerasTensor, real_logits: keras.KerasTensor
) -> keras.KerasTensor:
    """Computes the generator's `-log sigmoid(D(G(z)) - D(x))`: it wins by looking more real than its partner.

    The one generator loss here that takes the real pictures' logits too (Jolicoeur-Martineau 2018).
    """
    return ops.mean(ops.softplus(real_logits - fake_logits))
