"""What classes a generator makes, and whether they are those asked for, as a classifier of real pictures sees it.

    python benchmarks/class_scores.py --dataset mnist --root <folder with mnist.npz> --run <run directory>
    python benchmarks/class_scores.py --dataset paintings --generator <file.keras> [--num 10000] [--output x.json]
        [--classifier mnist.keras] [--image-size 32]

Trains a small network on the data set, unless `--classifier` names one trained before (and otherwise keeps it
there), and prints its accuracy on pictures it has not seen: MNIST's test split; paintings of another seed. Then,
for those test pictures and for generated ones: pictures a class, their divergence from equally many (KL, in nats),
the share the classifier is sure of (above 0.9), and an inception-style score. A generator that takes labels is
asked for all classes equally often, and its accuracy on each is printed; one of other labels, such as clusters, is
asked for each as often as it has seen it.
"""

import argparse
import json
import logging
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from core.errors import GessoError
from core.files import atomic
from core.run import Run
from data import ImageDataset

PAINTINGS, TEST_PAINTINGS = 20_000, 4_000
EPOCHS = {"mnist": 3, "paintings": 12}
BATCH = 128
SHIFT = 2  # px, either way


def load(options: argparse.Namespace) -> tuple[ImageDataset, ImageDataset]:
    """The pictures to learn from, and others to test on."""
    size, cache = options.image_size, options.cache_dir
    if options.dataset == "mnist":
        from data import mnist

        return tuple(mnist.load(size, cache, options.root, split) for split in ("train", "test"))
    from data import paintings

    return paintings.load(size, cache, PAINTINGS, seed=1000), paintings.load(size, cache, TEST_PAINTINGS, seed=1001)


def classifier(image_shape: tuple[int, int, int], classes: int):
    """Five convolutions; image `[batch, size, size, channels]` in [-1, 1] -> probabilities `[batch, classes]`."""
    import keras
    from keras import layers

    image = keras.Input(image_shape)
    x = image
    for filters, strides in ((32, 1), (32, 2), (64, 1), (64, 2), (128, 2)):
        x = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.95)(x)
        x = layers.ReLU()(x)
    x = layers.Flatten()(x) if image_shape[0] <= 32 else layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.5)(x)
    return keras.Model(image, layers.Dense(classes, activation="softmax", dtype="float32")(x))


def train(dataset: ImageDataset, epochs: int, flip: bool):
    """A classifier of `dataset`: Adam on one cycle of rates, pictures shifted (and mirrored if `flip`)."""
    import keras
    import tensorflow as tf

    size, _, channels = dataset.spec.image_shape

    def shifted(batch: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        image = tf.pad(batch["image"], [[0, 0], [SHIFT] * 2, [SHIFT] * 2, [0, 0]], "REFLECT")
        image = tf.image.random_crop(image, [BATCH, size, size, channels])
        return tf.image.random_flip_left_right(image) if flip else image, batch["label"]

    keras.utils.set_random_seed(0)
    steps = len(dataset) // BATCH
    model = classifier(dataset.spec.image_shape, dataset.spec.num_classes)
    warm = epochs * steps // 5
    rate = keras.optimizers.schedules.CosineDecay(
        1e-4, epochs * steps - warm, warmup_target=2e-3, warmup_steps=warm
    )
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=0.01), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    data = dataset.stream(BATCH, seed=0).map(shifted)
    model.fit(data, epochs=epochs, steps_per_epoch=steps, shuffle=False, verbose=2)
    return model


def probabilities(model, images: np.ndarray) -> np.ndarray:
    """float32 `[n, classes]` of float or uint8 images `[n, height, width, channels]`."""
    batches = []
    for i in range(0, len(images), 500):
        batch = images[i : i + 500]
        batch = batch.astype(np.float32) / np.float32(127.5) - np.float32(1) if batch.dtype == np.uint8 else batch
        batches.append(np.asarray(model(batch, training=False)))
    return np.concatenate(batches)


def scores(found: np.ndarray, labels: np.ndarray | None) -> dict:
    """All measures of `metrics.class_scores`, as JSON can hold them."""
    from metrics import class_scores

    counts = class_scores.histogram(found)
    result = {
        "num": len(found),
        "histogram": counts.tolist(),
        "kl": class_scores.kl_from_uniform(counts),
        "confident": class_scores.confident(found),
        "inception_score": class_scores.inception_score(found),
    }
    if labels is not None:
        result["accuracy"] = class_scores.accuracy(found, labels)
        result["accuracy_per_class"] = class_scores.accuracy_per_class(found, labels).tolist()
    return result


