"""How well a generator does what words ask for, judged by a network that has learned to answer just that.

    python benchmarks/attribute_classifiers.py words <another run> ... --output <folder>

Of a sentence one word is taken out, "three what leaves on black, cut-outs": which is it, by the picture? The judge
learns to answer for style, first colour, object and count, on built-in paintings that, but for a few, no generator
of `experiment=words_paintings` has seen, and is kept in the folder. Then it is asked of generated pictures, and
beside them of painted ones (what a perfect generator would have), and of these with each other's sentences (what
can be guessed from the sentence alone). The last rows are sentences with combinations that were held out.
"""

import argparse
import logging
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from core import hardware
from core.files import atomic
from core.network_file import find_network
from core.vocabulary import Vocabulary
from data import paintings
from evaluation import attributes, sets
from models import trained

PICTURES, SEEN = 32_000, 18_000  # of the exhibition; generators have seen those up to here, and 42 beyond
HELD_OUT = ("blue circle", "blue frond", "yellow bar", "green rectangle", "cut-outs on orange")
LOOKED_AT = 4000  # pictures, for those on which there are such
SIZE, BATCH, LENGTH = 64, 64, 40
BLANK = "what"
GROUPS = [(name, group) for name, groups in attributes.GROUPS.items() for group in groups]
WORDS = [(name, word) for name, group in GROUPS for word in group]
# Of each word those that could stand in its place, itself among them: 0 or 1, `[len(WORDS), len(WORDS)]`.
POSSIBLE = np.array(
    [[key in [(name, word) for word in group] for key in WORDS] for name, group in GROUPS for _ in group]
)


@dataclass(frozen=True, eq=False)
class Questions:
    """Questions, `[n]` each: of which picture, the text with a blank, and the answer, a number of `WORDS`."""

    picture: np.ndarray
    text: list[str]
    answer: np.ndarray


def asked_of(texts: Sequence[str], pictures: Sequence[int]) -> Questions:
    """Takes out of each text, which speaks of a picture, the first word of each attribute that it has."""
    rows = []
    for text, picture in zip(texts, pictures, strict=True):
        for name in attributes.GROUPS:
            found = attributes.asked(text, name)
            if found is not None:
                question = re.sub(rf"\ban {BLANK}\b", f"a {BLANK}", found.saying(BLANK))  # "an" would tell
                rows.append((picture, question, WORDS.index((name, found.value))))
    numbers, questions, answers = zip(*rows, strict=True)
    return Questions(np.array(numbers), list(questions), np.array(answers))


def network(words: int):
    """The judge: picture, tokens of the question and the words possible -> their logits `[batch, len(WORDS)]`."""
    import keras
    from keras import layers, ops

    image = keras.Input((SIZE, SIZE, 3), name="image")
    tokens = keras.Input((LENGTH,), dtype="int32", name="tokens")
    possible = keras.Input((len(WORDS),), name="possible")
    read = layers.Embedding(words, 64)(tokens)
    read = layers.Concatenate()([layers.Conv1D(64, n, padding="same", activation="relu")(read) for n in (3, 7)])
    read = layers.GlobalMaxPooling1D()(read)

    def convolved(x, filters: int, strides: int = 1):
        x = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x)
        return layers.BatchNormalization(momentum=0.95)(x)

    x = layers.ReLU()(convolved(image, 32, 2))
    for filters in (64, 128):
        x = layers.ReLU()(convolved(x, filters, 2))
        for _ in range(2):  # seen with the question in mind: FiLM, Perez et al. 2018, arXiv:1709.07871
            scale, shift = (layers.Reshape((1, 1, filters))(layers.Dense(filters)(read)) for _ in range(2))
            x = x + layers.ReLU()(convolved(x, filters) * (1 + scale) + shift)
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x), read])
    x = layers.Dropout(0.3)(layers.Dense(256, activation="relu")(x))
    logits = layers.Dense(len(WORDS), dtype="float32")(x)
    return keras.Model([image, tokens, possible], logits - 1e4 * (1 - ops.cast(possible, "float32")))


