import math

import numpy as np
import pytest

from metrics.warping_error import warping_error


def test_worked_by_hand():
    frame, carried = np.full((2, 3, 3), 10, np.uint8), np.zeros((2, 3, 3), np.float32)
    visible = np.ones((2, 3), np.float32)
    half = visible.copy()
    half[0] = 0
    # Six places that changed by 10 levels, three by 20; three hidden ones do not count.
    assert warping_error([(frame, carried, visible), (2 * frame, carried, half)]) == pytest.approx((60 + 60) / 9)
    assert math.isnan(warping_error([(frame, carried, 0 * visible)]))
