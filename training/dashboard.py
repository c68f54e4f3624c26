"""What TensorBoard shows of a run before its first step: its configuration and a grid of its data."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from omegaconf import DictConfig, OmegaConf
from tensorboard.plugins.hparams import api as hparams

from training import pictures
from training.config import leaves

# Where a run writes to or how often says nothing about its result.
_BESIDE = ("resume", "cache_dir", "log_every", "sample_every", "checkpoint_every", "keep_checkpoints", "trainer.")


def describe(
    config: DictConfig, folder: Path, writer: tf.summary.SummaryWriter, reals: np.ndarray, step: int
) -> None:
    """Writes the composed configuration as text, its values as hyperparameters, and `samples/reals.png`.

    `reals`: float images `[num, height, width, channels]` in [-1, 1]; `step`: where this part of the run starts.
    """
    sheet = pictures.grid(pictures.to_uint8(reals))
    chunks = {"Source": "Pictures of the data set, not made by a neural network"}
    pictures.save_png(folder / "samples" / "reals.png", sheet, chunks)
    with writer.as_default():
        text = OmegaConf.to_yaml(config, resolve=True)
        tf.summary.text("config", "\n".join(f"    {line}" for line in text.splitlines()), step=step)
        tf.summary.image("reals", sheet[None], step=step)
        hparams.hparams(hyperparameters(config), trial_id=str(folder))


def hyperparameters(config: DictConfig) -> dict[str, bool | int | float | str]:
    """The values of a configuration that may bear on the result, flat, as the HParams dashboard takes them."""
    return {
        key: value if isinstance(value, bool | int | float | str) else str(value)
        for key, value in leaves(config)
        if not key.startswith(_BESIDE)
        and not key.endswith("_partial_")
        and value is not None
        and not str(value).startswith("${")  # stands elsewhere already
    }
