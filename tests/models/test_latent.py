import numpy as np
import pytest

from models import latent


def test_rows_depend_on_seed_and_index_alone():
    few, many = latent.sample(3, 4, 100), latent.sample(3, 9, 100)
    np.testing.assert_array_equal(few, many[:4])
    assert not np.array_equal(few, latent.sample(4, 4, 100))
    assert many.dtype == np.float32 and len(np.unique(many)) > 890


def test_are_standard_normal():
    values = latent.sample(0, 100, 100)
    assert abs(values.mean()) < 0.05 and values.std() == pytest.approx(1, abs=0.03)


def test_truncation_draws_again_rather_than_clipping():
    values = latent.sample(0, 100, 100, truncation=0.5)
    assert abs(values).max() <= 0.5
    assert (abs(values) == 0.5).sum() == 0
    with pytest.raises(ValueError, match="positive"):
        latent.sample(0, 1, 1, truncation=0)


def test_slerp_keeps_ends_and_length():
    start, end = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    path = latent.slerp(start, end, 3)
    np.testing.assert_allclose(path, [[1, 0], [np.sqrt(0.5), np.sqrt(0.5)], [0, 1]], atol=1e-6)
    np.testing.assert_allclose(latent.slerp(start, 2 * start, 3)[:, 0], [1, 1.5, 2], atol=1e-6)
