"""`compare.py` as a user runs it."""

import json
import math
import os
import re
from pathlib import Path

import pytest

from compare import tell
from core.errors import GessoError
from core.results import last_values, read_result, write_result
from core.run import Run
from evaluation.ranking import find, grouped, merged, ranked, single
from evaluation.report import number


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
        run = begun(folder, overrides)
        write_result(run, *last_values(run), "fid", {"fid": "min", "recall": "max"}, overrides)
    begun(tmp_path / "5_x", ["loss=hinge", "seed=3"]).metrics.write_text('{"step": 5, "fid": 0}\n{"step": 10, "f')
    (tmp_path / "0_x" / "restarts" / "seed_1").mkdir(parents=True)
    (tmp_path / "0_x" / "restarts" / "seed_1" / "metrics.jsonl").touch()
    return tmp_path


def begun(folder: Path, overrides: list[str], script: str = "train") -> Run:
    """What a sweep makes before it starts a job."""
    run = Run(folder)
    run.overrides.parent.mkdir(parents=True)
    run.overrides.write_text(json.dumps(overrides))
    run.hydra.write_text(json.dumps({"hydra": {"job": {"name": script}}}))
    return run


def test_runs_are_named_by_what_sets_them_apart(sweep):
    runs, unfinished = find(str(sweep))
    assert [run.folder.name for run in unfinished] == ["5_x"]
    assert single(runs, "fid") == {
        "loss=hinge seed=1": {"fid": 3, "step": 10}, "loss=hinge seed=2": {"fid": 5, "step": 10},
        "loss=nan seed=1": {"fid": pytest.approx(float("nan"), nan_ok=True), "step": 10},
        "loss=wgan seed=1": {"fid": 2, "step": 10}, "loss=wgan seed=2": {"fid": 9, "step": 10},
    }  # fmt: skip
    values = grouped(runs, "fid", "seed")
    assert values["loss=hinge"] == [3, 5]
    assert merged(values["loss=hinge"], "fid") == {
        "fid": 4,
        "deviation": pytest.approx(2**0.5),
        "least": 3,
        "most": 5,
        "runs": 2,
    }
    with pytest.raises(GessoError, match="do not differ in it"):
        tell(runs, "fid", "steps")


def test_numbers_are_ranked_by_their_own_direction(tmp_path):
    """Of a number that is best at 1, 0.4 and 1.6 are not as good as 0.97 and 0.99, though their mean is nearer."""
    kept = {"loss=hinge": (0.4, 1.6), "loss=wgan": (0.97, 0.99)}
    for i, (loss, seed) in enumerate((loss, seed) for loss in kept for seed in (0, 1)):
        run = begun(tmp_path / str(i), [])
        values = {"ratio": kept[loss][seed], "matched_accuracy": i, "images_per_second": i, "loss": i}
        write_result(run, 10, values, "ratio", {"ratio": "one"}, [loss, f"seed={seed}"], {})
    runs, _ = find(str(tmp_path))

    def order(by: str, over: str | None = None) -> list[str]:
        return re.findall(r"^\d+  (.*?)  ", ranked(runs, by, over), re.M)

    assert order("ratio", "seed") == ["loss=wgan", "loss=hinge"]
    write_result(begun(tmp_path / "4", []), 10, {"ratio": math.nan}, "ratio", {"ratio": "one"}, ["seed=0"], {})
    write_result(begun(tmp_path / "5", []), 10, {"ratio": 3.0}, "ratio", {"ratio": "one"}, ["seed=1"], {})
    of_defaults = ranked(find(str(tmp_path))[0], "ratio", "seed").splitlines()[-1]
    assert of_defaults.split()[:2] == ["3", "defaults"] and of_defaults.count("nan") == 4, of_defaults
    assert (
        order("loss")[0] == order("images_per_second")[-1] == order("matched_accuracy")[-1] == "loss=hinge seed=0"
    )