def score_generator(path: Path, model, names: tuple[str, ...], options: argparse.Namespace) -> dict:
    """The scores of the generator in `path`; `names` are the classes that `model` knows.

    Raises `GessoError` if its pictures are not of the classifier's size.
    """
    from models import latent, trained
    from models.labels import as_asked, same_classes

    generator, metadata = trained.load(path, "generator")
    if generator.output_shape[1:] != model.input_shape[1:]:
        raise GessoError(
            f"{path} makes pictures {generator.output_shape[1:]}, the classifier takes {model.input_shape[1:]}: "
            "give the data set it was trained on, its --image-size, and another --classifier."
        )
    latents = latent.sample(options.seed, options.num, trained.latent_dim(generator))
    same = bool(metadata.classes) and same_classes(metadata.classes, names)
    labels = np.arange(options.num, dtype=np.int32) % len(names) if same else None
    own = as_asked(metadata, options.num, options.seed, names, labels) if metadata.classes else None
    return scores(probabilities(model, trained.draw(generator, latents, own)), labels)


def obtain(options: argparse.Namespace, dataset: ImageDataset):
    """The classifier in `--classifier`, or one trained now, and kept there."""
    import keras

    if options.classifier and options.classifier.is_file():
        model = keras.models.load_model(options.classifier, compile=False)
        if (model.input_shape[1:], model.output_shape[-1]) != (
            dataset.spec.image_shape,
            dataset.spec.num_classes,
        ):
            raise GessoError(f"{options.classifier} was not trained on {dataset.spec.name} of this size.")
        return model
    started = time.perf_counter()
    model = train(dataset, options.epochs or EPOCHS[options.dataset], flip=options.dataset == "paintings")
    print(f"trained on {len(dataset):,} pictures in {time.perf_counter() - started:.0f} s")
    if options.classifier:
        with atomic(options.classifier) as path:
            model.save(path)
    return model


def report(results: dict[str, dict], names: tuple[str, ...]) -> None:
    for title, row in results.items():
        print(f"{title}: {row['num']:,} pictures")
        print(
            f"  KL from equal shares {row['kl']:.4f} nats, confident {row['confident']:.1%}, "
            f"inception-style score {row['inception_score']:.2f}"
            + (f", accuracy {row['accuracy']:.2%}" if "accuracy" in row else "")
        )
        for i, name in enumerate(names):
            share = f"{row['histogram'][i] / row['num']:7.1%}"
            right = f"{row['accuracy_per_class'][i]:9.1%}" if "accuracy" in row else ""
            print(f"  {name:20} {row['histogram'][i]:7,} {share}{right}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", choices=tuple(EPOCHS), required=True)
    parser.add_argument("--root", help="folder with mnist.npz; without it, Keras's copy")
    parser.add_argument("--run", type=Path, nargs="*", default=[], help="run directories")
    parser.add_argument("--generator", type=Path, nargs="*", default=[], help=".keras files")
    parser.add_argument("--classifier", type=Path, help=".keras file to read, or to write if it is not there")
    parser.add_argument("--image-size", type=int, default=32, help="default: 32")
    parser.add_argument("--num", type=int, default=10_000, help="pictures of each generator (default: 10000)")
    parser.add_argument("--seed", type=int, default=0, help="of the latents (default: 0)")
    parser.add_argument("--epochs", type=int, help=f"of training the classifier; default: {EPOCHS}")
    parser.add_argument("--output", type=Path, help="JSON file to write")
    parser.add_argument("--cache-dir", default=os.environ.get("GESSO_CACHE", "~/.cache/gesso"))
    options = parser.parse_args()
    paths = [*options.generator, *(Run(run).network("generator") for run in options.run)]
    for path in paths:
        if not path.is_file():
            sys.exit(f"There is no {path}.")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        dataset, test = load(options)
        from core import hardware

        hardware.prefer_onednn()
        hardware.load_tensorflow()
        import keras

        keras.config.set_dtype_policy(hardware.best_precision())
        model = obtain(options, dataset)
        seen = probabilities(model, np.asarray(test.images))
        results = {"reals not seen in training": scores(seen, test.labels)}
        for path in paths:
            results[str(path)] = score_generator(path, model, dataset.spec.class_names, options)
        report(results, dataset.spec.class_names)
        if options.output:
            with atomic(options.output) as path:
                path.write_text(json.dumps({"classes": dataset.spec.class_names, **results}, indent=1) + "\n")
    except GessoError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
