"""Several replicas train what one device does: two halves of a CPU, and two processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.cli import ROOT
from core.run import Run

TINY = (
    "trainer=multi_worker", "trainer.threads=1", "precision=float32", "model.width=4", "batch_size=8",
    "dataset.num_images=40", "log_every=4", "sample_every=10", "checkpoint_every=10", "evaluate_num=16",
)  # fmt: skip


@pytest.fixture
def check(script, tmp_path):
    """Trains systems on one device and on two, and sees that all comes out alike."""

    def checked(weights: Path, *names: str) -> None:
        style = tmp_path / "style.png"
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)).save(style)
        program = Path(__file__).with_name("replicas.py")
        done = script(program, weights, style, *names, PYTHONPATH=str(ROOT), timeout=900)
        assert done.returncode == 0, done.stderr[-3000:]
        assert all(f"{name}: the same" in done.stdout for name in names)

    return checked


def test_two_replicas_train_what_one_device_does(check):
    """With accumulated, clipped gradients, conditions, and batch normalisation by the whole batch."""
    check(Path("none"), "gan")


@pytest.mark.long
def test_two_replicas_of_each_other_system(check, vgg_weights):
    check(vgg_weights, "r3gan", "pix2pix", "cyclegan", "srgan", "fast_style", "adain", "content_style_gan")


class Workers:
    """Two processes of one training, on the loopback address."""

    def __init__(self, run: Path, *arguments: str):
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0)), two.bind(("127.0.0.1", 0))
            hosts = [f"127.0.0.1:{s.getsockname()[1]}" for s in (one, two)]
        command = [sys.executable, str(ROOT / "train.py"), *TINY, *arguments, f"hydra.run.dir={run}"]
        self.run = run
        self.processes = [
            subprocess.Popen(
                command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=run.parent,
                env=os.environ | {"TF_CONFIG": json.dumps(
                    {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": i}}
                )},
            )
            for i in range(2)
        ]  # fmt: skip

    def ended(self) -> tuple[list[int], list[str]]:
        said = [process.communicate(timeout=300)[1] for process in self.processes]
        return [process.returncode for process in self.processes], said

    def after_a_checkpoint(self, which: int, number: int) -> None:
        while not Run(self.run).saved():
            assert all(process.poll() is None for process in self.processes)
            time.sleep(0.05)
        self.processes[which].send_signal(number)


@pytest.mark.long
def test_workers_that_were_killed_go_on_as_if_nothing_had_been(tmp_path):
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    codes, said = Workers(straight, "steps=60").ended()
    assert codes == [0, 0], said
    workers = Workers(killed, "steps=60")
    workers.after_a_checkpoint(1, signal.SIGKILL)
    began = time.monotonic()
    codes, said = workers.ended()
    assert codes == [1, -signal.SIGKILL] and time.monotonic() - began < 60
    assert said[0].count("Error: ") == 1 and "Another worker has gone" in said[0] and "Traceback" not in said[0]
    codes, said = Workers(killed, f"resume={killed}", "steps=60").ended()
    assert codes == [0, 0], said
    one, other = (np.load(Run(run).saved()[-1], allow_pickle=False) for run in (straight, killed))
    assert one.files == other.files and Run(killed).saved()[-1].name == "step_00000060.npz"
    for name in one.files:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.mark.slow
@pytest.mark.long
def test_workers_stop_together_where_one_is_asked_to(tmp_path):
    workers = Workers(tmp_path / "run", "steps=2000")
    workers.after_a_checkpoint(1, signal.SIGTERM)
    codes, said = workers.ended()
    assert codes == [128 + signal.SIGTERM] * 2, said
    assert "To go on" in said[0] and "Traceback" not in "".join(said)
