"""An optimisation that is interrupted gives what it has come to."""

import numpy as np
import pytest

from stylization.method import Interrupted
from stylization.progress import changed, watched, watching


@pytest.mark.parametrize("both", [False, True])
def test_the_best_picture_is_that_of_the_last_loss(both):
    """Two losses on pictures of one size, as `method=nnst` has them, do not compare: the second may be larger."""
    content, first, worse, last = (np.full((4, 4, 3), value, np.float32) for value in (0.0, 0.1, 0.2, 0.3))

    def optimize(report):
        report({"matching": 0.1}, first)
        report({"matching": 0.2}, worse)
        if both:
            report({"layers": 5.0}, last)
            report({"layers": 6.0}, worse)
        raise KeyboardInterrupt

    with pytest.raises(Interrupted) as interrupted:
        watched(optimize, content, 4, lambda painted: painted)
    np.testing.assert_allclose(interrupted.value.painted, last if both else first, atol=1e-6)


def test_stopped_before_anything_is_painted_there_is_nothing_to_keep():
    def optimize(report):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as interrupted:
        watched(optimize, np.zeros((4, 4, 3), np.float32), 4, lambda painted: painted)
    assert not isinstance(interrupted.value, Interrupted)


def test_watchers_see_what_would_be_left_if_this_were_the_end():
    content, seen = np.zeros((4, 4, 3), np.float32), []

    def optimize(report):
        report({"loss": 1.0}, np.full((2, 2, 3), 0.1, np.float32))
        return content

    with (
        watching(lambda picture, total, side: seen.append((picture(), total, side))),
        changed(lambda picture: picture * 2),
    ):
        watched(optimize, content, 1, lambda painted: painted[:3] + 0.1)
    np.testing.assert_allclose(seen[0][0], np.full((3, 4, 3), 0.4), atol=1e-6)
    assert seen[0][1:] == (1, 2)
