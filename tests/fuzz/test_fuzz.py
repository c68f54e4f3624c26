"""The fuzzer, a few cases of each kind; with GESSO_FUZZ_SECONDS (`make fuzz`), as many as there is time for.

TensorBoard's event files are written by TensorFlow and read by TensorBoard; nothing of ours reads them
(`test_nothing_of_ours_reads_event_files`), so they are not damaged here.
"""

import json
import os
import re
from pathlib import Path

import pytest

from core.cli import ROOT

# Of each kind, how many cases in `make test`, and its share of the time that is given.
KINDS = {
    "pictures": (40, 2), "films": (15, 2), "arrays": (20, 1), "archives": (40, 1), "networks": (8, 2),
    "checkpoints": (10, 1), "run_directories": (4, 2), "command_lines": (8, 3),
}  # fmt: skip
SECONDS = float(os.environ.get("GESSO_FUZZ_SECONDS", 0))
FIRST = int(os.environ.get("GESSO_FUZZ_FIRST", 0))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_falls_over(kind, capsys, script):
    cases, share = KINDS[kind]
    command = [Path(__file__).with_name("run.py"), kind, f"--first={FIRST}"]
    shares = sum(share for _, share in KINDS.values())
    command.append(f"--seconds={SECONDS * share / shares}" if SECONDS else f"--cases={cases}")
    done = script(*command, timeout=SECONDS + 600)
    assert done.returncode == 0, f"it crashed, or took too long:\n{done.stderr[-3000:]}"
    said = json.loads(done.stdout.splitlines()[-1])
    if SECONDS:
        with capsys.disabled():
            print(
                f"\n{kind}: {said['cases']} cases in {said['seconds'] / 60:.1f} minutes, {said['refused']} of them "
                f"refused, {said['peak_mb']} MB at most, {len(said['fell'])} ways to fall over"
            )
    again = f"python tests/fuzz/run.py {kind} --show --cases 1 --first"
    assert not said["fell"], "\n".join(f"{again} {one['case']}\n{one['what']}" for one in said["fell"])
    assert said["refused"] > 0, "are these damaged files?"
    assert said["refused"] < said["cases"] or not SECONDS, "does any come to where it is read?"


def test_nothing_of_ours_reads_event_files():
    """Else damaged ones would have to be cases as well."""
    readers = re.compile(r"event_accumulator|summary_iterator|EventFileLoader|EventAccumulator|tfevents")
    files = [file for file in ROOT.rglob("*.py") if not {"tests", ".venv"} & set(file.relative_to(ROOT).parts)]
    assert len(files) > 50
    assert [file for file in files if readers.search(file.read_text(encoding="utf-8"))] == []
