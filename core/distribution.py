"""Several devices and machines by `tf.distribute`: set up, met, and lost."""

import functools
import json
import logging
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from omegaconf import DictConfig

from core.errors import GessoError
from core.overrides import typed
from core.workers import WHERE

log = logging.getLogger(__name__)


def choose_devices(config: DictConfig) -> None:
    """Says which devices TensorFlow may use, before it looks at any. Raises `GessoError` where some are missing."""
    import tensorflow as tf

    gpus, trainer = tf.config.list_physical_devices("GPU"), config.trainer
    asked = range(len(gpus)) if trainer.devices is None else trainer.devices
    asked = [asked] if isinstance(asked, int) else asked
    chosen = [gpus[i] for i in asked if i < len(gpus)]
    if len(chosen) < len(asked):
        raise GessoError(f"trainer.devices={list(asked)}: this machine has {len(gpus)} GPUs.")
    if trainer.strategy == "one":
        chosen = chosen[:1]
    see(chosen)
    if trainer.logical_cpus > 1:
        part = tf.config.LogicalDeviceConfiguration()
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [part] * trainer.logical_cpus)


def see(gpus: list) -> None:
    """Has TensorFlow use these physical GPUs alone, which can be told once: the same again is no matter.

    They take memory as they need it: another process's may be on the same one.
    """
    import tensorflow as tf

    tf.config.set_visible_devices(gpus, "GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)


def scope(kind: str) -> AbstractContextManager:
    """Returns the context in which a system is made that is to train by the `trainer.strategy` of that name."""
    return nullcontext() if kind == "one" else strategy(kind).scope()


@functools.cache
def strategy(kind: str):
    """Returns the `tf.distribute.Strategy`, the same at every call, of "mirrored" or "multi_worker".

    Of several workers, waits until all are there. To be made before TensorFlow computes anything.
    """
    import tensorflow as tf

    if kind == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    if WHERE not in os.environ:
        os.environ[WHERE] = json.dumps(_by_slurm())
    log.info("Waiting for all workers: %s", os.environ[WHERE])
    return tf.distribute.MultiWorkerMirroredStrategy()


def _by_slurm() -> dict:
    """Returns who trains together in this step of a SLURM job, as TF_CONFIG says it."""
    import tensorflow as tf

    # Which GPUs are whose is SLURM's business: the resolver would ask nvidia-smi.
    tasks = int(os.environ["SLURM_STEP_NUM_TASKS"])
    port = 20000 + int(os.environ.get("SLURM_JOB_ID", 0)) % 20000  # another job may be on the same machine
    resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
        port_base=port, gpus_per_node=tasks, gpus_per_task=1, auto_set_gpu=False
    )
    cluster = resolver.cluster_spec().as_dict()
    kind, index = resolver.get_task_info()
    return {"cluster": cluster, "task": {"type": kind, "index": index}}


def meet(kind: str, step: int = 0) -> None:
    """Waits until all workers are here. Raises `GessoError` where they are not at the same step."""
    if kind != "multi_worker":
        return
    import tensorflow as tf

    def total() -> tf.Tensor:
        return tf.distribute.get_replica_context().all_reduce("MEAN", tf.constant(float(step), tf.float64))

    everybody = strategy(kind)
    mean = everybody.experimental_local_results(tf.function(lambda: everybody.run(total))())[0]
    if float(mean) != step:
        raise GessoError(
            f"This worker is at step {step}, others are not: all must see the same folder, and what is in it."
        )


@contextmanager
def together(kind: str, folder: Path) -> Iterator[None]:
    """Turns into one message what a worker meets with when another has gone: alone, none goes on."""
    if kind != "multi_worker":
        yield
        return
    import tensorflow as tf

    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.InternalError,
            tf.errors.DeadlineExceededError, tf.errors.FailedPreconditionError) as error:  # fmt: skip
        log.debug("%s", error)
        raise GessoError(
            "Another worker has gone; it may have said why. What is saved stays: the same command for all with "
            f"{typed('resume', folder)} goes on."
        ) from error
