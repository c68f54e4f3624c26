"""A stylized film beside the one that it was made of: two files, frame by frame."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

from core.errors import GessoError
from evaluation import films


def written(path: Path, frames: list[np.ndarray]) -> Path:
    """A film of these frames, uint8 `[height, width, 3]`, with nothing lost."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", Fraction(10))
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], "bgr0"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def measured(images: Path, content: Path) -> tuple[dict, dict]:
    return films.evaluate(OmegaConf.create({"images": str(images), "content": str(content)}))


def test_a_film_beside_itself_and_beside_one_that_flickers(tmp_path):
    still = np.full((32, 48, 3), 90, np.uint8)
    content = written(tmp_path / "content.mkv", [still] * 3)
    rows, settings = measured(content, content)
    own, untouched = rows.values()
    assert own["flicker"] == untouched["flicker"] == 0 and own["still"] == 1
    assert settings["size"] == [48, 32] and settings["content"] == str(content)
    painted = written(tmp_path / "painted.mkv", [still, still + 10, still])
    rows, _ = measured(painted, content)
    assert rows[str(painted)]["flicker"] == pytest.approx(10, abs=0.5)
    assert rows["content, untouched"]["flicker"] == 0


def test_what_moves_is_compared_where_it_moved_to(tmp_path):
    """A pan, and one that was painted as if the camera had stood still."""
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    coarse = Image.fromarray(np.random.default_rng(0).integers(0, 255, (12, 20, 3), np.uint8))
    scene = np.asarray(coarse.resize((80, 48), Image.Resampling.BICUBIC))
    frames = [scene[:, x : x + 64] for x in (0, 4, 8)]
    content = written(tmp_path / "content.mkv", frames)
    painted = written(tmp_path / "painted.mkv", frames[:1] * 3)
    rows, settings = measured(painted, content)
    assert rows["content, untouched"]["warping_error"] < 3
    assert rows[str(painted)]["warping_error"] > 20
    assert settings["flow"] == "DIS, OpenCV"


def test_a_film_too_small_for_optical_flow_has_the_other_numbers(tmp_path):
    """OpenCV's crashes on it, and Python with it."""
    content = written(tmp_path / "content.mkv", [np.full((12, 40, 3), 90, np.uint8)] * 3)
    rows, settings = measured(content, content)
    assert rows[str(content)] == {"flicker": 0, "still": 1} and "flow" not in settings


def test_what_is_not_one_film_is_said(tmp_path):
    content = written(tmp_path / "content.mkv", [np.zeros((32, 48, 3), np.uint8)] * 3)
    wide = written(tmp_path / "wide.mkv", [np.zeros((32, 64, 3), np.uint8)] * 3)
    short = written(tmp_path / "short.mkv", [np.zeros((32, 48, 3), np.uint8)] * 2)
    with pytest.raises(GessoError, match=r"64x32 px, .*48x32: not the same film"):
        measured(wide, content)
    with pytest.raises(GessoError, match=r"short\.mkv, content=.*content\.mkv: "):
        measured(short, content)
