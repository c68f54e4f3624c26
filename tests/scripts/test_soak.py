"""`make soak`, for a moment: the whole of it takes its time."""

import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from core import rows
from core.cli import ROOT
from core.run import Run


@pytest.mark.slow
@pytest.mark.long
def test_a_kill(tmp_path):
    command = [sys.executable, "tests/soak.py", "--kills", "1", "--cases", "mlp", "--seed", "3"]
    environment = {"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^1 kills \(.*all ended as straight runs\.$", done.stdout, re.MULTILINE), done.stdout
    assert list(tmp_path.iterdir()) == []


def test_it_sees_what_differs(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tests")
    from soak_differences import differences

    one = Run(tmp_path / "one")
    one.checkpoints.mkdir(parents=True)
    np.savez(one.checkpoint(2), weights=np.arange(3, dtype=np.float32))
    for step in (1, 2):
        rows.append(one.metrics, {"step": step, "loss": 0.1 * step, "images_per_second": step})
    one.result.write_text('{"step": 2, "values": {"loss": 0.2, "images_per_second": 3.0}}')
    other = Run(shutil.copytree(one.folder, tmp_path / "other"))
    other.result.write_text('{"step": 2, "values": {"loss": 0.2, "images_per_second": 4.0}}')
    assert differences(one.folder, other.folder) == []
    np.savez(other.checkpoint(2), weights=np.nextafter(np.arange(3, dtype=np.float32), 9, dtype=np.float32))
    rows.append(other.metrics, {"step": 2, "loss": 0.2})
    other.sample(2).parent.mkdir()
    other.sample(2).touch()
    other.result.unlink()
    assert differences(one.folder, other.folder) == [
        "no result.json", "samples/step_00000002.png besides", "checkpoints/step_00000002.npz: weights (1 of 1)",
        "metrics.jsonl: row 2 (1 of 3)",
    ]  # fmt: skip