def test_every_job_that_was_begun_is_listed_with_why_it_failed(sweep, script):
    """Also one that died before its first row; not what another script wrote."""
    (sweep / "5_x" / "train.log").write_text(
        "[2026-01-01 10:00:00,000][x][INFO] python train.py\n"
        "[2026-01-01 10:00:01,000][x][ERROR] Error: no such data\n"
    )
    begun(sweep / "6_x", ["loss=wgan", "seed=3"])
    begun(sweep / "7_x", ["num=3"], "generate")
    begun(sweep / "8_x", []).hydra.write_text("{")
    _, unfinished = find(str(sweep))
    why = {run.folder.name: run.why for run in unfinished}
    assert why.keys() == {"5_x", "6_x", "8_x"}
    assert why["5_x"] == "no such data" and "killed" in why["6_x"] and "is damaged" in why["8_x"]
    done = script("compare.py", f"runs={sweep}")
    assert done.returncode == 0 and "loss=hinge seed=3: no such data" in done.stderr, done.stderr


def test_only_what_was_measured_alike_is_ranked_together(sweep, script):
    """Two of five runs were compared with fewer pictures: their FID says nothing beside the others'."""
    few = {"fid": {"num": 100, "features": "vgg16"}, "recall": {"num": 256}}
    many = {"fid": {"num": 256, "features": "vgg16"}, "recall": {"num": 256}}
    for i in range(5):
        run = Run(sweep / f"{i}_x")
        result = json.loads(run.result.read_text())
        write_result(run, 10, result["values"], "fid", result["modes"], result["overrides"], few if i < 2 else many)
    done = script("compare.py", f"runs={sweep}")
    assert done.returncode == 0, done.stderr
    together, apart = done.stdout.split("\n\n")
    assert [line.split()[:3] for line in together.splitlines()[1:]] == [
        ["1", "loss=wgan", "seed=1"], ["2", "loss=wgan", "seed=2"], ["3", "loss=nan", "seed=1"],
    ]  # fmt: skip
    assert "as fid was measured otherwise (num 256 and 100):" in apart
    assert [line.split()[:2] for line in apart.splitlines()[2:]] == [["1", "seed=1"], ["2", "seed=2"]]
    one = script("compare.py", f"runs={sweep}", "by=recall")  # which was measured alike in all of them
    assert one.returncode == 0 and "otherwise" not in one.stdout
    over = script("compare.py", f"runs={sweep}", "over=loss")
    assert over.returncode == 0 and "otherwise" in over.stdout


def test_runs_of_different_kinds_are_ranked_by_what_each_names(sweep, script):
    """A stylizer has no FID, and a generator no content loss."""
    for i in (3, 4):
        run = Run(sweep / f"{i}_x")
        write_result(run, 10, {"loss": 7.0 - i}, "loss", {"loss": "min"}, read_result(run)["overrides"])
    done = script("compare.py", f"runs={sweep}")
    assert done.returncode == 0, done.stderr
    fid, loss = done.stdout.split("\n\n")
    assert [line.split()[:3] for line in fid.splitlines()[1:]] == [
        ["1", "loss=wgan", "seed=1"], ["2", "loss=hinge", "seed=1"], ["3", "loss=hinge", "seed=2"],
    ]  # fmt: skip
    assert [line.split()[:2] for line in loss.splitlines()[1:]] == [["1", "loss=nan"], ["2", "loss=wgan"]]
    done = script("compare.py", f"runs={sweep}", "by=loss")
    assert done.returncode == 0 and done.stdout == loss, done.stdout
    assert f"Without loss: {sweep}/0_x" in done.stderr, done.stderr


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
    assert "Not finished" in done.stderr and "5_x: at step 5" in done.stderr
    done = script("compare.py", f"runs={sweep}", "by=recall")
    assert [line.split()[1:3] for line in done.stdout.splitlines()[1:3]] == [
        ["loss=wgan", "seed=2"], ["loss=hinge", "seed=2"],
    ]  # fmt: skip
    done = script("compare.py", f"runs={sweep}", "by=fidd")
    assert done.returncode == 1 and "Did you mean fid?" in done.stderr
    done = script("compare.py", f"runs={sweep}/5_x")
    assert done.returncode == 1 and "no run in it is finished" in done.stderr


