"""Sliced Wasserstein distance of small patches (Karras et al. 2018, arXiv:1710.10196, section 5): needs no network.

7x7 patches from each level of a Laplacian pyramid, so that the coarsest level (16 px) tells of large forms and the
finest of pixels. As in the paper each set's patches are first brought to mean 0 and standard deviation 1 a channel:
mere brightness and contrast do not count.
"""

import itertools

import numpy as np

from metrics.order import canonical

COARSEST, PATCH, ROWS = 16, 7, 128
_TAPS = np.array([1, 4, 6, 4, 1], np.float32) / 16  # the binomial filter of Burt & Adelson 1983


def sliced_wasserstein(
    images_a: np.ndarray, images_b: np.ndarray, patches: int = 64, projections: int = 128, seed: int = 0
) -> float:
    """Averages the levels of `per_level`: the smaller, the more alike; above 0 for two samples of one kind."""
    return float(np.mean(list(per_level(images_a, images_b, patches, projections, seed).values())))


def per_level(
    images_a: np.ndarray, images_b: np.ndarray, patches: int = 64, projections: int = 128, seed: int = 0
) -> dict[int, float]:
    """Computes the distance x 1000 of each level, by its size in pixels, finest first: {64: ..., 32: ..., 16: ...}.

    Of two sets of images of the same shape, float or uint8 `[n, height, width, 1 or 3]`, 16 px or larger, in any
    range. `patches` are cut from each image and level at random places, the same however images are ordered; the
    distance is the mean over `projections` random directions of that between the sorted values. The paper takes 128
    patches of 16,384 images and 512 directions. Raises `ValueError` for images too small, of two shapes, or of
    another number.
    """
    a, b = np.asarray(images_a), np.asarray(images_b)
    if a.shape != b.shape or a.ndim != 4 or min(a.shape[1:3]) < COARSEST:
        raise ValueError(
            f"Compare sets of one shape [n, height, width, channels], {COARSEST} px or larger: "
            f"not {a.shape} with {b.shape}."
        )
    rng = np.random.default_rng(seed)
    descriptors_a, descriptors_b = _descriptors(a, patches, rng), _descriptors(b, patches, rng)
    result = {}
    for size in list(descriptors_a):
        x, y = (_normalized(descriptors.pop(size)) for descriptors in (descriptors_a, descriptors_b))
        directions = rng.standard_normal((x.shape[1], projections)).astype(np.float32)
        directions /= np.linalg.norm(directions, axis=0)
        # Sorted along rows, which are contiguous: several times as fast as along columns.
        x, y = (np.sort(np.ascontiguousarray((values @ directions).T), axis=1) for values in (x, y))
        result[size] = 1000 * float(np.mean(np.abs(x - y), dtype=np.float64))
    return result


def laplacian_pyramid(images: np.ndarray) -> list[np.ndarray]:
    """Splits images `[n, height, width, channels]` into bands of detail, finest first, and the rest of 16 to 31 px.

    Each band is what the next coarser picture, enlarged, lacks: added up, they are the images again.
    """
    levels = [np.asarray(images, np.float32)]
    while min(levels[-1].shape[1:3]) >= 2 * COARSEST:
        levels.append(_halved(levels[-1]))
    bands = [fine - _doubled(coarse, fine.shape) for fine, coarse in itertools.pairwise(levels)]
    return [*bands, levels[-1]]


def _descriptors(images: np.ndarray, patches: int, rng: np.random.Generator) -> dict[int, np.ndarray]:
    """Cuts patches out of each level, some images at a time: float32 `[n * patches, 7, 7, channels]` by size."""
    found: dict[int, list[np.ndarray]] = {}
    window = np.arange(PATCH)
    order = canonical(images)
    for i in range(0, len(images), ROWS):
        for level in laplacian_pyramid(images[order[i : i + ROWS]]):
            n, height, width, _ = level.shape
            top = rng.integers(0, height - PATCH + 1, (n * patches, 1, 1)) + window[:, None]
            left = rng.integers(0, width - PATCH + 1, (n * patches, 1, 1)) + window
            found.setdefault(min(height, width), []).append(
                level[np.repeat(np.arange(n), patches)[:, None, None], top, left]
            )
    return {size: np.concatenate(parts) for size, parts in found.items()}


def _normalized(descriptors: np.ndarray) -> np.ndarray:
    """Normalises each channel to mean 0 and deviation 1, patches as rows: `[num, 7 * 7 * channels]`."""
    mean = descriptors.mean(axis=(0, 1, 2), dtype=np.float64)
    deviation = descriptors.std(axis=(0, 1, 2), dtype=np.float64)
    descriptors = (descriptors - mean.astype(np.float32)) / np.maximum(deviation, 1e-8).astype(np.float32)
    return descriptors.reshape(len(descriptors), -1)


def _halved(images: np.ndarray) -> np.ndarray:
    return _smooth(_smooth(images, 1)[:, ::2], 2)[:, :, ::2]


def _doubled(images: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Doubles the size: zeros between pixels, smoothed, cut to `shape` as odd sizes were rounded up when halved."""
    for axis in (1, 2):
        wide = np.zeros([2 * size if i == axis else size for i, size in enumerate(images.shape)], np.float32)
        wide[(slice(None),) * axis + (slice(None, None, 2),)] = 2 * images
        images = _smooth(wide, axis)
    return images[:, : shape[1], : shape[2]]


def _smooth(images: np.ndarray, axis: int) -> np.ndarray:
    """Applies the binomial filter along one axis, mirrored at the border."""
    padded = np.pad(images, [(2, 2) if i == axis else (0, 0) for i in range(4)], mode="reflect")
    size = images.shape[axis]
    before = (slice(None),) * axis
    return sum(tap * padded[(*before, slice(i, i + size))] for i, tap in enumerate(_TAPS))
