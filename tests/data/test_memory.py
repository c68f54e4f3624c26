"""Pictures in a file stay there: TensorFlow must not copy them into the process."""

from pathlib import Path

import numpy as np
import pytest

from data.image_dataset import ImageDataset


def test_a_large_file_is_not_copied_into_memory(tmp_path):
    """`tf.data` does so if it may optimise, or if a function captures them as a constant."""
    shape = (2000, 256, 256, 3)  # 390 MB, none of them on disk: the file is one hole
    np.lib.format.open_memmap(tmp_path / "images.npy", "w+", np.uint8, shape).flush()
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    next(iter(ImageDataset("small", np.zeros((4, 8, 8, 3), np.uint8)).stream(2, 1)))
    before = _own_megabytes()
    stream = iter(ImageDataset("large", images).stream(2, seed=1))
    next(stream)
    assert _own_megabytes() - before < 150


def _own_megabytes() -> int:
    """Memory of this process that no file stands behind."""
    try:
        return int(Path("/proc/self/status").read_text().split("RssAnon:")[1].split()[0]) // 1024
    except OSError:
        pytest.skip("only Linux tells")
