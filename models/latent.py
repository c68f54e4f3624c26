"""Latents: the noise that a generator turns into pictures."""

import numpy as np


def sample(seed: int, num: int, latent_dim: int, truncation: float | None = None, start: int = 0) -> np.ndarray:
    """Draws standard normal latents, float32 `[num, latent_dim]`, from number `start` on.

    Each depends on `seed` and its number alone. With `truncation`, values beyond ±`truncation` are drawn again
    (Brock et al. 2018, arXiv:1809.11096, section 3.1): less variety, fewer failures. Raises `ValueError` unless it
    is positive.
    """
    if truncation is not None and not truncation > 0:
        raise ValueError(f"truncation must be positive, not {truncation}")
    return np.stack(
        [normal(np.random.default_rng([seed, i]), latent_dim, truncation) for i in range(start, start + num)]
    )


def normal(rng: np.random.Generator, shape: int | tuple[int, ...], truncation: float | None = None) -> np.ndarray:
    """Draws float32 standard normals, those beyond ±`truncation`, if it is given, again."""
    z = rng.standard_normal(shape)
    if truncation is not None:
        while (beyond := np.abs(z) > truncation).any():
            z[beyond] = rng.standard_normal(beyond.sum())
    return z.astype(np.float32)


def walk(corners: np.ndarray, frames: int) -> np.ndarray:
    """Walks from each of the corners `[k, dimensions]` to the next, and back to the first: `[k * frames, ...]`."""
    legs = zip(corners, np.roll(corners, -1, axis=0), strict=True)
    return np.concatenate([slerp(a, b, frames + 1)[:-1] for a, b in legs])


def slerp(start: np.ndarray, end: np.ndarray, steps: int) -> np.ndarray:
    """Interpolates on a sphere (White 2016, arXiv:1609.04468) from `start` to `end`, both `[latent_dim]`.

    Returns float32 `[steps, latent_dim]`, both ends included. In many dimensions normal latents lie near a
    sphere; a straight line would leave it and pass through latents that the generator never saw.
    """
    cosine = np.dot(start, end) / (np.linalg.norm(start) * np.linalg.norm(end))
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    t = np.linspace(0.0, 1.0, steps)[:, None]
    if np.sin(angle) < 1e-6:  # parallel: the sphere's path is the line
        return ((1 - t) * start + t * end).astype(np.float32)
    return ((np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / np.sin(angle)).astype(np.float32)
