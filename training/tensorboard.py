"""A run in TensorBoard before its first step: its configuration and a grid of its data."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from tensorboard.plugins.hparams import api as hparams

from core.config import leaves
from core.images import grid, save_png, to_uint8
from core.run import Run

GROUPS = ("experiment", "model", "loss", "dataset")
# Where a run writes to or how often says nothing about its result.
_BESIDE = (
    "resume", "cache_dir", "weights", "metrics", "features", "evaluate", "log_every", "sample_every",
    "checkpoint_every", "keep_checkpoints", "trainer.",
)  # fmt: skip


def describe(config: DictConfig, run: Run, writer: tf.summary.SummaryWriter, reals: np.ndarray, step: int) -> None:
    """Writes the composed configuration as text, its values as hyperparameters, and `samples/reals.png`.

    `reals`: float images `[num, height, width, channels]` in [-1, 1]; `step`: where this part of the run starts.
    """
    sheet = grid(to_uint8(reals))
    chunks = {"Source": "Pictures of the data set, not made by a neural network"}
    save_png(run.reals, sheet, chunks)
    with writer.as_default():
        text = OmegaConf.to_yaml(config, resolve=True)
        tf.summary.text("config", "\n".join(f"    {line}" for line in text.splitlines()), step=step)
        tf.summary.image("reals", sheet[None], step=step)
        trial = "/".join(
            run.folder.absolute().parts[-2:]
        )  # <sweep>/<job>, as the table's narrow column can show it
        hparams.hparams(hyperparameters(config, HydraConfig.get().runtime.choices), trial_id=trial)


def hyperparameters(config: DictConfig, choices: Mapping[str, str | None]) -> dict[str, bool | int | float | str]:
    """Returns what may bear on the result, flat, as the HParams dashboard takes it.

    First the groups' options by name (`loss: hinge`), of Hydra's `choices`, then the values of the configuration.
    """
    groups = {group: choices[group] for group in GROUPS if choices.get(group) is not None}
    return groups | {
        key: value if isinstance(value, bool | int | float | str) else str(value)
        for key, value in leaves(config)
        if not key.startswith(_BESIDE)
        and not key.endswith(("_partial_", "_target_"))  # the groups' names say it shorter
        and value is not None
        and not str(value).startswith("${")  # stands elsewhere already
    }
