"""`train.py resume=`: what has become of the data, of the last files, and of the rows."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core import rows
from core.run import Run

TINY = (
    "dataset=image_folder", "image_size=32", "batch_size=8", "model.width=4", "model.condition=concat", "steps=6",
    "log_every=2", "sample_every=6", "checkpoint_every=6",
)  # fmt: skip


@pytest.fixture(scope="module")
def begun(tmp_path_factory, script) -> Path:
    """A folder with pictures of `cats` and `dogs`, and a finished conditional run on them."""
    folder, random = tmp_path_factory.mktemp("begun"), np.random.default_rng(0)
    for i in range(24):
        path = folder / "pictures" / ("cats", "dogs")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)
    done = script("train.py", *TINY, f"dataset.root={folder}/pictures", f"hydra.run.dir={folder}/run")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def run(begun, tmp_path) -> Run:
    """The same, to be changed: `dataset.root` has to be given anew."""
    shutil.copytree(begun, tmp_path / "copy")
    return Run(tmp_path / "copy" / "run")


def resume(script, run: Run, *overrides: str):
    return script("train.py", f"resume={run.folder}", f"dataset.root={run.folder.parent}/pictures", *overrides)


def test_renamed_classes_are_refused_and_harm_nothing(run, script):
    pictures = run.folder.parent / "pictures"
    (pictures / "cats").rename(pictures / "zebras")
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file() and path != run.log}
    done = resume(script, run, "steps=8")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "learned the classes cats, dogs" in done.stderr and "dogs, zebras" in done.stderr
    assert before == {path: path.read_bytes() for path in before}
    assert run.load_data()["classes"] == ["cats", "dogs"]


def test_other_data_and_other_batches(run, script):
    """More pictures are warned of; the column of images counts those that there were."""
    pictures = run.folder.parent / "pictures" / "cats"
    shutil.copyfile(pictures / "0.png", pictures / "more.png")
    done = resume(script, run, "steps=10", "batch_size=4")
    assert done.returncode == 0, done.stderr
    assert "24 pictures then, 25 now" in done.stderr
    found = {row["step"]: row["images"] for row in rows.read(run.metrics)}
    assert found == {2: 16, 4: 32, 6: 48, 8: 56, 10: 64}
    assert run.load_data()["num"] == 25
    overrides = run.load_overrides()
    assert overrides[-3:] == [f'dataset.root="{pictures.parent}"', "steps=10", "batch_size=4"]
    assert json.loads(run.result.read_text())["step"] == 10


def test_what_a_kill_has_cut_short_is_made_again(run, script):
    """After the last checkpoint and before the export, and within the last row."""
    whole = run.network("generator").stat().st_size
    run.network("generator").unlink()
    run.result.unlink()
    run.metrics.write_text(run.metrics.read_text()[:-9])
    done = resume(script, run)
    assert done.returncode == 0, done.stderr
    assert "Nothing to do" in done.stderr and "Traceback" not in done.stderr
    assert run.network("generator").stat().st_size == pytest.approx(whole, rel=0.01)
    result = json.loads(run.result.read_text())
    assert result["step"] == 6 and result["values"]["sliced_wasserstein"] > 0


def test_a_run_of_an_earlier_gesso_is_refused_in_a_sentence(run, script):
    config = run.config.read_text()
    assert "  kind: generator\n" in config
    run.config.write_text(config.replace("  kind: generator\n", ""))
    done = resume(script, run, "steps=8")
    assert done.returncode == 1 and "an earlier Gesso began this run" in done.stderr


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            ("steps=12", "trainer.steps_per_execution=4", "log_every=4", "sample_every=4", "checkpoint_every=4"),
            "trainer.steps_per_execution=4: the run stands at step 6",
        ),
        (("~model.condition",), "~model.condition: a run that goes on keeps all its keys"),
    ],
)
def test_what_is_refused_late_harms_nothing_either(run, script, overrides, words):
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file() and path != run.log}
    done = resume(script, run, *overrides)
    assert done.returncode == 1 and words in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert before == {path: path.read_bytes() for path in before}


def test_other_intervals_take_no_row_away(run, script):
    """The row of the checkpoint's step was one by the interval of before."""
    done = resume(script, run, "steps=10", "log_every=5", "sample_every=5", "checkpoint_every=5")
    assert done.returncode == 0, done.stderr
    assert [row["step"] for row in rows.read(run.metrics) if "images_per_second" in row] == [2, 4, 6, 10]
