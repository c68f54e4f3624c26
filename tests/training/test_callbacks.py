"""What callbacks hear."""

import signal

import pytest

from core.signals import endings
from training.callbacks import GracefulStop


@pytest.mark.parametrize("number", [signal.SIGINT, *endings()])
def test_a_training_hears_of_its_end(number):
    """Also of a terminal that is closed."""
    before = signal.signal(number, lambda *_: None)
    try:
        with GracefulStop(None, last=5) as stop:
            signal.raise_signal(number)
    finally:
        signal.signal(number, before)
    assert stop.signal == number
