import numpy as np
import pytest
from scipy.optimize import Bounds, minimize

from stylization.optimizers import lbfgs


def quartic(target: np.ndarray):
    return lambda x: (float(((x - target) ** 4).sum()), (4 * (x - target) ** 3).astype(np.float32))


@pytest.mark.parametrize("evaluations", [1, 2, 7, 40])
def test_lbfgs_is_scipys_to_the_bit(evaluations):
    random = np.random.default_rng(0)
    problem = quartic(random.uniform(-1.5, 1.5, (12, 9, 3)))  # a third of the pixels end at their bounds
    start = random.uniform(-1.2, 1.2, (12, 9, 3)).astype(np.float32)
    seen = []

    def evaluate(flat: np.ndarray) -> tuple[float, np.ndarray]:
        here = flat.reshape(start.shape).astype(np.float32)
        loss, gradient = problem(here)
        seen.append((loss, here))
        return loss, gradient.astype(np.float64).ravel()

    minimize(
        evaluate, start.astype(np.float64).ravel(), jac=True, method="L-BFGS-B", bounds=Bounds(-1, 1),
        options={"maxcor": 10, "maxfun": evaluations, "ftol": 0.0, "gtol": 0.0},
    )  # fmt: skip
    expected = min(seen[:evaluations], key=lambda pair: pair[0])[1]
    found = lbfgs(problem, start, evaluations)
    np.testing.assert_array_equal(found, expected)
    assert np.abs(found).max() <= 1


@pytest.mark.parametrize("uphill", [range(0), range(6, 40)], ids=["all its gradients hold", "some point uphill"])
def test_lbfgs_takes_as_many_evaluations_as_it_may(uphill):
    """Where gradients point uphill for a while, its line searches fail and are begun anew: it arrives as well."""
    target = np.random.default_rng(0).uniform(-0.9, 0.9, (8, 8, 3))
    problem, losses = quartic(target), []

    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
        loss, gradient = problem(x)
        losses.append(loss)
        return loss, -gradient if len(losses) in uphill else gradient

    found = lbfgs(evaluate, np.zeros(target.shape, np.float32), 80)
    assert len(losses) == 80
    assert np.abs(found - target).max() < 0.05
