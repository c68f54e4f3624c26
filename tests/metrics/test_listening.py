"""R-precision and attributes, by vectors whose nearest is known."""

import numpy as np
import pytest

from metrics.listening import attribute_accuracy, r_precision

CIRCLE = np.array([(np.cos(a), np.sin(a)) for a in np.linspace(0, np.pi, 8, endpoint=False)], np.float32)


def test_r_precision_of_what_is_its_own_and_of_what_is_anothers():
    assert r_precision(CIRCLE, CIRCLE, 8) == 1
    assert r_precision(np.roll(CIRCLE, 1, axis=0), CIRCLE, 8) == 0
    half = np.concatenate([CIRCLE[:4], CIRCLE[[5, 4, 7, 6]]])
    assert r_precision(half, CIRCLE, 8) == 0.5
    with pytest.raises(ValueError, match="two pictures"):
        r_precision(CIRCLE[:1], CIRCLE[:1])


def test_sentences_that_say_the_same_are_no_others():
    same = CIRCLE[[0, 0, 4]]
    assert r_precision(same, same, 2) == 1


def test_of_fewer_than_its_candidates_it_says_nothing(caplog):
    """Among fewer it would look better, and among none it is always right."""
    assert np.isnan(r_precision(CIRCLE, CIRCLE, 9)) and "8 pictures have 7 others" in caplog.text
    assert np.isnan(r_precision(CIRCLE[[0, 0]], CIRCLE[[0, 0]], 2))


def test_among_fewer_candidates_it_is_easier():
    rng = np.random.default_rng(0)
    sentences = rng.normal(size=(200, 8))
    sentences /= np.linalg.norm(sentences, axis=1, keepdims=True)
    pictures = sentences + 0.5 * rng.normal(size=sentences.shape)
    found = [r_precision(pictures, sentences, candidates) for candidates in (2, 10, 100)]
    assert found[0] > found[1] > found[2] > 0.1
    shuffled = rng.permutation(200)
    assert r_precision(pictures[shuffled], sentences[shuffled], 10) == found[1]


def test_attributes_are_right_where_the_first_is_nearest():
    choices = {"style": [(0, CIRCLE[[0, 3]]), (1, CIRCLE[[5, 1, 4]])], "count": []}
    style, count = attribute_accuracy(CIRCLE[:2], choices)
    assert style == 0.5 and np.isnan(count)
    unknown = {"style": [(0, CIRCLE[[0, 3, 0]]), (1, CIRCLE[[1, 3, 5]] * np.nan), (1, CIRCLE[[1, 3, 5]])]}
    assert attribute_accuracy(CIRCLE[:2], unknown) == [pytest.approx(1 / 3)]  # as near as another is not right
