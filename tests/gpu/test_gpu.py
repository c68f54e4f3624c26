"""What is only so on a GPU: `make test-gpu`. Without one, all of it is skipped."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.cli import ROOT
from core.run import Run

TINY = (
    "dataset.num_images=64", "batch_size=8", "model.width=4", "steps=6", "log_every=2", "sample_every=6",
    "checkpoint_every=6",
)  # fmt: skip

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module", autouse=True)
def gpu() -> dict:
    """Says what the first GPU is; skips where there is none."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        pytest.skip("no GPU that TensorFlow can use")
    tf.config.experimental.set_memory_growth(gpus[0], True)
    return tf.config.experimental.get_device_details(gpus[0])


def begin(*command: object, **environment: str) -> subprocess.Popen:
    """Starts a script in a process of its own: none that is forked from one with a GPU may use it."""
    script, *rest = map(str, command)
    return subprocess.Popen(
        [sys.executable, str(ROOT / script), *rest],
        env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def end(process: subprocess.Popen) -> str:
    """Waits for a script that has to succeed; returns what it said."""
    said = process.communicate(timeout=600)[0]
    assert process.returncode == 0, said
    return said


def state(run: Path, step: int) -> dict[str, np.ndarray]:
    with np.load(Run(run).checkpoint(step)) as checkpoint:
        return {name: checkpoint[name] for name in checkpoint.files}


def assert_same_bits(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    different = [name for name in one if one[name].tobytes() != other[name].tobytes()]
    assert not different


def losses(run: Path) -> list[dict]:
    lines = Run(run).metrics.read_text().splitlines()
    return [row for row in map(json.loads, lines) if "generator_loss" in row]


def test_precision_goes_by_what_the_gpu_can(gpu):
    from core import hardware

    expected = "mixed_bfloat16" if gpu["compute_capability"] >= (8, 0) else "float32"
    assert hardware.best_precision() == expected


def test_metrics_are_computed_with_all_digits(gpu):
    """Products of float32 numbers have 24 bits there, where training may round factors to 11."""
    import tensorflow as tf

    from core import hardware

    if gpu["compute_capability"] < (8, 0):
        pytest.skip("this GPU has no TF32")
    factors = np.random.default_rng(0).uniform(-1, 1, (2, 512, 512))
    exact = factors[0] @ factors[1]

    def error() -> float:
        product = tf.matmul(*tf.constant(factors, tf.float32)).numpy()
        return float(np.abs(product - exact).max())

    rounded = error()
    with hardware.full_float32():
        full = error()
    assert full < 1e-4 < 1e-3 < rounded
    assert error() == rounded


@pytest.mark.parametrize("xla", ["true", "false"])
def test_deterministic_trainings_give_the_same_bits(tmp_path, xla):
    """Straight through, and stopped after three steps and resumed."""
    options = (
        "trainer.deterministic=true",
        f"trainer.jit_compile={xla}",
        "loss.penalties.r1.weight=1",
        "penalty=r1",
    )
    straight, halved = tmp_path / "straight", tmp_path / "halved"
    one = begin("train.py", *TINY, *options, f"hydra.run.dir={straight}")
    other = begin("train.py", *TINY, *options, f"hydra.run.dir={halved}", "steps=3")
    assert "GPU:0" in end(one)
    end(other)
    end(begin("train.py", f"resume={halved}", "steps=6"))
    assert_same_bits(state(straight, 6), state(halved, 6))


def test_several_steps_at_once_are_the_same_steps(tmp_path):
    options = ("trainer.deterministic=true", "trainer.jit_compile=false")
    runs = [tmp_path / str(steps) for steps in (1, 2)]
    started = [
        begin("train.py", *TINY, *options, f"trainer.steps_per_execution={run.name}", f"hydra.run.dir={run}")
        for run in runs
    ]
    for process in started:
        end(process)
    assert_same_bits(*(state(run, 6) for run in runs))


def test_xla_computes_the_same(tmp_path):
    """The losses of the first two steps, in float32: later ones differ, as trainings do."""
    runs = {xla: tmp_path / xla for xla in ("true", "false")}
    options = ("precision=float32", "log_every=1", "steps=2", "sample_every=2", "checkpoint_every=2")
    started = [
        begin("train.py", *TINY, *options, f"trainer.jit_compile={xla}", f"hydra.run.dir={run}")
        for xla, run in runs.items()
    ]
    for process in started:
        end(process)
    for one, other in zip(*(losses(run) for run in runs.values()), strict=True):
        for name in ("generator_loss", "discriminator_loss"):
            assert one[name] == pytest.approx(other[name], rel=0.01)


def test_jobs_share_a_gpu(tmp_path):
    """Three at once, as a sweep starts them: each takes the memory that it needs and no more."""
    started = [begin("train.py", *TINY, f"seed={seed}", f"hydra.run.dir={tmp_path}/{seed}") for seed in (1, 2, 3)]
    for process in started:
        end(process)


def test_a_gpu_that_is_not_there_is_refused(tmp_path):
    process = begin("train.py", *TINY, "trainer.devices=[77]", f"hydra.run.dir={tmp_path}/run")
    said = process.communicate(timeout=600)[0]
    assert process.returncode == 1 and "trainer.devices=[77]" in said and "Traceback" not in said


def test_a_training_that_diverges_is_stopped(tmp_path):
    """Though losses are looked at every so often alone, so that the GPU need not wait."""
    options = (
        "model.generator_optimizer.learning_rate=1e30",
        "steps=400",
        "checkpoint_every=400",
        "sample_every=400",
    )
    process = begin("train.py", *TINY, *options, "log_every=200", f"hydra.run.dir={tmp_path}/run")
    said = process.communicate(timeout=600)[0]
    assert process.returncode == 1 and "Traceback" not in said
    assert not Run(tmp_path / "run").saved()


def test_paintings_are_the_cpus(tmp_path):
    """A network of the zoo paints the same picture on both, to within bfloat16's digits."""
    random = np.random.default_rng(0)
    small = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    small.resize((320, 240), Image.Resampling.BICUBIC).save(tmp_path / "content.png")
    started, painted = {}, {}
    for device, visible in (("gpu", {}), ("cpu", {"CUDA_VISIBLE_DEVICES": "-1"})):
        paths = f"content={tmp_path}/content.png", f"output={tmp_path}/{device}.png"
        started[device] = begin("stylize.py", "network=styles", "style=great_wave", *paths, **visible)
    for device, process in started.items():
        end(process)
        with Image.open(tmp_path / f"{device}.png") as picture:
            painted[device] = np.asarray(picture.convert("RGB"), np.float32)
    assert np.abs(painted["gpu"] - painted["cpu"]).mean() < 4
    assert np.abs(painted["gpu"] - painted["cpu"]).max() < 100
