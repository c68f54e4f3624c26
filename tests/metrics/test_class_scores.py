import math

import numpy as np
import pytest

from metrics import class_scores

# Three classes; likeliest are 0, 0, 2, 0.
FOUR = np.array([[0.95, 0.05, 0.0], [0.5, 0.3, 0.2], [0.0, 0.0, 1.0], [0.9, 0.1, 0.0]])


def test_histogram_names_every_class():
    assert class_scores.histogram(FOUR).tolist() == [3, 0, 1]


def test_divergence_from_equal_shares():
    # shares 3/4, 0, 1/4 against 1/3 each
    assert class_scores.kl_from_uniform(np.array([3, 0, 1])) == pytest.approx(
        0.75 * math.log(0.75 * 3) + 0.25 * math.log(0.25 * 3)
    )
    assert class_scores.kl_from_uniform(np.array([7, 7, 7, 7])) == pytest.approx(0, abs=1e-12)
    assert class_scores.kl_from_uniform(np.array([0, 5, 0, 0])) == pytest.approx(math.log(4))


def test_confident_is_beyond_the_threshold():
    assert class_scores.confident(FOUR) == 0.5  # 0.9 itself is not
    assert class_scores.confident(FOUR, 0.4) == 1


def test_accuracy():
    labels = np.array([0, 1, 2, 0])
    assert class_scores.accuracy(FOUR, labels) == 0.75
    np.testing.assert_array_equal(class_scores.accuracy_per_class(FOUR, labels), [1, 0, 1])
    np.testing.assert_array_equal(class_scores.accuracy_per_class(FOUR, np.array([0, 2, 2, 0])), [1, np.nan, 0.5])


def test_inception_score_at_its_ends_and_between():
    assert class_scores.inception_score(np.full((6, 4), 0.25)) == pytest.approx(1)
    assert class_scores.inception_score(np.eye(4)[[1, 1, 1]]) == pytest.approx(1)  # clear, but all of one class
    assert class_scores.inception_score(np.eye(5)) == pytest.approx(5)
    # Two pictures, p = (0.8, 0.2) and (0.2, 0.8); their mean is (0.5, 0.5).
    divergence = 0.8 * math.log(1.6) + 0.2 * math.log(0.4)
    assert class_scores.inception_score(np.array([[0.8, 0.2], [0.2, 0.8]])) == pytest.approx(math.exp(divergence))
