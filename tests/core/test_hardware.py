"""How TensorFlow is suited to the machine."""

import os
import subprocess
import sys
import threading
import time

import pytest
from omegaconf import OmegaConf

from core import hardware

FAULTS = """
import resource
import numpy as np
from core.hardware import keep_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        np.empty(2**26, np.uint8)[:: 2**12] = 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(faults(), keep_memory(), faults(), faults())
"""


def test_threads_wait_for_the_one_that_imports_tensorflow(monkeypatch):
    """Each would put the other's place for chatter in that of the terminal's errors."""
    begun = []

    def load():
        begun.append(threading.current_thread())
        time.sleep(0.05)
        sys.modules["tensorflow"] = sys

    monkeypatch.setitem(sys.modules, "tensorflow", sys)  # put back at the end
    del sys.modules["tensorflow"]
    monkeypatch.setattr(hardware, "_load", load)
    threads = [threading.Thread(target=hardware.load_tensorflow) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(begun) == 1


def test_onednn_is_asked_for_and_the_user_has_the_last_word(monkeypatch):
    monkeypatch.setattr(hardware.platform, "machine", lambda: "x86_64")
    for before, after in ((None, "1"), ("0", "0")):
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", str(before))
        if before is None:
            monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")
        hardware.prefer_onednn()
        assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == after
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")
    monkeypatch.setattr(hardware.platform, "machine", lambda: "riscv64")
    hardware.prefer_onednn()
    assert "TF_ENABLE_ONEDNN_OPTS" not in os.environ


def test_large_blocks_are_not_given_back_and_fetched_anew():
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    before, kept, _, after = done.stdout.split()
    if kept == "False":
        pytest.skip("this machine's malloc is not glibc's")
    assert int(after) < 0.1 * int(before)


@pytest.mark.parametrize(("best", "warned"), [("float32", True), ("mixed_bfloat16", False)])
def test_who_asks_for_bfloat16_where_it_is_emulated_is_told(monkeypatch, caplog, best, warned):
    import keras

    monkeypatch.setattr(hardware, "best_precision", lambda: best)
    monkeypatch.setattr(hardware.distribution, "choose_devices", lambda config: None)
    monkeypatch.setattr(hardware.distribution, "scope", lambda strategy: None)
    before = keras.config.dtype_policy()
    trainer = {"threads": None, "deterministic": False, "strategy": "one"}
    config = OmegaConf.create({"precision": "mixed_bfloat16", "seed": 0, "trainer": trainer})
    try:
        assert hardware.set_up(config) == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy(before)
    assert ("emulates bfloat16" in caplog.text) == warned
