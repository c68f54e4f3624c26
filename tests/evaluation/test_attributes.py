"""What sentences ask for, and what could stand in its place."""

import pytest

from evaluation.attributes import alternatives, speaks_of


def test_the_first_word_of_an_attribute_is_replaced():
    text = "Two red circles and a blue bar on white, Neo-plasticism"
    colors = alternatives(text, "color")
    assert colors[0] == "two red circles and a blue bar on white neo plasticism" and len(colors) == 13
    assert "two green circles and a blue bar on white neo plasticism" in colors
    assert "three red circles and a blue bar on white neo plasticism" in alternatives(text, "count")
    assert "two red squares and a blue bar on white neo plasticism" in alternatives(text, "object")
    assert "two red circles and a blue bar on white op art" in alternatives(text, "style")
    assert alternatives("a mountain", "count") == []


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("a small red circle, suprematism", True),
        ("three red circles", True),
        ("a red bar and a blue circle", False),
        ("cut-outs, two fronds on an orange ground", True),
        ("two fronds on orange, cut-outs", True),
        ("an orange frond on blue, cut-outs", False),
    ],
)
def test_combinations_are_recognised_in_sentences(text, asked):
    assert speaks_of(text, ["red circle", "cut-outs on orange"]) == asked
