"""`restarts=`: several seeds are tried, the best goes on; also when it is interrupted."""

import json
import shutil

import numpy as np
import pytest

from core.run import Run

TINY = (
    "model=mlp", "model.width=8", "model.discriminator_width=4", "image_size=32", "batch_size=8",
    "dataset.num_images=40", "log_every=4", "sample_every=8", "checkpoint_every=8", "steps=16", "seed=5",
    "restarts=2", "restart_steps=8", "evaluate_num=40",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.long
def test_the_best_seed_goes_on(script, tmp_path):
    run, alone = tmp_path / "run", tmp_path / "alone"
    done = script("train.py", *TINY, f"hydra.run.dir={run}")
    assert done.returncode == 0, done.stderr
    noted = json.loads((run / "restarts" / "scores.json").read_text())
    scores = noted["scores"]
    assert sorted(scores) == ["5", "6"] and all(score > 0 for score in scores.values())
    assert scores["5"] != scores["6"]
    best = min(scores, key=scores.get)
    assert f"The best of 2 seeds is {best}" in done.stderr
    rows = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert rows == [4, 8, 12, 16, 16]  # the last is of the evaluation at the end

    # What goes on is what that seed gives alone.
    done = script("train.py", *TINY[:-4], f"seed={best}", f"hydra.run.dir={alone}")
    assert done.returncode == 0, done.stderr
    ours, theirs = (np.load(Run(folder).saved()[-1]) for folder in (run, alone))
    assert ours.files == theirs.files
    for name in ours.files:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)

    # Interrupted between the tries: only what is missing is done again, and the end is the same.
    again = tmp_path / "again"
    shutil.copytree(run, again)
    for name in ("checkpoints", "restarts/seed_6"):
        shutil.rmtree(again / name)
    (again / "restarts" / "scores.json").write_text(
        json.dumps(noted | {"chosen": None, "scores": {"5": scores["5"]}})
    )
    done = script("train.py", f"resume={again}")
    assert done.returncode == 0, done.stderr
    assert "Restart with seed 6" in done.stderr and "Restart with seed 5" not in done.stderr
    assert json.loads((again / "restarts" / "scores.json").read_text()) == noted
    resumed = np.load(Run(again).saved()[-1])
    for name in ours.files:
        np.testing.assert_array_equal(ours[name], resumed[name], err_msg=name)
