"""Style transfer: how much of the content is kept, how near the style comes, and the colours.

Pure functions. Activations are float `[n, height, width, channels]` of a layer, e.g. of `models.networks.vgg`;
pictures float in [-1, 1] or uint8, sRGB, `[..., 3]`, of any size. Sums are in float64.
"""

import numpy as np

from metrics.fid import Moments, frechet

# sRGB to XYZ (IEC 61966-2-1), each row divided by D65's white.
_XYZ = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
) / np.array([[0.95047], [1.0], [1.08883]])


def content_distance(features: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Averages squared differences of the activations of each picture and its content: float64 `[n]`."""
    if np.shape(features) != np.shape(target):
        raise ValueError(f"Activations are of two shapes: {np.shape(features)} and {np.shape(target)}.")
    pairs = zip(features, target, strict=True)
    return np.array([np.mean(np.square(np.asarray(a, np.float64) - b)) for a, b in pairs])


def gram_distance(features: np.ndarray, style: np.ndarray) -> np.ndarray:
    """Averages squared differences of the Gram matrices of each picture and its style: float64 `[n]`.

    Scaled as `losses.perceptual.gram_matrix`. `style` is `[n or 1, height', width', channels]`: sizes may differ.
    """
    if len(style) not in (1, len(features)):
        raise ValueError(f"{len(features)} pictures have as many styles, or one: not {len(style)}.")
    grams = [_gram(x) for x in style]
    return np.array([np.mean(np.square(_gram(x) - grams[i % len(grams)])) for i, x in enumerate(features)])


def artfid(content: float, fid: float) -> float:
    """Computes `(1 + content) (1 + fid)`, 1 at best (ArtFID, Wright & Ommer 2022, arXiv:2207.12280).

    `content` is the mean perceptual distance of stylized pictures to their contents, `fid` that of stylized
    pictures to styles. The published numbers take LPIPS, and an Inception network trained on paintings: with other
    parts only the form is ArtFID's, and values compare among themselves alone.
    """
    if not (content >= 0 and fid >= 0):
        raise ValueError(f"Distances are 0 or more, not {content} and {fid}.")
    return (1 + content) * (1 + fid)


def lab(images: np.ndarray) -> np.ndarray:
    """Computes CIE L*a*b* under D65: float64 `[..., 3]`, L from 0 to 100. An eye can just tell a distance of 1."""
    images = np.asarray(images)
    if images.shape[-1:] != (3,):
        raise ValueError(f"Colours are [..., 3], not {images.shape}.")
    rgb = images / 255.0 if images.dtype == np.uint8 else (images.astype(np.float64) + 1) / 2
    rgb = np.clip(rgb, 0, 1)
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = linear @ _XYZ.T
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def color_moments(image: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Computes how far two pictures' colours are apart in Lab: by their mean, and by their covariance.

    Both in Lab's unit: Euclidean distance of the means, and Wasserstein-2 distance of the normal distributions of
    the two covariances around one mean.
    """
    a, b = (Moments(3).update(lab(colors).reshape(-1, 3)) for colors in (image, reference))
    same = np.zeros(3)
    return float(np.linalg.norm(a.mean - b.mean)), frechet(same, a.covariance, same, b.covariance) ** 0.5


def _gram(features: np.ndarray) -> np.ndarray:
    flat = np.asarray(features, np.float64).reshape(-1, features.shape[-1])
    return flat.T @ flat / flat.size
