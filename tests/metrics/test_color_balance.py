import numpy as np
import pytest

from metrics.color_balance import HUES, ColorBalance, distance


def plain(*color: int) -> np.ndarray:
    return np.full((1, 4, 4, 3), color, np.uint8)


def test_named_colors_fall_where_they_belong():
    colors = {
        "red_orange": (255, 0, 0), "yellow": (255, 255, 0), "green": (0, 160, 0), "turquoise": (0, 255, 255),
        "blue": (60, 150, 255), "violet": (140, 0, 255), "pink": (255, 0, 128), "grey": (90, 92, 90),
    }  # fmt: skip
    for name, color in colors.items():
        numbers = ColorBalance().update(plain(*color)).numbers()
        assert {key: numbers[key] for key in (*HUES, "grey") if numbers[key]} == {name: 1.0}, name


def test_lightness_and_contrast_by_hand():
    black_and_white = np.zeros((1, 4, 4, 1), np.uint8)
    black_and_white[:, :2] = 255
    numbers = ColorBalance().update(black_and_white).update(np.full((1, 4, 4, 1), 255, np.uint8)).numbers()
    assert numbers["lightness"] == pytest.approx(75, abs=0.01)
    assert numbers["contrast"] == pytest.approx(25, abs=0.01)  # 50 in one, 0 in the other
    assert numbers["chroma"] == pytest.approx(0, abs=0.01)
    red = ColorBalance().update(plain(255, 0, 0)).numbers()["chroma"]
    assert red == pytest.approx(np.hypot(80.09, 67.20), abs=0.05)  # its a and b


def test_distance_is_the_share_that_differs():
    red, blue = plain(255, 0, 0), plain(60, 150, 255)
    one = ColorBalance().update(np.concatenate([red, red, red, blue]))
    other = ColorBalance().update(np.concatenate([red, blue]))
    assert distance(one, one) == 0 and distance(one, other) == pytest.approx(0.25)
    floats = ColorBalance().update(red / 127.5 - 1.0)
    assert distance(floats, ColorBalance().update(red)) == 0
