"""What a machine does to a training: disks that are full, folders that go, clocks that jump, two at once."""

import errno
import itertools
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hydra import initialize_config_dir

from core import rows
from core.checks import without_blocks
from core.claim import claimed
from core.cli import ROOT, _errors_in_words
from core.config import CONF, compose
from core.errors import GessoError
from core.files import atomic
from core.run import Run
from data import ImageDataset
from models import trained
from training import checkpoint, loop
from training.callbacks import StepCallback

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
TINY = (
    "model=mlp",
    "model.width=8",
    "model.discriminator_width=4",
    "batch_size=4",
    "log_every=2",
    "sample_every=2",
)


@pytest.fixture(scope="module")
def train_in():
    """Trains a tiny model to a step in this process: `train_in(folder, step)` gives the run."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = without_blocks(compose("train", [*TINY, "steps=6", "checkpoint_every=2"]))

    def trained_to(folder: Path, last: int) -> Run:
        training = loop.Training(Run(folder), config, ImageDataset("made", IMAGES), "mlp", seed=1)
        model = loop.make(config, training.dataset, seed=1)
        checkpoint.restore(training.run, model)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(loop.tensorboard, "describe", lambda *args: None)  # asks what Hydra knows
            loop.fit(training, model, last)
        return training.run

    return trained_to


@pytest.fixture(scope="module")
def straight(train_in, tmp_path_factory) -> Run:
    """A run of six steps that nothing happens to."""
    return train_in(tmp_path_factory.mktemp("straight"), 6)


@pytest.fixture
def train(train_in, tmp_path):
    """The same with a run of the test's own: `train(step)`."""
    return lambda last: train_in(tmp_path / "run", last)


def arrays(run: Run) -> dict[str, bytes]:
    with np.load(run.saved()[-1], allow_pickle=False) as file:
        return {name: file[name].tobytes() for name in file.files}


def timeless(run: Run) -> list[dict]:
    return [{k: v for k, v in row.items() if k != "images_per_second"} for row in rows.read(run.metrics)]


