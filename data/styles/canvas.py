"""The painter's tools: coordinates, noise, masks and glazes on a square canvas of any size.

Everything random is drawn in unit coordinates or on a lattice of fixed size, never per pixel: that is what
makes a picture the same picture at every size. A canvas is float32 sRGB in [0, 1], `[3, n, n]`: channels
first, since numpy is several times as fast when the innermost axis is long. x runs right, y down.
"""

from collections.abc import Iterable

import numpy as np
from PIL import Image, ImageDraw

Points = np.ndarray  # [points, 2] as (x, y) in unit coordinates


def grid(n: int) -> tuple[np.ndarray, np.ndarray]:
    """x `[1, n]` and y `[n, 1]`: the unit coordinates of the pixel centres."""
    centers = (np.arange(n, dtype=np.float32) + 0.5) / n
    return centers[None, :], centers[:, None]


def flat(n: int, color: np.ndarray) -> np.ndarray:
    """A canvas `[3, n, n]` of one colour `[3]`."""
    return np.broadcast_to(np.asarray(color, np.float32)[:, None, None], (3, n, n)).copy()


def noise(rng: np.random.Generator, n: int, rows: int, columns: int | None = None) -> np.ndarray:
    """Smooth noise `[n, n]` about zero, of standard deviation near 0.8; more rows or columns, finer grain."""
    lattice = rng.standard_normal((rows, columns or rows), dtype=np.float32)
    return np.asarray(Image.fromarray(lattice).resize((n, n), Image.Resampling.BICUBIC))


def linen(rng: np.random.Generator, n: int) -> np.ndarray:
    """The weave of a canvas, `[n, n]` about zero: long threads both ways."""
    return 0.6 * (noise(rng, n, 160, 20) + noise(rng, n, 20, 160))


def smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((value - np.float32(low)) * np.float32(1.0 / (high - low)), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def glaze(image: np.ndarray, color: np.ndarray, alpha: np.ndarray | float) -> None:
    """Paints `color` (`[3]` or a canvas) over `image` in place, as opaque as `alpha` `[n, n]` says."""
    color = np.asarray(color, np.float32)
    change = (color if color.ndim == 3 else color[:, None, None]) - image
    change *= np.asarray(alpha, np.float32)
    image += change


def grain(image: np.ndarray, texture: np.ndarray, amount: float) -> None:
    """Lightens and darkens `image` in place by `amount` times `texture` `[n, n]`."""
    image *= 1.0 + np.float32(amount) * texture


def mask(n: int, polygons: Iterable[Points]) -> np.ndarray:
    """Float32 `[n, n]`: 1 inside any of the polygons, 0 elsewhere."""
    sheet = Image.new("L", (n, n))
    draw = ImageDraw.Draw(sheet)
    for points in polygons:
        draw.polygon(pixels(points, n), fill=255)
    return np.asarray(sheet, np.float32) / 255.0


def to_sheet(image: np.ndarray) -> Image.Image:
    """The canvas as an 8-bit Pillow image, to draw on."""
    return Image.fromarray(
        np.ascontiguousarray((np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0))
    )


def from_sheet(sheet: Image.Image) -> np.ndarray:
    """The canvas `[3, n, n]` of an RGB Pillow image."""
    return np.ascontiguousarray(np.asarray(sheet).transpose(2, 0, 1)).astype(np.float32) / 255.0


def pixels(points: Points, n: int) -> list[float]:
    """The flat list of pixel coordinates that Pillow draws from."""
    return (np.asarray(points) * n).ravel().tolist()


def ink(color: np.ndarray) -> tuple[int, ...]:
    """An sRGB colour `[3]` in [0, 1] as the integers that Pillow draws with."""
    return tuple((np.clip(color, 0, 1) * 255 + 0.5).astype(int).tolist())


def box(x: float, y: float, width: float, height: float, angle: float = 0.0) -> Points:
    """The corners `[4, 2]` of a rectangle about (x, y), turned by `angle` (radians)."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (width / 2, height / 2)
    return turn(corners, angle) + np.array((x, y))


def turn(points: Points, angle: float) -> Points:
    """`points` turned about the origin by `angle` (radians)."""
    c, s = np.cos(angle), np.sin(angle)
    return np.stack((points[:, 0] * c - points[:, 1] * s, points[:, 0] * s + points[:, 1] * c), axis=1)


def curve(controls: Points, count: int = 32) -> Points:
    """`count` points on the Bézier curve with the given control points (3 or 4 of them)."""
    controls = np.asarray(controls, np.float64)
    while len(controls) > 1:  # de Casteljau
        t = np.linspace(0, 1, count)[:, None]
        starts, ends = controls[:-1], controls[1:]
        if controls.ndim == 2:
            starts, ends = starts[:, None], ends[:, None]
        controls = starts * (1 - t) + ends * t
    return controls[0]


def circle(count: int) -> Points:
    """`count` points around the unit circle."""
    angles = np.arange(count) * (2 * np.pi / count)
    return np.stack((np.cos(angles), np.sin(angles)), axis=1)


def normals(spine: Points) -> Points:
    """The unit normals `[k, 2]` of a polyline `[k, 2]`."""
    tangent = np.gradient(spine, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-9
    return np.stack((-tangent[:, 1], tangent[:, 0]), axis=1)


def ribbon(spine: Points, widths: np.ndarray) -> Points:
    """The outline of a stroke along `spine` `[k, 2]`, `widths` `[k]` wide: a polygon `[2k, 2]`."""
    side = normals(spine) * (widths / 2)[:, None]
    return np.concatenate((spine + side, (spine - side)[::-1]))