def train(steps: int, cache_dir: str) -> tuple:
    """The judge and its vocabulary, after so many batches of questions."""
    import keras
    import tensorflow as tf

    data = paintings.load(SIZE, cache_dir, PICTURES, text=True)
    numbers = range(SEEN, PICTURES)
    pairs = [(text, number) for number in numbers for text in data.captions[number]]
    questions = asked_of(*zip(*pairs, strict=True))
    vocabulary = Vocabulary(Vocabulary.of(questions.text).words, LENGTH)
    tokens = vocabulary.tokens(questions.text)
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)

    def batches():
        while True:
            order = rng.permutation(len(tokens))
            for i in range(0, len(order) - BATCH + 1, BATCH):
                own = order[i : i + BATCH]
                images = data.images[questions.picture[own]].astype(np.float32) / 127.5 - 1
                images = np.pad(images, ((0, 0), (3, 3), (3, 3), (0, 0)), "reflect")
                y, x = rng.integers(0, 7, 2)
                answers = questions.answer[own]
                possible = POSSIBLE[answers].astype(np.float32)
                yield (images[:, y : y + SIZE, x : x + SIZE], tokens[own], possible), answers

    kinds = ((tf.float32, (BATCH, SIZE, SIZE, 3)), (tf.int32, (BATCH, LENGTH)), (tf.float32, (BATCH, len(WORDS))))
    signature = (tuple(tf.TensorSpec(shape, kind) for kind, shape in kinds), tf.TensorSpec((BATCH,), tf.int64))
    stream = tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(2)
    judge = network(vocabulary.size)
    warm = steps // 10
    rate = keras.optimizers.schedules.CosineDecay(1e-4, steps - warm, warmup_target=2e-3, warmup_steps=warm)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    judge.compile(keras.optimizers.AdamW(rate, weight_decay=0.01), loss, metrics=["accuracy"])
    judge.fit(stream, epochs=10, steps_per_epoch=steps // 10, shuffle=False, verbose=2)
    return judge, vocabulary


def judged(judge, vocabulary: Vocabulary, pictures: np.ndarray, texts: Sequence[str]) -> dict[str, float]:
    """The share of questions answered by the word that was taken out, by attribute; pictures in [-1, 1]."""
    questions = asked_of(texts, range(len(texts)))
    tokens, right = vocabulary.tokens(questions.text), []
    for i in range(0, len(tokens), 256):
        part = slice(i, i + 256)
        inputs = [
            pictures[questions.picture[part]],
            tokens[part],
            POSSIBLE[questions.answer[part]].astype(np.float32),
        ]
        logits = np.asarray(judge(inputs, training=False))
        right.append(logits.argmax(axis=1) == questions.answer[part])
    right = np.concatenate(right)
    names = np.array([name for name, _ in WORDS])[questions.answer]
    return {name: float(right[names == name].mean()) for name in attributes.GROUPS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=["words"], help="generators that understand words")
    parser.add_argument("--output", type=Path, required=True, help="folder of the judge, which is made if need be")
    parser.add_argument("--steps", type=int, default=12000, help="batches that it learns from")
    parser.add_argument("--num", type=int, default=2000, help="pictures that it is asked about")
    parser.add_argument("--cache-dir", default=os.environ.get("GESSO_CACHE", "~/.cache/gesso"))
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    hardware.prefer_onednn()
    hardware.load_tensorflow()
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    keras.config.set_dtype_policy(hardware.best_precision())
    options.output.mkdir(parents=True, exist_ok=True)
    file, words = options.output / "judge.keras", options.output / "words.txt"
    if not file.exists():
        judge, vocabulary = train(options.steps, options.cache_dir)
        words.write_text("\n".join(vocabulary.words), encoding="utf-8")
        with atomic(file) as path:
            judge.save(path)
    judge = keras.saving.load_model(file, compile=False)
    vocabulary = Vocabulary(words.read_text(encoding="utf-8").splitlines(), LENGTH)

    seen = paintings.load(SIZE, options.cache_dir, 16_000, text=True, without=list(HELD_OUT))
    chosen = seen.drawn(options.num, 1)
    every = paintings.load(SIZE, options.cache_dir, LOOKED_AT, text=True)
    held = np.array(attributes.speaking_of(every.texts(range(len(every))), HELD_OUT)[: options.num])
    parts = {"": (seen, chosen), "held out, ": (every, held)}

    def show(name: str, pictures: np.ndarray, texts: Sequence[str]) -> None:
        found = judged(judge, vocabulary, pictures, texts)
        print(f"{name:60}", *(f"{value:8.3f}" for value in found.values()), flush=True)

    generators = {
        path: trained.load(find_network(path, kinds=["generator"]), "generator") for path in options.networks
    }
    print(f"{'':60}", *(f"{name:>8}" for name in attributes.GROUPS))
    for which, (data, numbers) in parts.items():
        texts = list(data.texts(numbers))
        painted = np.concatenate([images for images, _ in sets.dataset_batches(data, numbers, 100)])
        for path, (generator, metadata) in generators.items():
            batches = sets.generator_batches(generator, len(texts), 1, metadata.vocabulary.tokens(texts), 100)
            pictures = np.concatenate([images for images, _ in batches])
            show(f"{which}{path}", np.clip(pictures, -1, 1), texts)
        show(f"{which}painted", painted, texts)
        show(f"{which}painted, sentences shuffled", painted, np.roll(texts, 1).tolist())


if __name__ == "__main__":
    main()
