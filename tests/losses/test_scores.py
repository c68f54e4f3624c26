import numpy as np
import pytest
import tensorflow as tf

from losses import scores

LOGITS = tf.constant([[2.0, -1.0], [0.5, 3.0]]), tf.constant([[1.0, -2.0], [-3.0, 0.0]])


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def test_an_ideal_discriminator_on_its_own_scale():
    """What issue 17 found: an LSGAN that says 1 and 0 was shown as 0.73 and 0.5."""
    ones, zeros = tf.ones([4]), tf.zeros([4])
    assert {name: float(value) for name, value in scores.outputs(ones, zeros).items()} == {
        "real_output": 1.0,
        "fake_output": 0.0,
    }
    sure = scores.probabilities(ones * 100, ones * -100)
    assert {name: float(value) for name, value in sure.items()} == {
        "real_probability": 1.0,
        "fake_probability": 0.0,
    }
    assert float(scores.pair_probability(ones * 107, ones * 7)["pair_probability"]) == 1.0


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (
            scores.probabilities,
            lambda real, fake: {"real_probability": sigmoid(real), "fake_probability": sigmoid(fake)},
        ),
        (scores.outputs, lambda real, fake: {"real_output": real, "fake_output": fake}),
        (scores.critic_values, lambda real, fake: {"real_critic": real, "fake_critic": fake}),
        (scores.pair_probability, lambda real, fake: {"pair_probability": sigmoid(real - fake)}),
    ],
)
def test_values_in_numpy(score, expected):
    means = {name: float(value) for name, value in score(*LOGITS).items()}
    assert means == pytest.approx(
        {k: np.mean(v) for k, v in expected(*(x.numpy() for x in LOGITS)).items()}, rel=1e-6
    )
