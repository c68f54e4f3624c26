"""`compare.py` as a user runs it."""

import json
from pathlib import Path

import pytest

from compare import find, merged, single
from core.errors import GessoError
from core.results import last_values, write_result


@pytest.fixture
def sweep(tmp_path) -> Path:
    """Five finished runs and one that is not; a try of restarts, which is no run of the sweep."""
    values = {("hinge", 1): 3.0, ("hinge", 2): 5.0, ("wgan", 1): 2.0, ("wgan", 2): 9.0, ("nan", 1): float("nan")}
    for i, ((loss, seed), value) in enumerate(values.items()):
        folder = tmp_path / f"{i}_x"
        folder.mkdir()
        row = {"step": 10, "images": 80, "fid": value, "recall": value}
        (folder / "metrics.jsonl").write_text('{"step": 5, "fid": 0}\n' + json.dumps(row) + "\n")
        overrides = [f"loss={loss}", "seed=7", f"seed={seed}", "steps=10", *["resume=there"] * (seed == 2)]
        write_result(folder, *last_values(folder), "fid", {"fid": "min", "recall": "max"}, overrides)
    for name in ("5_x", "0_x/restarts/seed_1"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "metrics.jsonl").touch()
    return tmp_path


def test_runs_are_named_by_what_sets_them_apart(sweep):
    runs, unfinished = find(str(sweep))
    assert [path.name for path in unfinished] == ["5_x"]
    assert single(runs, "fid") == {
        "loss=hinge seed=1": {"fid": 3, "step": 10}, "loss=hinge seed=2": {"fid": 5, "step": 10},
        "loss=nan seed=1": {"fid": pytest.approx(float("nan"), nan_ok=True), "step": 10},
        "loss=wgan seed=1": {"fid": 2, "step": 10}, "loss=wgan seed=2": {"fid": 9, "step": 10},
    }  # fmt: skip
    means = merged(runs, "fid", "seed")
    assert means["loss=hinge"] == {"fid": 4, "deviation": pytest.approx(2**0.5), "least": 3, "most": 5, "runs": 2}
    with pytest.raises(GessoError, match="do not differ in it"):
        merged(runs, "fid", "steps")


def test_the_same_run_twice_is_two_rows(sweep):
    runs, _ = find(str(sweep))
    rows = single([*runs, runs[1]], "fid")
    assert len(rows) == 6 and f"loss=hinge seed=2 {runs[1].folder}" in rows


def test_the_table(sweep, script):
    done = script("compare.py", f"runs={sweep}")
    assert done.returncode == 0, done.stderr
    assert [line.split()[:3] for line in done.stdout.splitlines()[1:]] == [
        ["1", "loss=wgan", "seed=1"], ["2", "loss=hinge", "seed=1"], ["3", "loss=hinge", "seed=2"],
        ["4", "loss=wgan", "seed=2"], ["5", "loss=nan", "seed=1"],
    ]  # fmt: skip
    assert "Not finished" in done.stderr and "5_x" in done.stderr
    done = script("compare.py", f"runs={sweep}", "by=recall")
    assert [line.split()[1:3] for line in done.stdout.splitlines()[1:3]] == [
        ["loss=wgan", "seed=2"], ["loss=hinge", "seed=2"],
    ]  # fmt: skip
    done = script("compare.py", f"runs={sweep}", "by=fidd")
    assert done.returncode == 1 and "Did you mean fid?" in done.stderr
    done = script("compare.py", f"runs={sweep}/5_x")
    assert done.returncode == 1 and "no run in it is finished" in done.stderr