def test_numbers_that_do_not_compare_are_flagged(tmp_path, capsys):
    for seed, num in ((1, 40), (2, 40), (3, 30)):
        run = begun(tmp_path / str(seed), [f"seed={seed}"])
        settings = {"kid": {"num": num, "data": "abc"}}
        write_result(run, 9, {"kid": 1.0}, "kid", {"kid": "min"}, [f"seed={seed}"], settings)
    runs, _ = find(str(tmp_path))
    tell(runs, "kid", None)
    printed = capsys.readouterr().out
    assert "seed=2" in printed and str(tmp_path / "3") in printed and "otherwise (num 40 and 30)" in printed
    tell(runs[:2], "kid", None)
    assert "otherwise" not in capsys.readouterr().out


EVIL = "\x1b]0;owned\x07\x1b[2J\ud800"
SHOWN = r"\x1b]0;owned\x07\x1b[2J\ud800"


def test_a_stranger_s_runs_do_nothing_to_the_terminal(tmp_path, script):
    """Names of keys, of numbers and of what they depend on, and what a log ends with, come from their files."""
    for i in (1, 2):
        settings = {f"kid{EVIL}": {f"num{EVIL}": f"{i}{EVIL}"}}
        overrides = [f"seed{EVIL}={i}{EVIL}"]
        values = {f"kid{EVIL}": 1.0}
        run = begun(tmp_path / f"{i}", [])
        write_result(run, 9, values, f"kid{EVIL}", {}, overrides, settings)
    (tmp_path / "3\x1b[2J").mkdir()
    write_result(begun(tmp_path / "3\x1b[2J", []), 9, {"x": 1.0}, "x", {}, [], {})
    begun(tmp_path / "4\x1b[2J", []).log.write_text("[][][ERROR] Error: \x1b[2J\n")
    done = script("compare.py", f"runs={tmp_path}")
    assert done.returncode == 0, done.stderr
    printed = done.stdout + done.stderr
    assert printed.count(SHOWN) > 4 and "\x1b" not in printed and "\ud800" not in printed
    for by, over in ((None, "x"), ("kid", None)):
        with pytest.raises(GessoError) as caught:
            tell(find(str(tmp_path))[0], by, over)
        assert SHOWN in str(caught.value) and "\x1b" not in str(caught.value)


@pytest.mark.parametrize("damage", [{"values": {"kid": 10**400}}, {"step": 10**400}])
def test_numbers_that_nobody_reckons_with_are_of_no_finished_run(tmp_path, damage):
    for i in (1, 2):
        run = begun(tmp_path / f"{i}", [])
        write_result(run, 9, {"kid": 1.0}, "kid", {"kid": "one"}, [f"seed={i}"], {})
    run.result.write_text(json.dumps(json.loads(run.result.read_text()) | damage))
    finished, others = find(str(tmp_path))
    tell(finished, None, None)
    assert [found.folder.name for found in (*finished, *others)] == ["1", "2"]


def test_a_number_of_any_length_is_written():
    assert number(10**400) == f"{10**400:,}" and number(12345) == number(12345.0) == "12,345"


@pytest.mark.parametrize("name", ["result", "metrics", "log"])
def test_pipes_and_endless_files_in_a_run_are_neither_waited_for_nor_read(sweep, name):
    for i, make in ((5, os.mkfifo), (6, lambda path: path.symlink_to("/dev/zero")), (7, sparse)):
        path = getattr(begun(sweep / f"{i}_y", []), name)
        make(path)
    runs, unfinished = find(str(sweep))
    assert len(runs) == 5 and {run.folder.name for run in unfinished} >= {"5_y", "6_y", "7_y"}


def sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 2**36)
