"""Exports: the networks of a run that a user takes away, each with what it is."""

from dataclasses import replace

import keras
from omegaconf import DictConfig

from core.errors import GessoError
from core.images import config_hash, software
from core.network_metadata import Metadata
from core.run import Run
from data import DatasetSpec
from models import trained


class Exporter:
    """Writes the networks that a system exports, whole or not at all, into a run directory."""

    def __init__(self, config: DictConfig, name: str, model: keras.Model, spec: DatasetSpec):
        """`name` is the system's in `conf/model/`, `spec` that of the data it learns from.

        Raises `GessoError` for a system whose networks do not say what a user would need to know of them.
        """
        self.model = model
        self.metadata = {}
        for export, network in model.exports.items():
            try:
                self.metadata[export] = describe(config, name, model, network, spec)
            except ValueError as error:
                raise GessoError(
                    f"What model={name} exports as {export} cannot be used: {error}. A system says its method "
                    "(models/base.py), and what builds a network sets network.geometry (core/network_metadata.py)."
                ) from error

    def __call__(self, run: Run) -> None:
        step = int(self.model.step.numpy())
        for export, network in self.model.exports.items():
            trained.save(network, run.network(export), replace(self.metadata[export], step=step))


def describe(
    config: DictConfig, name: str, model: keras.Model, network: keras.Model, spec: DatasetSpec
) -> Metadata:
    """Returns what a network is that the system `model` exports. Raises `ValueError` where that is not known."""
    takes_labels = config.model.kind == "generator" and len(network.inputs) == 2
    return Metadata(
        kind=config.model.kind,
        method=model.method,
        task=spec.task,
        image_size=spec.image_shape[0],
        classes=tuple(spec.class_names) if takes_labels else (),
        styles=model.style_names,
        geometry=getattr(network, "geometry", None),
        model=name,
        config_sha256=config_hash(config),
        software=software(),
    )
