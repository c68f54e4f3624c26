"""Exports: the networks of a run that a user takes away, each with what it is."""

from dataclasses import replace
from typing import Any

import keras
from omegaconf import DictConfig, OmegaConf

from core.errors import GessoError
from core.files import in_utf8
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
        now = {"step": int(self.model.step.numpy()), "images": self.model.memory.get("images")}
        for export, network in self.model.exports.items():
            trained.save(network, run.network(export), replace(self.metadata[export], **now))


def describe(
    config: DictConfig, name: str, model: keras.Model, network: keras.Model, spec: DatasetSpec
) -> Metadata:
    """Returns what a network is that the system `model` exports. Raises `ValueError` where that is not known."""
    words = getattr(model, "words", None)
    takes_condition = config.model.kind == "generator" and len(network.inputs) == 2
    takes_labels = takes_condition and words is None
    built_by = architecture(config)
    if "condition" in built_by and not takes_condition:  # whatever it began with
        built_by["condition"] = "none"
    return Metadata(
        kind=config.model.kind,
        method=model.method,
        task=spec.task,
        image_size=spec.image_shape[0],
        classes=tuple(map(in_utf8, spec.class_names)) if takes_labels else (),
        shares=spec.shares if takes_labels else (),
        styles=model.style_names,
        geometry=getattr(network, "geometry", None),
        words=() if words is None else words.vocabulary.words,
        sentence_length=None if words is None else words.vocabulary.length,
        sentences=() if words is None else words.shown,
        model=name,
        config_sha256=config_hash(config),
        software=software(),
        architecture=built_by,
    )


def architecture(config: DictConfig) -> dict[str, Any]:
    """Finds the keys below `model.` that networks are built by, with their values, as far as these are plain.

    They are those that `model.system` hands to the builders, and what a GAN hands to both of its own.
    """
    system = OmegaConf.to_container(config.model.system)
    builders = (part for part in system.values() if isinstance(part, dict) and part.get("_partial_"))
    given = {name: system[name] for name in ("condition", "prior", "latent_dim") if name in system}
    found = {}
    for value in [*given.values(), *(value for builder in builders for value in builder.values())]:
        key = str(value).removeprefix("${model.").removesuffix("}")
        if value == f"${{model.{key}}}" and isinstance(config.model[key], str | bool | int | float | None):
            found[key] = config.model[key]
    return found
