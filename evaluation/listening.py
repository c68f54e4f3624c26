"""Evaluation of how well a generator does what it is asked for, by a text encoder that it was not trained with."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from core import hardware
from core.errors import GessoError
from core.instantiate import build
from evaluation import attributes, sets, subject
from models.words import Words

HELD_OUT = 4000  # pictures among which those with combinations are found that were left out of training


def evaluate(config: DictConfig, metrics: Any, network: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Measures a generator's pictures of sentences of a data set, and what its numbers are to be read beside.

    Rows: the generator; the data's own pictures (what a perfect generator would score); these with each other's
    sentences (what one that does not listen would). And the first two again for sentences that ask for combinations
    which were on no picture in training (`dataset.without`). Returns them, and what they depend on.
    """
    generator = subject.of_generator(config, network)
    if generator.vocabulary is None:
        raise GessoError(f"network={network} understands no words: there is nothing to listen to.")
    if "text" not in config.dataset:
        raise GessoError("This dataset= has no words to ask for.")
    reader = Words.load(config.reader)
    size, rows = generator.size, {}
    dataset = build(config.dataset, image_size=size, text=True)
    chosen = dataset.drawn(config.num, config.seed)

    def measured(pictures: Iterator[sets.Batch], texts: Sequence[str]) -> dict[str, float]:
        return _measure(reader, metrics, pictures, texts)

    def generated(texts: Sequence[str]) -> Iterator[sets.Batch]:
        return generator.batches(len(texts), generator.vocabulary.tokens(texts))

    texts = dataset.texts(chosen)
    rows[str(network)] = measured(generated(texts), texts)
    rows["painted"] = measured(sets.dataset_batches(dataset, chosen, config.batch_size), texts)
    rows["painted, sentences shuffled"] = measured(
        sets.dataset_batches(dataset, chosen, config.batch_size), np.roll(texts, 1)
    )
    held_out = 0
    if config.dataset.get("without"):
        few = min(config.dataset.num_images, HELD_OUT)
        whole = build(config.dataset, image_size=size, text=True, without=None, num_images=few)
        texts = whole.texts(range(len(whole)))
        without = config.dataset.without
        without = [without] if isinstance(without, str) else without
        numbers = attributes.speaking_of(texts, without)[: config.num]
        held_out = len(numbers)
        if held_out > 1:
            texts = whole.texts(numbers)
            rows["held out"] = measured(generated(texts), texts)
            painted = sets.dataset_batches(whole, np.array(numbers), config.batch_size)
            rows["held out, painted"] = measured(painted, texts)
    own = {
        "reference": dataset.spec.name, "data": dataset.fingerprint, "num": len(chosen), "num_held_out": held_out,
        "seed": config.seed, "image_size": size, "truncation": config.truncation, "reader": str(config.reader),
    }  # fmt: skip
    return rows, own


def _measure(reader: Words, metrics: Any, pictures: Iterator[sets.Batch], texts: Sequence[str]) -> dict[str, float]:
    with hardware.full_float32():
        seen = np.concatenate([reader.look(images) for images, _ in pictures])
        inputs = {"sentences": (seen, reader.vectors(texts))}
        if any(metric["of"] == "attributes" for metric in metrics.values()):
            inputs["attributes"] = (seen, {name: _choices(reader, texts, name) for name in attributes.GROUPS})
    return sets.computed(metrics, inputs)


def _choices(reader: Words, texts: Sequence[str], attribute: str) -> list[tuple[int, np.ndarray]]:
    """Finds the texts that speak of an attribute, and reads each with all its values in place."""
    found = [(i, options) for i, text in enumerate(texts) if (options := attributes.alternatives(text, attribute))]
    if not found:
        return []
    vectors = reader.vectors([option for _, options in found for option in options])
    ends = np.cumsum([len(options) for _, options in found])
    return [(i, part) for (i, _), part in zip(found, np.split(vectors, ends[:-1]), strict=True)]
