"""Command lines that are refused leave nothing behind; jobs of a sweep say why they failed."""

import signal
import time

import pytest

from core.run import Run
from evaluation.ranking import find


@pytest.mark.parametrize(
    "command",
    [
        ("train.py", "image_size=100"),
        ("train.py", "penalty=[{a:1}]"),
        ("train.py", "model=5"),
        ("train.py", "trainer=null"),
        ("train.py", "dataset.root=${oc.env:HOME}/pictures"),
        ("train.py", "-m", "stpes=1,2"),
        ("generate.py", "-m", "seeed=1,2"),
        ("generate.py", "network=paintings", "frames=32"),
        ("stylize.py", "content=nowhere.jpg", "style=nowhere.jpg"),
        ("compare.py", "runs=nowhere"),
    ],
)
def test_a_command_line_that_is_refused_leaves_nothing(command, script, tmp_path):
    """Also above the folder that it would have written to; what is in that, each script's own test looks at."""
    done = script(*command, cwd=tmp_path)
    assert done.returncode == 1 and "Error: " in done.stderr, done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("overrides", [("metrics=[kid]", "features=pixels", "evaluate_num=1")])
def test_nor_does_what_is_found_out_later(overrides, script, tmp_path):
    """When TensorFlow is there already: sets that are too small for a metric, ..."""
    done = script("train.py", "dataset.num_images=40", "model.width=4", *overrides, cwd=tmp_path)
    assert done.returncode == 1 and "evaluate_num=1: metrics=kid" in done.stderr, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_nor_does_one_that_is_terminated_before_it_trains(start, tmp_path):
    here, cache = tmp_path / "here", tmp_path / "cache"
    here.mkdir()
    process = start("train.py", "dataset.num_images=9999", cwd=here, GESSO_CACHE=str(cache))
    while process.poll() is None and not cache.is_dir():  # until it paints
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=300)
    said = "Painting 9999 pictures, once.\n\nTerminated.", "Terminated."  # it may not have come to the first
    assert process.returncode == 143 and errors.strip() in said, errors
    assert list(here.iterdir()) == []


def test_what_lies_beside_stays(script, tmp_path):
    (tmp_path / "outputs" / "dcgan-paintings").mkdir(parents=True)
    (tmp_path / "outputs" / "mine.txt").touch()
    assert script("train.py", "image_size=100", cwd=tmp_path).returncode == 1
    assert [path.name for path in (tmp_path / "outputs").iterdir()] == ["mine.txt"]
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").touch()
    script("train.py", "image_size=100", "hydra.run.dir=run", cwd=tmp_path)
    assert (tmp_path / "run" / "mine.txt").is_file()


def test_every_job_of_a_sweep_that_was_begun_says_why_it_failed(script, tmp_path):
    done = script("train.py", "-m", "image_size=100", "seed=1,2", f"hydra.sweep.dir={tmp_path}/sweep")
    assert done.returncode == 1, done.stderr
    runs, unfinished = find(str(tmp_path / "sweep"))
    assert runs == [] and [run.overrides["seed"] for run in unfinished] == ["1", "2"]
    assert all(run.why.startswith("image_size=100") for run in unfinished), unfinished
    assert not any(Run(run.folder).is_run for run in unfinished)
    done = script("compare.py", f"runs={tmp_path}/sweep")
    assert done.returncode == 1 and "seed=2: image_size=100" in done.stderr, done.stderr
