"""Exports: the networks of a run that a user takes away."""

import keras

from core.files import atomic
from core.run import Run


def export(run: Run, model: keras.Model) -> None:
    """Writes the networks that the system `model` exports, each whole or not at all."""
    for name, network in model.exports.items():
        with atomic(run.network(name)) as temporary:
            network.save(temporary)
