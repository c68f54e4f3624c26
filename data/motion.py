"""Where things moved from one frame of a film to the next: dense optical flow, by OpenCV (the extra `flow`)."""

import importlib.util
from dataclasses import dataclass

import numpy as np

from core.errors import GessoError

SMALLEST = 16  # px of a side
TOLERANCE = 0.5  # px squared, beside a hundredth of how far it moved: how near home the way there and back leads


@dataclass(frozen=True)
class Motion:
    """The motion between two frames, as the later one sees it.

    Attributes:
        flow: float32 `[height, width, 2]`: from each pixel, px right and down to where it was in the frame before.
        visible: float32 `[height, width]`: 1 where it was to be seen there, 0 where something hid it.
    """

    flow: np.ndarray
    visible: np.ndarray

    def carry(self, image: np.ndarray) -> np.ndarray:
        """Carries an image of the frame before, `[height, width, channels]` of any size and type, along."""
        height, width = image.shape[:2]
        flow = self.flow
        if flow.shape[:2] != (height, width):
            scale = np.float32([width / flow.shape[1], height / flow.shape[0]])
            flow = _cv2().resize(flow, (width, height)) * scale
        return _warped(image, flow)


def fits(height: int, width: int) -> bool:
    """Says whether frames of so many px are so large that their motion can be found: OpenCV crashes else."""
    return min(height, width) >= SMALLEST


def between(before: np.ndarray, after: np.ndarray) -> Motion:
    """Finds the motion between two frames, uint8 `[height, width, 3]` of one size that `fits`.

    Dense inverse search (Kroeger et al. 2016, arXiv:1603.03590), both ways: where the way back does not lead home,
    something came to light, or the flow is wrong (Sundaram et al. 2010). Raises `GessoError` without OpenCV.
    """
    cv2 = _cv2()
    gray = [cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY) for frame in (before, after)]
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    forward, backward = search.calc(*gray, None), search.calc(*gray[::-1], None)
    back = _warped(forward, backward)
    home = backward + back
    far = np.square(backward).sum(axis=-1) + np.square(back).sum(axis=-1)
    visible = np.square(home).sum(axis=-1) <= 0.01 * far + TOLERANCE
    return Motion(backward, (visible & _inside(backward)).astype(np.float32))


def check() -> None:
    """Raises `GessoError` where OpenCV is not installed."""
    if not available():
        raise GessoError("Optical flow needs OpenCV: .venv/bin/pip install opencv-python-headless")


def available() -> bool:
    """Says whether OpenCV is installed."""
    return importlib.util.find_spec("cv2") is not None


def _cv2():
    check()
    import cv2

    return cv2


def _places(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = (np.arange(side, dtype=np.float32) for side in flow.shape[:2])
    return columns + flow[..., 0], rows[:, None] + flow[..., 1]


def _inside(flow: np.ndarray) -> np.ndarray:
    (x, y), (height, width) = _places(flow), flow.shape[:2]
    return (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)


def _warped(image: np.ndarray, flow: np.ndarray) -> np.ndarray:
    cv2 = _cv2()
    return cv2.remap(image, *_places(flow), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
