import numpy as np
import pytest
from scipy import linalg

from metrics import fid
from metrics.fid import Moments


def of(features: np.ndarray) -> Moments:
    return Moments(features.shape[1]).update(features)


def by_sqrtm(a: np.ndarray, b: np.ndarray) -> float:
    """As the paper's programme does it."""
    ca, cb = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = linalg.sqrtm(ca @ cb)
    return float(np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2) + np.trace(ca + cb - 2 * np.real(root)))


@pytest.fixture(scope="module")
def sets():
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(24, 24))
    return rng.normal(size=(300, 24)) @ mix, np.abs(rng.normal(0.3, 1.5, size=(200, 24)))


def test_is_that_of_sqrtm(sets):
    a, b = sets
    assert fid.fid(of(a), of(b)) == pytest.approx(by_sqrtm(a, b), rel=1e-9)
    assert fid.fid(of(b), of(a)) == pytest.approx(fid.fid(of(a), of(b)), rel=1e-12)


def test_few_rows_leave_the_covariance_singular(sets):
    a, b = sets[0][:10], sets[1][:15]
    assert fid.fid(of(a), of(b)) == pytest.approx(by_sqrtm(a, b), rel=1e-3)  # sqrtm is what is inexact
    # The nuclear norm of the centred rows' products is the trace of the root, with no covariance at all.
    x, y = ((v - v.mean(axis=0)) / np.sqrt(len(v) - 1) for v in (a, b))
    apart = np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2)
    exact = apart + np.sum(x**2) + np.sum(y**2) - 2 * np.linalg.norm(x @ y.T, "nuc")
    assert fid.fid(of(a), of(b)) == pytest.approx(exact, rel=1e-9)
    one = of(np.tile(a[:1], (5, 1)))  # no spread at all
    expected = np.sum((a[0] - b.mean(axis=0)) ** 2) + np.sum(y**2)
    assert fid.fid(one, of(b)) == pytest.approx(expected, rel=1e-12)


def test_worked_by_hand():
    # One dimension: (m_a - m_b)^2 + (s_a - s_b)^2; of 0, 2 and 3, 5, 7 the deviations are sqrt(2) and 2.
    a, b = np.array([[0.0], [2.0]]), np.array([[3.0], [5.0], [7.0]])
    assert fid.fid(of(a), of(b)) == pytest.approx(16 + (2 - np.sqrt(2)) ** 2)
    diagonal = fid.frechet(np.zeros(2), np.diag([1.0, 9.0]), np.zeros(2), np.diag([4.0, 0.0]))
    assert diagonal == pytest.approx((1 - 2) ** 2 + 3**2)


@pytest.mark.parametrize("rows", [300, 10], ids=["many", "few"])
def test_identical_sets_are_at_zero(sets, rows):
    a = of(sets[0][:rows])
    assert 0 <= fid.fid(a, a) < 1e-9 * np.trace(a.covariance)


def test_pieces_in_any_order_are_one_set(sets):
    features = (sets[0] + 1000).astype(np.float32)
    whole = of(features)
    pieces = Moments(24)
    for i in range(299, 149, -1):  # backwards, one by one
        pieces.update(features[i : i + 1])
    for i in range(0, 150, 7):
        pieces.update(features[i : min(i + 7, 150)])
    pieces.update(features[:0])
    assert pieces.n == 300
    np.testing.assert_allclose(pieces.mean, features.mean(axis=0, dtype=np.float64), rtol=1e-13)
    np.testing.assert_allclose(pieces.covariance, np.cov(features.astype(np.float64), rowvar=False), rtol=1e-10)
    np.testing.assert_allclose(pieces.covariance, whole.covariance, rtol=1e-10)


def test_long_sets_pass_in_pieces(sets, monkeypatch):
    whole = of(sets[0])
    monkeypatch.setattr(fid, "ROWS", 7)
    np.testing.assert_allclose(of(sets[0]).covariance, whole.covariance, rtol=1e-10, atol=1e-12)


def test_nothing_cancels_far_from_zero():
    """Sums of squares would have no digit of the covariance left."""
    x = np.random.default_rng(1).normal(size=(500, 3))
    far = Moments(3)
    for i in range(0, 500, 50):
        far.update(x[i : i + 50] + 1e8)
    np.testing.assert_allclose(far.covariance, np.cov(x, rowvar=False), rtol=1e-6, atol=1e-7)


def test_bias_falls_with_the_number_and_is_warned_of():
    rng = np.random.default_rng(2)
    few, many = (fid.fid(of(rng.normal(size=(n, 16))), of(rng.normal(size=(n, 16)))) for n in (30, 3000))
    assert few > 20 * many > 0
    assert "singular" in fid.warning(512, 512) and "513" in fid.warning(512, 512)
    assert "biased" in fid.warning(2047, 512) and "singular" not in fid.warning(2047, 512)
    assert fid.warning(2048, 512) is None
    assert "singular" in fid.warning(2048, 2048)


def test_what_cannot_be_compared_is_refused(sets):
    a = of(sets[0])
    for shape in ((4, 23), (24,), (2, 3, 24)):
        with pytest.raises(ValueError, match="24"):
            a.update(np.ones(shape))
    with pytest.raises(ValueError, match="dimension"):
        fid.fid(a, of(np.ones((3, 2))))
    with pytest.raises(ValueError, match="2 rows"):
        fid.fid(a, of(sets[0][:1]))
    with pytest.raises(ValueError, match="finite"):
        a.update(np.full((2, 24), np.nan))
