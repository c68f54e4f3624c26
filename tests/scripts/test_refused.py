"""Command lines that are refused leave nothing behind; jobs of a sweep say why they failed."""

import pytest

from compare import find
from core.run import Run


@pytest.mark.parametrize(
    "command",
    [
        ("train.py", "stpes=5"),
        ("train.py", "steps=many"),
        ("train.py", "image_size=100"),
        ("train.py", "dataset=image_folder", "dataset.root=nowhere"),
        ("train.py", "batch_size=64", "dataset.num_images=20"),
        ("train.py", "loss=perceptual"),
        ("generate.py", "num=0"),
        ("stylize.py", "content=nowhere.jpg", "style=nowhere.jpg"),
        ("evaluate.py", "images=nowhere"),
        ("explore.py", "show=[nothing]"),
        ("compare.py", "runs=nowhere"),
        ("train.py", "penalty=[{a:1}]"),
        ("train.py", "model=5"),
        ("train.py", "-m", "stpes=1,2"),
        ("generate.py", "-m", "seeed=1,2"),
    ],
)
def test_a_command_line_that_is_refused_leaves_nothing(command, script, tmp_path):
    done = script(*command, cwd=tmp_path)
    assert done.returncode == 1 and "Error: " in done.stderr, done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("overrides", [("metrics=[kid]", "features=pixels", "evaluate_num=1")])
def test_nor_does_what_is_found_out_later(overrides, script, tmp_path):
    """When TensorFlow is there already: sets that are too small for a metric, ..."""
    done = script("train.py", "dataset.num_images=40", "model.width=4", *overrides, cwd=tmp_path)
    assert done.returncode == 1 and "evaluate_num=1: metrics=kid" in done.stderr, done.stderr
    assert list(tmp_path.iterdir()) == []


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
