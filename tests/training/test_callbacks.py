"""What callbacks hear."""

import signal
from types import SimpleNamespace

import pytest
import tensorflow as tf

from core.errors import DivergedError
from core.signals import endings
from training.callbacks import ScalarLogger
from training.stopping import GracefulStop


def scalars() -> ScalarLogger:
    return ScalarLogger(None, tf.summary.create_noop_writer(), batch_size=1, every=1, last=5)


def test_a_state_of_nans_is_not_saved_by_a_stop():
    """On GPUs losses are looked at now and then alone, and a signal may come between."""
    saved, logged = [], scalars()
    extended = SimpleNamespace(_in_multi_worker_mode=lambda: False)
    model = SimpleNamespace(
        distribute_strategy=SimpleNamespace(extended=extended), logs={"total_loss": float("nan")}
    )
    stop = GracefulStop(SimpleNamespace(at=saved.append), logged, last=5)
    stop.set_model(model)
    logged.set_model(model)
    stop.signal = signal.SIGTERM
    with pytest.raises(DivergedError, match="by step 3"):
        stop.at(3)
    assert not saved
    model.logs = {"total_loss": 1.0}
    stop.at(3)
    assert saved == [3] and model.stop_training


@pytest.mark.parametrize("number", [signal.SIGINT, *endings()])
def test_a_training_hears_of_its_end(number):
    """Also of a terminal that is closed."""
    before = signal.signal(number, lambda *_: None)
    try:
        stop = GracefulStop(None, scalars(), last=5)
        with stop.listening():
            signal.raise_signal(number)
    finally:
        signal.signal(number, before)
    assert stop.signal == number
