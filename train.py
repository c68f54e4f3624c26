"""Trains the composed experiment: `python train.py model=dcgan dataset=wikiart`; `--help` lists the keys."""

import logging
import sys
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from training.app import main
from training.config import check_data, check_train, resumed
from training.instantiate import build

log = logging.getLogger(__name__)


@main("train")
def train(config: DictConfig) -> None:
    if config.resume:
        config = resumed(config, "train")
    check_train(config)
    folder = Path(HydraConfig.get().runtime.output_dir)
    if folder.is_relative_to(Path.cwd()):
        folder = folder.relative_to(Path.cwd())  # shorter, in messages to be copied
    name = HydraConfig.get().runtime.choices.model

    dataset = build(config.dataset)
    check_data(config, dataset)

    from training import hardware  # TensorFlow takes seconds to import: not before all of this is right

    hardware.set_up(config)
    import tensorflow as tf

    from training import callbacks, checkpoint, dashboard, pictures

    model = build(config.model.system, image_shape=dataset.image_shape, seed=config.seed)
    model.compile(
        generator_optimizer=build(config.model.generator_optimizer),
        discriminator_optimizer=build(config.model.discriminator_optimizer),
        **{key: build(loss) for key, loss in config.loss.items()},
        jit_compile=config.trainer.jit_compile,
    )
    start, last = checkpoint.restore(folder / "checkpoints", model), config.steps
    log.info("%s on %d pictures of %s, steps %d to %d: %s", name, len(dataset), dataset.name, start, last, folder)
    if start >= last:
        log.info("Nothing to do: already at step %d. Raise steps= to go on.", start)
        return

    writer = tf.summary.create_file_writer(str(folder / "tensorboard"))
    dashboard.describe(config, folder, writer, dataset.examples(64), start)
    chunks = pictures.provenance(name, config, config.seed)
    scalars = callbacks.Scalars(folder, writer, config.batch_size, config.log_every, last)
    checkpoints = callbacks.Checkpoints(
        folder, model.exports, config.keep_checkpoints, config.checkpoint_every, last
    )
    samples = callbacks.Samples(folder, writer, lambda: model.preview(64), chunks, config.sample_every, last)
    ending = callbacks.Ending(checkpoints, last)
    model.fit(
        dataset.stream(config.batch_size, config.seed, start_step=start),
        steps_per_epoch=config.checkpoint_every,
        epochs=-(-(last - start) // config.checkpoint_every),
        callbacks=[scalars, samples, checkpoints, callbacks.Progress(scalars, last), ending],
        verbose=0,
        shuffle=False,  # the stream is shuffled
    )
    writer.close()
    if ending.signal is not None:
        log.info("Interrupted. To go on: python train.py resume=%s", folder)
        sys.exit(128 + ending.signal)
    log.info(
        "Done. Pictures: %s\nMore of them: python generate.py run=%s\nDashboard: make dashboard (tensorboard "
        "--logdir outputs)",
        samples.folder, folder,
    )  # fmt: skip


if __name__ == "__main__":
    train()
