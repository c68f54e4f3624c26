import numpy as np
import pytest

from metrics import kid
from metrics.kid import kid_with_error


def by_loops(a: np.ndarray, b: np.ndarray) -> float:
    def k(x, y):
        return (sum(float(p) * float(q) for p, q in zip(x, y, strict=True)) / len(x) + 1) ** 3

    n, m = len(a), len(b)
    within_a = sum(k(a[i], a[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    within_b = sum(k(b[i], b[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return within_a + within_b - 2 * sum(k(x, y) for x in a for y in b) / (n * m)


@pytest.mark.parametrize("rows", [3, 100], ids=["in pieces", "at once"])
def test_is_the_definition(rows, monkeypatch):
    monkeypatch.setattr(kid, "ROWS", rows)
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(10, 6)), rng.normal(0.5, 2, size=(13, 6))
    assert kid.kid(a, b) == pytest.approx(by_loops(a, b), rel=1e-12)
    assert kid.kid(a.astype(np.float32), b) == pytest.approx(by_loops(a.astype(np.float32), b), rel=1e-12)
    assert kid_with_error(a, b, subset_size=4)[0] == pytest.approx(by_loops(a, b), rel=1e-12)


def test_worked_by_hand():
    # One dimension, k(x, y) = (xy + 1)^3. Within: k(1, 2) = 27, k(0, 3) = 1. Between: 1, 1, 4^3 and 7^3.
    assert kid.kid(np.array([[1.0], [2.0]]), np.array([[0.0], [3.0]])) == pytest.approx(27 + 1 - 2 * 409 / 4)


def test_is_zero_on_average_for_one_distribution_and_not_for_two():
    rng = np.random.default_rng(1)
    same = [kid.kid(*rng.normal(size=(2, 20, 8))) for _ in range(400)]
    error = np.std(same) / np.sqrt(len(same))
    assert abs(np.mean(same)) < 4 * error  # the biased estimate is off by 70 such errors
    assert min(same) < 0 < max(same)
    other = [kid.kid(rng.normal(size=(20, 8)), rng.normal(0.5, 1, size=(20, 8))) for _ in range(100)]
    assert np.mean(other) > 40 * error


def test_error_is_that_of_other_samples():
    """The spread of KID over many pairs of samples is known here; one pair must tell it about right."""
    rng = np.random.default_rng(2)
    found = [
        kid_with_error(rng.normal(size=(200, 8)), rng.normal(0.4, 1.2, size=(200, 8)), 30, 50, seed=i)
        for i in range(60)
    ]
    values, errors = np.transpose(found)
    assert errors.mean() == pytest.approx(values.std(), rel=0.25)


def test_error_is_seeded():
    a, b = np.random.default_rng(3).normal(size=(2, 50, 4))
    assert kid_with_error(a, b, 20, 10, seed=1) == kid_with_error(a, b, 20, 10, seed=1)
    assert kid_with_error(a, b, 20, 10, seed=1)[1] != kid_with_error(a, b, 20, 10, seed=2)[1]


def test_what_cannot_be_compared_is_refused():
    ones = np.ones((3, 4))
    for a, b in ((ones, np.ones((3, 5))), (ones[:1], ones), (ones[0], ones)):
        with pytest.raises(ValueError, match=r"\[n, d\]"):
            kid.kid(a, b)
    with pytest.raises(ValueError, match="subsets"):
        kid_with_error(ones, ones)
