"""Settings that suit TensorFlow to the machine: precision, threads, and quiet."""

import ctypes
import logging
import os
import platform
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig

from core import distribution

log = logging.getLogger(__name__)

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3  # malloc.h
_loading = threading.Lock()


def load_tensorflow() -> None:
    """Imports TensorFlow without its chatter about oneDNN, CUDA and absl; an import error still shows all.

    Memory is kept from here on (`keep_memory`), and one GPU is used unless `set_up` says otherwise. TensorFlow 2.21
    prints these before it looks at `TF_CPP_MIN_LOG_LEVEL`, hence the detour by the file number.
    """
    keep_memory()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _loading:  # threads of the page
        if "tensorflow" not in sys.modules:
            _load()
    logging.getLogger("tensorflow").addFilter(_worth_saying)  # the same one, however often


def _load() -> None:
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile("w+") as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            import tensorflow as tf

            distribution.see(tf.config.list_physical_devices("GPU")[:1])
        except BaseException:
            chatter.seek(0)
            with os.fdopen(os.dup(kept), "w") as terminal:
                shutil.copyfileobj(chatter, terminal)
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _worth_saying(record: logging.LogRecord) -> bool:
    """Says whether a record of TensorFlow's is worth showing.

    That functions are traced for many sizes of tiles is not, nor how replicas add up what.
    """
    return record.levelno >= logging.WARNING and "tf.function retracing" not in record.getMessage()


def set_up(config: DictConfig) -> str:
    """Sets devices, seeds, threads and the Keras precision policy; returns the policy's name.

    Raises `GessoError` for devices that there are not.
    """
    load_tensorflow()
    import keras
    import tensorflow as tf

    distribution.choose_devices(config)
    if config.trainer.threads:
        tf.config.threading.set_intra_op_parallelism_threads(config.trainer.threads)
    if config.trainer.deterministic:
        tf.config.experimental.enable_op_determinism()
    distribution.scope(config.trainer.strategy)  # several workers meet here, before anything is computed
    keras.utils.set_random_seed(config.seed)
    policy = best_precision() if config.precision == "auto" else config.precision
    if config.precision == "mixed_bfloat16" and best_precision() == "float32":
        log.warning("This machine only emulates bfloat16, many times slower; precision=auto takes what is fastest.")
    keras.config.set_dtype_policy(policy)
    gpus = tf.config.list_logical_devices("GPU")
    used = ", ".join(gpu.name for gpu in gpus) or f"CPU ({os.cpu_count()} cores)"
    log.info("Device: %s, precision: %s", used, policy)
    return policy


@contextmanager
def full_float32() -> Iterator[None]:
    """Has products of float32 numbers computed with all their digits meanwhile.

    A GPU rounds the factors to 11 significant bits (TF32) otherwise, which is well in training, and would make what
    is measured depend on the machine. What is computed has to be fetched before the end.
    """
    import tensorflow as tf

    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


def prefer_onednn() -> None:
    """Has TensorFlow, which is yet to be imported, convolve by oneDNN on x86 processors unless the user says other.

    To be asked before training. By itself it does so only where there are instructions made for networks, such
    as AVX512-VNNI. With AVX2 alone training is 1.4 to 2 times as fast by oneDNN, and grouped convolutions have
    gradients by it alone; but what only paints is slower, and beyond a megapixel or a few hopelessly so
    (docs/results.md).
    """
    if platform.machine().lower() in ("x86_64", "amd64"):
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def keep_memory() -> bool:
    """Has glibc's malloc keep blocks of any size for the next time they are needed; false where it is not glibc.

    By default it gives large ones back at once, and the system has to find and zero their pages in every step anew.
    """
    keep = ((_M_MMAP_THRESHOLD, 2**30), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 2**28))
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS, Windows, musl
        return False
    return all([mallopt(option, value) for option, value in keep])


def best_precision() -> str:
    """Finds the precision that this machine multiplies fastest in without harm: a Keras policy name.

    bfloat16 keeps float32's range, so that losses need no scaling. Where the processor lacks it (of GPUs, before
    compute capability 8.0), it is float32: emulation is slower, and float16 needs care.
    """
    import tensorflow as tf

    gpus = tf.config.get_visible_devices("GPU")
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
        return "mixed_bfloat16" if capability >= (8, 0) else "float32"
    return "mixed_bfloat16" if _cpu_has_bfloat16() else "float32"


def _cpu_has_bfloat16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:  # not Linux
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
