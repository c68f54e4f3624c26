"""What a configuration names is built, or refused by the name of what does not take it."""

import pytest
from omegaconf import OmegaConf

from core.errors import GessoError
from core.instantiate import build


def test_a_key_that_a_partial_target_does_not_take_is_named():
    """Not by the system that calls it, an hour of reading later."""
    config = {"_target_": "losses.adversarial.hinge_generator_loss", "_partial_": True, "label_smoothing": 0.0}
    with pytest.raises(GessoError, match=r"hinge_generator_loss: got an unexpected keyword .*label_smoothing"):
        build(OmegaConf.create({"generator_loss": config}))


def test_a_whole_rate_is_a_rate():
    """Keras takes floats alone."""
    rate = build(OmegaConf.create({"_target_": "keras.optimizers.SGD", "learning_rate": 1})).learning_rate
    assert float(rate) == 1.0
