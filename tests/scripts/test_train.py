"""`train.py` as a user runs it: whole command lines, their files, messages and exit codes."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from core.cli import ROOT
from core.run import Run

TINY = (
    "image_size=32", "batch_size=8", "model.width=4", "dataset.num_images=40",
    "log_every=${model.width}", "sample_every=20", "checkpoint_every=10",  # what interpolates, resumes hand on
    "model.generator_optimizer.learning_rate={_target_: training.schedules.ConstantThenLinear, initial: 0.0002, "
    "constant: 0.5, last_step: 100}",
    "model.discriminator_optimizer.learning_rate=${model.generator_optimizer.learning_rate}",
)  # fmt: skip


def rows(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def without_time(run: Path) -> list[dict]:
    return [{k: v for k, v in row.items() if k != "images_per_second"} for row in rows(run)]


def assert_same_state(one: Path, other: Path) -> None:
    a, b = (np.load(Run(run).saved()[-1], allow_pickle=False) for run in (one, other))
    assert a.files == b.files
    for name in a.files:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@pytest.fixture(scope="module")
def straight(tmp_path_factory, script) -> Path:
    """A run of 50 steps, undisturbed."""
    run = tmp_path_factory.mktemp("straight") / "run"
    done = script("train.py", *TINY, "steps=50", f"hydra.run.dir={run}")
    assert done.returncode == 0, done.stderr
    assert "Pictures:" in done.stderr and "Dashboard: tensorboard --logdir" in done.stderr
    return run


def test_run_directory(straight):
    there = {str(path.relative_to(straight)) for path in straight.rglob("*") if path.is_file()}
    assert {
        ".hydra/config.yaml", "train.log", "metrics.jsonl", "generator.keras", "samples/reals.png",
        "samples/step_00000020.png", "samples/step_00000040.png", "samples/step_00000050.png",
        "checkpoints/step_00000040.npz", "checkpoints/step_00000050.npz",
    } < there  # fmt: skip
    assert not [name for name in there if "/." in name.replace(".hydra", "hydra")], "temporary files left"
    assert len([name for name in there if name.startswith("checkpoints/")]) == 2


def test_metrics(straight):
    *logged, evaluation = rows(straight)
    assert [row["step"] for row in logged] == [*range(4, 50, 4), 50]
    assert evaluation.keys() == {"step", "images", "sliced_wasserstein"} and evaluation["step"] == 50
    result = json.loads((straight / "result.json").read_text())
    assert result["values"] == {key: value for key, value in (logged[-1] | evaluation).items() if key != "step"}
    assert result["objective"] == "sliced_wasserstein" and "steps=50" in result["overrides"]
    assert result["settings"]["sliced_wasserstein"]["num"] == 40
    assert logged[-1]["images"] == 400
    names = ("loss", "gradient_norm", "learning_rate")
    assert {f"{net}_{name}" for net in ("generator", "discriminator") for name in names} < logged[0].keys()
    assert all(0 < row["real_probability"] < 1 and row["images_per_second"] > 0 for row in logged)


def test_tensorboard(straight):
    events = EventAccumulator(str(straight / "tensorboard"), size_guidance={"tensors": 0})
    events.Reload()
    tags = set(events.Tags()["tensors"])
    assert {
        "losses/generator_loss", "scores/real_probability", "scores/fake_probability",
        "gradients/generator_gradient_norm", "learning_rates/generator_learning_rate", "speed/images_per_second",
        "samples", "reals", "config",
    } < tags  # fmt: skip
    logged = {e.step: float(tf.make_ndarray(e.tensor_proto)) for e in events.Tensors("losses/generator_loss")}
    assert logged == pytest.approx({row["step"]: row["generator_loss"] for row in rows(straight)[:-1]})
    assert "evaluation/sliced_wasserstein" in tags
    metadata = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    told = HParamsPluginData.FromString(metadata).session_start_info.hparams
    assert told["model"].string_value == "dcgan" and told["seed"].number_value == 1
    assert not [name for name in told if name.endswith("_target_")]


def test_samples_carry_provenance(straight):
    with Image.open(straight / "samples" / "step_00000050.png") as image:
        assert image.size == (8 * 34 + 2, 8 * 34 + 2)
        assert image.text["Model"] == "dcgan" and image.text["Source"] == "Made by a neural network"


@pytest.mark.long
def test_a_sweep_that_is_terminated_goes_on(straight, tmp_path, start, script):
    """A job that fails does not stop it; one that is terminated saves; what is finished is not done again.

    And a job's result is that of the same command alone.
    """
    common = [override for override in TINY if not override.startswith("dataset.num_images")]
    command = ("train.py", "-m", *common, "steps=50", "dataset.num_images=4,40", f"hydra.sweep.dir={tmp_path}")
    failing, run = tmp_path / "0_dataset.num_images-4", Run(tmp_path / "1_dataset.num_images-40")
    sweep = start(*command)
    wait_for_a_checkpoint(sweep, run)
    sweep.send_signal(signal.SIGTERM)
    _, errors = sweep.communicate(timeout=300)
    assert sweep.returncode == 130 and "The sweep is interrupted" in errors, errors
    assert rows(run.folder)[-1]["step"] <= int(run.saved()[-1].stem.removeprefix("step_")) < 50

    done = script(*command)
    assert done.returncode == 1 and "exit code 1" in done.stderr and not (failing / "result.json").exists()
    assert_same_state(straight, run.folder)
    assert without_time(straight) == without_time(run.folder)
    value = json.loads((straight / "result.json").read_text())["values"]["sliced_wasserstein"]
    assert json.loads(run.result.read_text())["values"]["sliced_wasserstein"] == value
    best = json.loads(run.best_score.read_text())
    assert best.items() >= {"step": 50, "objective": "sliced_wasserstein", "value": value}.items()
    assert best["settings"]["num"] == 40
    assert run.best.network("generator").is_file()

    finished = run.result.stat().st_mtime_ns
    done = script(*command)
    assert done.returncode == 1 and f"Done before: {run.folder}" in done.stderr, done.stderr
    assert run.result.stat().st_mtime_ns == finished


def wait_for_a_checkpoint(process, run: Run) -> None:
    """Until there is another than before, or the process ends."""
    before = run.saved()
    while process.poll() is None and run.saved() in (before, []):
        time.sleep(0.005)


@pytest.mark.slow
def test_killed_interrupted_and_raised_is_the_straight_run(straight, tmp_path, start, script):
    """SIGKILL, more steps after the end, Ctrl-C; then all state and all losses, bit for bit."""
    run = Run(tmp_path / "run")
    process = start("train.py", *TINY, "steps=26", f"hydra.run.dir={run.folder}")
    wait_for_a_checkpoint(process, run)
    time.sleep(random.uniform(0, 0.3))  # to the middle of things: training, writing, exporting
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=300)
    assert process.returncode in (-signal.SIGKILL, 0)  # or it was done already
    done = script("train.py", f"resume={run.folder}")
    assert done.returncode == 0, done.stderr
    assert rows(run.folder)[-1].items() >= {"step": 26, "images": 208}.items() and run.result.is_file()

    process = start("train.py", "--config-dir", str(tmp_path), f"resume={run.folder}", "steps=50")
    wait_for_a_checkpoint(process, run)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 130 and "steps: 26 -> 50" in errors, errors
    assert f"To go on: python train.py resume={run.folder} --config-dir {tmp_path}" in errors, errors
    done = script("train.py", f"resume={run.folder}")
    assert done.returncode == 0, done.stderr
    assert_same_state(straight, run.folder)
    assert without_time(straight) == without_time(run.folder)

    again = script("train.py", f"resume={run.folder}", "metrics=[kid]", "features=pixels")  # ranked anew
    assert again.returncode == 0 and "Nothing to do" in again.stderr, again.stderr
    result = json.loads(run.result.read_text())
    assert result["objective"] == "kid" and result["values"]["kid"] > 0
    assert result["step"] == 50 and {"generator_loss", "sliced_wasserstein"} < result["values"].keys()


def test_another_run_s_folder_is_not_gone_on_with(straight, script):
    before = {path.name: path.read_bytes() for path in (straight / ".hydra").iterdir()}
    assert before.keys() == {"config.yaml", "hydra.yaml", "overrides.yaml"}
    done = script("train.py", *TINY, "steps=60", "seed=7", "loss=hinge", f"hydra.run.dir={straight}")
    assert done.returncode == 1 and "holds a run of another configuration" in done.stderr, done.stderr
    assert f"resume={straight}" in done.stderr and "Traceback" not in done.stderr
    assert {path.name: path.read_bytes() for path in (straight / ".hydra").iterdir()} == before


def test_changed_architecture_is_refused(straight, script):
    done = script("train.py", f"resume={straight}", "model.width=8")
    assert done.returncode == 1
    assert "would change what" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_nan_stops_and_keeps_the_last_good_checkpoint(straight, tmp_path, script):
    run = tmp_path / "run"
    shutil.copytree(straight, run)
    done = script("train.py", f"resume={run}", "steps=90", "model.generator_optimizer.learning_rate=1e38")
    assert done.returncode == 1, done.stderr
    assert "NaN or infinite" in done.stderr and "Traceback" not in done.stderr
    assert Run(run).saved()[-1].name == "step_00000050.npz"
    assert not Run(run).result.exists()  # it went on, and is not finished
    assert_same_state(straight, run)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["stpes=5"], "Did you mean steps?"),
        (["model.widht=5"], "Did you mean model.width?"),
        (["modle=dcgan"], "Did you mean model?"),
        (["model=dcgna"], "Did you mean dcgan?"),
        (["penalty=[r1,r3]"], "penalty=r3: there is no such option"),
        (["loss.penalties.r1.weight=2"], "unless penalty=r1 adds it"),
        (["dataset=painting"], "Did you mean paintings?"),
        (["steps=many"], "must be a whole number"),
        (["batch_size=64", "dataset.num_images=20"], "has only 20 pictures"),
        (["hydra.run.dir=/dev/null/x"], "/dev/null/x"),
        (["dataset=image_folder"], "dataset.root="),
        (["steps=[1,2"], "steps"),
        (["resume=/nowhere"], "not a run directory"),
    ],
)
def test_errors_in_words(script, tmp_path, arguments, words):
    folder = [] if "hydra.run.dir" in arguments[0] else [f"hydra.run.dir={tmp_path}/run"]
    done = script("train.py", *arguments, *folder)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.strip().splitlines()) <= 3
    assert list(tmp_path.iterdir()) == []


def test_traceback_on_request(script, tmp_path):
    done = script("train.py", "image_size=100", f"hydra.run.dir={tmp_path}", HYDRA_FULL_ERROR="1")
    assert done.returncode == 1 and "Traceback" in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["--cfg", "job"]])
def test_answers_without_tensorflow(arguments):
    command = [sys.executable, "-X", "importtime", "train.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and "image_size" in done.stdout
    imported = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "hydra" in imported and not {"tensorflow", "keras"} & imported
