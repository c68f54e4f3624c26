import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from stylization.temporal import stabilize, stillness

random = np.random.default_rng(0)


def test_a_still_film_stops_flickering_and_a_cut_is_clean():
    """Noise that a stylizer adds to each frame is smoothed where the film stands still, and nothing else is."""
    black, white = np.zeros((16, 16, 3), np.uint8), np.full((16, 16, 3), 255, np.uint8)
    noise = iter(random.normal(0, 0.1, (40, 16, 16, 3)).astype(np.float32))
    film = [black] * 20 + [white] * 20
    frames = list(stabilize(film, lambda frame, before: frame * 0.5 + next(noise), keep=0.8))
    flicker = [abs(b - a).mean() for a, b in itertools.pairwise(frames[10:20])]
    assert np.mean(flicker) < 0.35 * 0.1  # without: 0.11
    assert abs(frames[20].mean() - 0.5) < 0.02  # nothing of the black frame is in the first white one


def test_without_keeping_nothing_changes():
    film = random.integers(0, 255, (3, 8, 8, 3), np.uint8)
    for frame, painted in zip(film, stabilize(film, lambda frame, before: frame, keep=0.0), strict=True):
        np.testing.assert_allclose(painted, frame / 127.5 - 1, atol=1e-6)


@pytest.mark.parametrize(("keep", "second"), [(0.0, 0.5), (0.25, 0.4), (0.8, 0.18)])
def test_so_much_of_what_was_painted_before_is_kept(keep, second):
    film, levels = [np.full((8, 8, 3), 128, np.uint8)] * 2, iter((0.1, 0.5))
    painted = list(stabilize(film, lambda frame, before: frame * 0 + np.float32(next(levels)), keep))
    np.testing.assert_allclose(painted[1], second, atol=1e-3)


def test_what_comes_to_light_starts_from_the_film():
    visible = np.repeat(np.float32([[1] * 8 + [0] * 8]), 16, axis=0)
    motion = SimpleNamespace(carry=lambda image: image, visible=visible)
    film, given = [np.full((16, 16, 3), 128, np.uint8)] * 2, []
    list(stabilize(film, lambda frame, before: given.append(before) or frame + 0.3, 0.8, lambda *_: motion))
    np.testing.assert_allclose(given[1], film[1] / 127.5 - 1 + 0.3 * visible[..., None], atol=1e-6)


def test_what_the_painter_leaves_alone_stays_the_films():
    """As outside of a region: on the left, a fade is the film's own, to the bit."""
    film = [np.full((8, 8, 3), 100 + 2 * i, np.uint8) for i in range(6)]
    right = (np.arange(8) >= 4)[None, :, None]
    painted = list(stabilize(film, lambda frame, before: np.where(right, -frame, frame), keep=0.8))
    for frame, found in zip(film, painted, strict=True):
        np.testing.assert_allclose(found[:, :4], frame[:, :4] / 127.5 - 1, atol=1e-6)
    assert (painted[-1][:, 4:] > 1 - film[-1][:, 4:] / 127.5).all()  # there, what was before is still to be seen


def test_the_painter_is_given_the_frame_before():
    given = []
    list(stabilize([np.zeros((4, 4, 3), np.uint8)] * 3, lambda f, b: given.append(b) or f, keep=0.5))
    assert given[0] is None and given[1].shape == (4, 4, 3)


def test_stillness_is_where_nothing_moves():
    before = random.integers(0, 255, (32, 32, 3), np.uint8)
    after = before.copy()
    after[:, 16:] = 255 - after[:, 16:]
    still = stillness(before, after)
    assert still[:, :8].min() > 0.99 and still[:, 24:].max() < 0.01


def test_strokes_go_along_with_what_moves():
    """A pan, in which nothing stands still: strokes that jump at random are steadied on what moves."""
    between = pytest.importorskip("data.motion").between
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    coarse = Image.fromarray(random.integers(0, 255, (16, 32, 3), np.uint8))
    scene = np.asarray(coarse.resize((128, 64), Image.Resampling.BICUBIC))
    film = [scene[:, 2 * i : 2 * i + 64] for i in range(12)]
    noise = random.normal(0, 0.2, (12, 64, 64, 3)).astype(np.float32)

    def changes(**options) -> float:
        drawn = iter(noise)
        frames = list(stabilize(film, lambda frame, before: frame + next(drawn), keep=0.8, **options))
        moved = [(b[:, 2:-4], a[:, 4:-2]) for a, b in itertools.pairwise(frames[4:])]
        return float(np.mean([abs(b - a) for b, a in moved]))

    assert changes(between=between) < 0.5 * changes()
