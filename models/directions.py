"""Directions in a generator's latent space along which its pictures change most, found without labels.

Rows are unit vectors, most important first. Their signs mean nothing.
"""

import keras
import numpy as np

from models.layers.equalized import NormalizedActivation

SAMPLES = 2000
BATCH = 100


def sefa(generator: keras.Model, num: int) -> np.ndarray:
    """Finds directions float32 `[num, latent_dim]` in closed form: SeFa (Shen & Zhou 2021, arXiv:2007.06600).

    The directions that the first layer, `A z + b`, stretches most: eigenvectors of `A^T A`. Raises `ValueError`
    where there are fewer than `num`.
    """
    latent_dim, generator = _checked(generator, num)
    kernel = keras.ops.convert_to_numpy(_first(generator).kernel)[:latent_dim].astype(np.float64)
    _, vectors = np.linalg.eigh(kernel @ kernel.T)
    return vectors[:, ::-1][:, :num].T.astype(np.float32)


def ganspace(generator: keras.Model, num: int, seed: int = 0, samples: int = SAMPLES) -> np.ndarray:
    """Finds directions float32 `[num, latent_dim]` from latents: GANSpace (Härkönen et al. 2020, arXiv:2004.02546).

    Principal components of the first block's activations, taken back to latents by linear regression on their
    coordinates. As the first layer is linear, its activations are looked at after normalisation and ReLU. Raises
    `ValueError` where there are fewer than `num`.
    """
    latent_dim, generator = _checked(generator, num)
    rng = np.random.default_rng(seed)
    latents = rng.standard_normal((samples, latent_dim)).astype(np.float32)
    early, inputs = keras.Model(generator.inputs, _first_block(generator)), [latents]
    if len(generator.inputs) > 1:  # all classes as often
        inputs.append((np.arange(samples) % generator_classes(generator)).astype(np.int32))
    parts = (slice(i, i + BATCH) for i in range(0, samples, BATCH))
    found = [np.asarray(early([values[part] for values in inputs], training=False), np.float64) for part in parts]
    found = np.concatenate(found).reshape(samples, -1)
    found -= found.mean(axis=0)
    # The coordinates alone: of thousands of activations, only as many matter as there are samples.
    left, values, _ = np.linalg.svd(found, full_matrices=False)
    if len(values) < num:
        raise ValueError(f"The first block makes {len(values)} numbers, and has no {num} directions.")
    coordinates = left[:, :num] * values[:num]
    directions = coordinates.T @ latents / np.sum(coordinates**2, axis=0)[:, None]
    return (directions / np.linalg.norm(directions, axis=1, keepdims=True)).astype(np.float32)


def generator_classes(generator: keras.Model) -> int:
    """Counts the classes that a conditional generator's first layer, or its embeddings, are made for."""
    for layer in generator.layers:
        if isinstance(layer, keras.layers.Embedding):
            return layer.input_dim
        if isinstance(layer, NormalizedActivation) and layer.num_classes:
            return layer.num_classes
    return _first(generator).kernel.shape[0] - generator.inputs[0].shape[-1]


def _first(generator: keras.Model) -> keras.layers.Dense:
    """Returns the first layer that the latent goes through, rather than a label or sentence alone."""
    dense = (layer for layer in generator.layers if isinstance(layer, keras.layers.Dense))
    return next(layer for layer in dense if layer.name != "label_embedding")


def _first_block(generator: keras.Model):
    """Returns what comes out of the first nonlinearity after the first layer; of a mapping network, its style."""
    styles = next((layer for layer in generator.layers if layer.name == "styles"), None)
    if styles is not None:  # its layers are called twice: for the picture's own latent, and for one to mix in
        return styles.input[0]
    after = generator.operations[generator.operations.index(_first(generator)) + 1 :]
    kinds = (keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.Activation, NormalizedActivation)
    found = (step.output for step in after if isinstance(step, kinds) or type(step).__name__.lower() == "glu")
    return next(found, after[0].output)


def _checked(generator: keras.Model, num: int) -> tuple[int, keras.Model]:
    """Returns the length of the latent and what makes of it: of a generator with styles, the mapping network."""
    latent_dim = generator.inputs[0].shape[-1]
    if not 1 <= num <= latent_dim:
        raise ValueError(f"A latent of {latent_dim} numbers has at most so many directions, not {num}.")
    mapping = (layer for layer in generator.layers if layer.name == "mapping")
    return latent_dim, next(mapping, generator)