@pytest.mark.parametrize("place", ["checkpoint", "export"])
def test_a_full_disk_ends_a_run_that_goes_on_to_the_same_bits(train, straight, monkeypatch, place, largest_file):
    """At step 4: what there was stays, nothing is half-written, and with room again all is as if there had been."""
    where, name = {"checkpoint": (np, "savez"), "export": (trained, "save")}[place]
    write, calls = getattr(where, name), itertools.count(1)

    def limited(*arguments, **options):
        with largest_file(1000 if next(calls) == 2 else resource.RLIM_INFINITY):
            return write(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(where, name, limited)
        with pytest.raises(GessoError, match=r"Could not write .*run/(checkpoints/step_0+4|generator).*: File too"):
            train(6)
    run = train(6)
    assert arrays(run) == arrays(straight) and timeless(run) == timeless(straight)
    assert list(run.folder.rglob(".*")) == []


def test_a_resumed_run_knows_its_last_row(train, train_in, tmp_path, monkeypatch):
    """The monitor of collapse looks at it, at a step before the next one."""
    seen, watching = [], loop._watching

    class Looks(StepCallback):
        def __init__(self, scalars):
            super().__init__(1, 5)
            self.scalars = scalars

        def at(self, step: int) -> None:
            if step == 5:
                seen.append({k: v for k, v in self.scalars.latest.items() if k != "images_per_second"})

    monkeypatch.setattr(loop, "_watching", lambda *given: [*watching(*given), Looks(given[3])])
    train_in(tmp_path / "straight", 6)
    train(4)
    train(6)
    assert seen[0] == seen[1] and "discriminator_accuracy" in seen[0]


def test_a_full_disk_at_an_event_file_is_no_lack_of_memory(tmp_path, capsys, largest_file):
    """TensorFlow has one class of error for both."""
    with largest_file(2000), pytest.raises(SystemExit), _errors_in_words(None, "train"):
        writer = tf.summary.create_file_writer(str(tmp_path / "tensorboard"))
        with writer.as_default():
            for step in range(30):
                tf.summary.text("text", "x" * 300, step=step)
        writer.flush()
    said = capsys.readouterr().err
    assert re.search(r"Could not write \S*tensorboard/events\S*: File too large\.$", said.strip()), said
    words = "{{function_node __wrapped__WriteSummary}} /run/events.v2; No space left on device\n\tFailed to flush"
    with pytest.raises(SystemExit), _errors_in_words(None, "train"):
        raise tf.errors.ResourceExhaustedError(None, None, words)
    assert "Could not write /run/events.v2: No space left on device." in capsys.readouterr().err


@pytest.mark.parametrize(
    "error",
    [
        tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[9,9]"),
        MemoryError("Unable to allocate 9 TiB"),  # numpy's
    ],
)
def test_lack_of_memory_is_said(error, capsys):
    with pytest.raises(SystemExit), _errors_in_words(None, "train"):
        raise error
    assert "Out of memory" in capsys.readouterr().err


@pytest.mark.parametrize("how", ["deleted", "moved", "unmounted"])
def test_a_folder_that_goes_ends_the_run_and_is_not_made_anew(train, tmp_path, monkeypatch, how):
    class Goes(StepCallback):
        def at(self, step: int) -> None:
            if step == 3:
                folder = tmp_path / "run"
                shutil.rmtree(folder) if how == "deleted" else folder.rename(tmp_path / "elsewhere")
                if how == "unmounted":
                    folder.mkdir()

    watching = loop._watching
    monkeypatch.setattr(loop, "_watching", lambda *given: [*watching(*given), Goes(1, 6)])
    with pytest.raises(GessoError, match=r"run has gone.*Stopped at step 4"):
        train(6)
    assert how == "unmounted" or not (tmp_path / "run").exists()
    assert list((tmp_path / "run").glob("*")) == []
    if how == "moved":
        monkeypatch.undo()
        assert int(Run(tmp_path / "elsewhere").saved()[-1].stem[-1]) == 2


def test_a_clock_that_jumps_changes_nothing_but_speeds(train, straight, monkeypatch):
    """It stands still, goes back and leaps forward."""
    jumps = itertools.cycle([0.0, 0.0, -1e8, 1e9, 1.0, 0.0])
    since_1970, counted = time.time(), time.perf_counter()
    monkeypatch.setattr(time, "time", lambda: since_1970 + next(jumps))
    monkeypatch.setattr(time, "perf_counter", lambda: counted + next(jumps))
    run = train(6)
    monkeypatch.undo()
    assert arrays(run) == arrays(straight) and timeless(run) == timeless(straight)
    assert all(np.isfinite(row["images_per_second"]) for row in rows.read(run.metrics))


HOLDER = "import sys, time; from core.claim import claimed; from core.run import Run\n" \
    "with claimed(Run(sys.argv[1])): print('mine', flush=True); time.sleep(100)"  # fmt: skip


def test_a_second_process_is_refused_until_the_first_is_dead(tmp_path, script):
    """Whether it resumes the run or is a new one that names its folder; a killed process keeps nothing.

    The log there is the first one's.
    """
    run = Run(tmp_path / "run")
    run.folder.mkdir()
    run.metrics.touch()
    command = [sys.executable, "-c", HOLDER, str(run.folder)]
    holder = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "mine\n"
        done = script("train.py", *TINY, f"hydra.run.dir={run.folder}")
        assert done.returncode == 1 and "Another process is training in" in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
        assert sorted(run.folder.iterdir()) == [run.lock, run.metrics]
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with claimed(run), pytest.raises(GessoError, match="Another process"), claimed(run):
        pass
    assert list(run.folder.iterdir()) == [run.metrics]


def test_what_a_kill_left_half_written_is_removed(tmp_path):
    run = Run(tmp_path)
    kept = [run.sample(3), run.metrics, run.checkpoint(2), tmp_path / ".notes.txt"]
    left = []
    for path in kept:
        with atomic(path) as temporary:
            temporary.write_text("half")
            left.append(shutil.copyfile(temporary, temporary.with_name(temporary.name.replace("-", "-x", 1))))
    with claimed(run):
        assert [path for path in left if path.exists()] == [] and all(path.exists() for path in kept)


def test_a_folder_that_may_not_be_written_is_said_in_words(tmp_path, monkeypatch):
    run = Run(tmp_path / "run")
    for number, words in ((errno.EACCES, "Permission denied"), (errno.EROFS, "Read-only file system")):
        with monkeypatch.context() as patched:

            def refuse(*arguments, number=number, **options):
                raise OSError(number, os.strerror(number))

            patched.setattr("core.claim.FileLock.acquire", refuse)
            with pytest.raises(GessoError, match=rf"Cannot write to .*run: {words}"), claimed(run):
                pass
    (tmp_path / "file").touch()
    with pytest.raises(GessoError, match="Cannot write to"), claimed(Run(tmp_path / "file" / "run")):
        pass


def test_without_locks_it_goes_on_with_a_warning(tmp_path, monkeypatch, caplog):
    def refuse(*arguments, **options):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("core.claim.FileLock.acquire", refuse)
    with claimed(Run(tmp_path / "run")):
        assert "There are no locks" in caplog.text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_at_the_log_file_is_said_once(tmp_path):
    """And does not end the run: what is logged is on the terminal."""
    (tmp_path / "other").touch()
    code = (
        "import logging, resource, signal, sys; from core.logs import LogFile; log = logging.getLogger()\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "log.addHandler(LogFile(sys.argv[1])); log.error('one'); log.error('two'); print('on')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "train.log")], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout == "on\n"
    assert done.stderr.count("File too large") == 1 and "Traceback" not in done.stderr, done.stderr


def test_a_clock_of_1970_is_said_in_words(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "localtime", lambda *seconds: time.gmtime(1e6))
    with pytest.raises(GessoError, match=r"Could not write .*the clock"):
        trained.save(None, tmp_path / "generator.keras", None)
