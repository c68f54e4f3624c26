import math

import numpy as np
import pytest

from metrics.flicker import Flicker, flicker


def film(*values: int, shape: tuple = (4, 6, 3)) -> list[np.ndarray]:
    return [np.full(shape, value, np.uint8) for value in values]


def test_worked_by_hand():
    """Of six columns the film moves in two; painted, the others jump by 10, then by 40 levels."""
    inputs, outputs = film(100, 102, 99), film(50, 60, 20)
    inputs[1][:, :2] = 200
    found = flicker(iter(inputs), iter(outputs))
    assert found.output == pytest.approx((10 + 40) / 2)
    assert found.input == pytest.approx((2 + 3) / 2)
    assert found.share == pytest.approx(4 / 6)


def test_pixels_count_not_frames():
    inputs, outputs = film(0, 0, 0), film(0, 10, 110)
    inputs[2][:, 3:] = 50  # half of the second pair
    assert flicker(inputs, outputs) == Flicker(pytest.approx((24 * 10 + 12 * 100) / 36), 0, pytest.approx(36 / 48))


def test_one_channel_that_moves_is_enough():
    inputs, outputs = film(10, 10), film(0, 30)
    inputs[1][0, 0, 2] = 16
    inputs[1][0, 1, 2] = 15
    assert flicker(inputs, outputs).share == pytest.approx(23 / 24)
    assert flicker(inputs, outputs).input == pytest.approx(5 / 3 / 23)
    assert flicker(inputs, outputs, threshold=6.5).share == 1
    assert flicker(inputs, outputs, threshold=5).share == pytest.approx(22 / 24)


def test_by_brute_force_on_floats_and_bytes():
    rng = np.random.default_rng(0)
    inputs = rng.integers(100, 110, (5, 7, 9, 3), dtype=np.uint8)
    outputs = rng.uniform(-1, 1, (5, 7, 9, 3)).astype(np.float32)
    changes, own = [], []
    for t in range(4):
        for place in np.ndindex(7, 9):
            change = np.abs(inputs[t + 1][place].astype(int) - inputs[t][place])
            if max(change) < 6:
                own.append(change.mean())
                changes.append(127.5 * np.abs(outputs[t + 1][place] - outputs[t][place]).mean())
    found = flicker(inputs, outputs)
    assert found == pytest.approx((np.mean(changes), np.mean(own), len(own) / (4 * 63)), rel=1e-5)
    scaled = flicker(inputs / np.float32(127.5) - 1, outputs, threshold=5.5)
    assert scaled == pytest.approx(flicker(inputs, outputs, threshold=5.5), rel=1e-4)


def test_a_still_film_painted_steadily_does_not_flicker():
    assert flicker(film(7, 7, 7), film(9, 9, 9)) == (0, 0, 1)


def test_frames_stream_through_one_buffer():
    """A reader may hand out the same array again and again; and only two frames are held."""

    def reader(values):
        buffer = np.empty((4, 6, 3), np.uint8)
        for value in values:
            buffer[:] = value
            yield buffer

    assert flicker(reader([1, 2, 3]), reader([10, 30, 50])) == (20, 1, 1)


def test_nothing_still():
    found = flicker(film(0, 100, 200), film(0, 0, 0))
    assert math.isnan(found.output) and math.isnan(found.input) and found.share == 0


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="two or more"):
        flicker(film(1), film(1))
    with pytest.raises(ValueError):  # one film is longer
        flicker(film(1, 2, 3), film(1, 2))
    with pytest.raises(ValueError, match="in size"):
        flicker(film(1, 2), film(1, 2, shape=(4, 5, 3)))
    changing = [*film(1), *film(1, shape=(5, 6, 3))]
    with pytest.raises(ValueError, match="change their size"):
        flicker(changing, changing)
