import numpy as np
import pytest
from PIL import Image

pytest.importorskip("cv2", reason="OpenCV is not installed")

from data import motion

random = np.random.default_rng(0)


def texture(height: int, width: int) -> np.ndarray:
    coarse = Image.fromarray(random.integers(0, 255, (height // 4, width // 4, 3), np.uint8))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))


def test_a_square_that_moves_is_carried_along_and_what_it_uncovers_is_not_visible():
    ground, square = texture(96, 128), texture(40, 40)
    before, after = ground.copy(), ground.copy()
    before[30:70, 30:70] = square
    after[30:70, 38:78] = square  # 8 px to the right
    found = motion.between(before, after)
    inner = (slice(36, 64), slice(46, 72))
    np.testing.assert_allclose(np.median(found.flow[inner], axis=(0, 1)), [-8, 0], atol=0.3)
    assert found.visible[inner].mean() > 0.9
    assert found.visible[34:66, 31:36].mean() < 0.5  # came to light behind it
    carried = found.carry(before.astype(np.float32))
    assert abs(carried - after)[inner].mean() < 10
    down = ground.copy()
    down[36:76, 30:70] = square  # 6 px
    carried = motion.between(before, down).carry(before.astype(np.float32))
    assert abs(carried - down)[42:70, 36:64].mean() < 10
    # Of twice the size, twice as far.
    large = np.kron(before, np.ones((2, 2, 1))).astype(np.float32)
    assert abs(found.carry(large)[72:128, 92:144] - np.kron(after, np.ones((2, 2, 1)))[72:128, 92:144]).mean() < 12


def test_nothing_moves():
    frame = texture(48, 64)
    found = motion.between(frame, frame)
    assert abs(found.flow).max() < 0.05 and found.visible.min() == 1
