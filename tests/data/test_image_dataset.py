import hashlib
from pathlib import Path

import numpy as np
import pytest

from core.errors import GessoError
from data import store
from data.image_dataset import ImageDataset
from data.store import Store

ROOT = Path(__file__).resolve().parents[2]
SIZE = 8
COUNTS = (1, 3, 0, 40, 7, 40)


def coordinates(number: int, height: int = SIZE, width: int = SIZE) -> np.ndarray:
    """uint8 [height, width, 3]: each pixel says which picture, row and column it is of."""
    down, right = np.indices((height, width))
    return np.stack([np.full_like(down, number), down, right], axis=-1).astype(np.uint8)


def in_memory(n: int = 50, flip: bool = False, labels: bool = True) -> ImageDataset:
    images = np.stack([coordinates(i) for i in range(n)])
    numbers = np.arange(n, dtype=np.int32) % 5 if labels else None
    return ImageDataset("test", images, numbers, "abcde" if labels else (), flip=flip)


def on_disk(folder: Path, n: int = 50, flip: bool = False, random: bool = False) -> ImageDataset:
    """`random`: larger pictures of several shapes, of which squares are cut."""
    folder.mkdir()
    shapes = [(9, 9), (9, 18), (13, 9)] if random else [(SIZE, SIZE)]
    store.write(folder, ((i, coordinates(i, *shapes[i % len(shapes)])) for i in range(n)))
    labels = np.arange(n, dtype=np.int32) % 5
    return ImageDataset("test", Store([folder], SIZE, 3), labels, "abcde", flip=flip)


def skewed(folder: Path | None = None) -> ImageDataset:
    """Classes of 1, 3, 0, 40, 7 and 40 pictures, mixed; to be balanced. Mirrored, and cut at random if on disk."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(6), COUNTS)).astype(np.int32)
    images = in_memory(sum(COUNTS)).images if folder is None else on_disk(folder, sum(COUNTS), random=True).images
    return ImageDataset("test", images, labels, "abcdef", flip=True, balance=True)


def take(
    dataset: ImageDataset, steps: int, batch: int = 16, seed: int = 1, start: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Images as bytes [steps * batch, ...], and labels."""
    batches = list(dataset.stream(batch, seed, start).take(steps).as_numpy_iterator())
    images = np.concatenate([b["image"] for b in batches])
    assert images.dtype == np.float32 and images.min() >= -1 and images.max() <= 1
    return np.rint((images + 1) * 127.5).astype(np.uint8), np.concatenate([b["label"] for b in batches])


@pytest.fixture(params=["memory", "disk", "disk, random crops"])
def dataset(request, tmp_path) -> ImageDataset:
    if request.param == "memory":
        return in_memory(flip=True)
    return on_disk(tmp_path / "store", flip=True, random="random" in request.param)


def test_what_a_batch_is():
    batch = next(iter(in_memory().stream(16, 1)))
    assert sorted(batch) == ["image", "label"]
    assert batch["image"].shape == (16, SIZE, SIZE, 3) and batch["image"].dtype == "float32"
    assert batch["label"].shape == (16,) and batch["label"].dtype == "int32"
    spec = in_memory().stream(16, 1).element_spec["image"]
    assert spec.shape == (16, SIZE, SIZE, 3)  # known before the first batch, for XLA
    assert sorted(next(iter(in_memory(labels=False).stream(16, 1)))) == ["image"]


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (np.zeros((3, 4, 4, 3), np.float32), None, "float32: they must be uint8"),
        (np.zeros((3, 4, 4), np.uint8), None, r"an array \(3, 4, 4\): it must be \[n, height"),
        (np.zeros((3, 4, 4, 3), np.uint8), np.zeros(2, np.int32), r"int32 \(2,\): they must be int32 \(3,\)"),
        (np.zeros((3, 4, 4, 3), np.uint8), np.zeros(3), r"float64 \(3,\): they must be int32 \(3,\)"),
        (np.zeros((3, 4, 4, 3), np.uint8), np.array([0, 1, 2]), "from 0 to 2: it has 2 class_names"),
    ],
)
def test_arrays_that_are_no_data_set_are_refused(images, labels, words):
    with pytest.raises(GessoError, match=f"of the data set 'mine' are {words}"):
        ImageDataset("mine", images, labels, ("a", "b"))


def test_black_is_minus_one_and_white_one():
    images = np.repeat(np.uint8([0, 255])[:, None], SIZE * SIZE * 3, axis=1).reshape(2, SIZE, SIZE, 3)
    batch = next(iter(ImageDataset("test", images).stream(2, 1)))["image"].numpy()
    assert sorted(batch[:, 0, 0, 0].tolist()) == [-1.0, 1.0]


def test_every_epoch_is_a_permutation(dataset):
    images, _ = take(dataset, 25, batch=10)
    epochs = images[:, 0, 0, 0].reshape(5, 50)
    np.testing.assert_array_equal(np.sort(epochs, axis=1), np.repeat(np.arange(50)[None], 5, axis=0))
    assert len({tuple(epoch) for epoch in epochs}) == 5 and (epochs != np.arange(50)).any(axis=1).all()


def test_batches_run_on_across_epochs(dataset):
    images, _ = take(dataset, 50, batch=16)  # 50 does not divide by 16
    numbers = images[:, 0, 0, 0].reshape(16, 50)
    np.testing.assert_array_equal(np.sort(numbers, axis=1), np.repeat(np.arange(50)[None], 16, axis=0))


def test_the_orders_of_epochs_do_not_correlate():
    images = np.arange(4000).astype(np.uint16).view(np.uint8).reshape(4000, 1, 1, 2)
    stream = ImageDataset("test", images).stream(1000, 3)
    batches = [b["image"] for b in stream.take(12).as_numpy_iterator()]
    pixels = np.rint((np.concatenate(batches) + 1) * 127.5).astype(np.uint8)
    epochs = pixels.reshape(-1, 2).view(np.uint16).reshape(3, 4000).astype(float)
    with_index = np.corrcoef(np.vstack([epochs, np.arange(4000)]))
    assert np.abs(with_index - np.eye(4)).max() < 0.08  # chance: 0.016 is one standard deviation


def test_a_start_step_gives_the_bits_of_a_straight_run(dataset):
    straight = list(dataset.stream(16, 1).take(40).as_numpy_iterator())
    for start in (1, 4, 37):
        _same_bits(straight[start : start + 3], dataset.stream(16, 1, start).take(3))


def _same_bits(straight: list, resumed) -> None:
    for one, other in zip(straight, resumed.as_numpy_iterator(), strict=True):
        assert one["image"].tobytes() == other["image"].tobytes()
        assert one["label"].tobytes() == other["label"].tobytes()


def test_very_late_steps_can_be_had(dataset):
    images, _ = take(dataset, 25, batch=10, start=5 * 10**9)
    assert np.bincount(images[:, 0, 0, 0], minlength=50).tolist() == [5] * 50


def test_seeds_differ_and_repeat(dataset):
    one = take(dataset, 2)[0]
    np.testing.assert_array_equal(one, take(dataset, 2)[0])
    for seed in (0, 2**32 + 1):  # the high bits count too
        assert not np.array_equal(one, take(dataset, 2, seed=seed)[0])


def test_labels_belong_to_their_pictures(dataset):
    images, labels = take(dataset, 10)
    np.testing.assert_array_equal(labels, images[:, 0, 0, 0] % 5)


def test_memory_and_disk_give_the_same(tmp_path):
    one, other = take(in_memory(flip=True), 8), take(on_disk(tmp_path / "store", flip=True), 8)
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])


def test_a_mapped_file_gives_the_same_as_memory(tmp_path):
    memory = in_memory()
    np.save(tmp_path / "images.npy", memory.images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    for images, expected in ((mapped, memory.images), (mapped[10:30], memory.images[10:30])):
        ours = ImageDataset("test", images, memory.labels[: len(images)], "abcde")
        theirs = ImageDataset("test", expected, memory.labels[: len(images)], "abcde")
        np.testing.assert_array_equal(take(ours, 4)[0], take(theirs, 4)[0])


def test_half_are_mirrored_and_as_often_in_every_epoch():
    images, _ = take(in_memory(flip=True), 100, batch=50)
    mirrored = images[:, 0, 0, 2] == SIZE - 1
    assert 0.45 < mirrored.mean() < 0.55  # 5,000: 0.007 is one standard deviation
    for image, turned in zip(images[:200], mirrored[:200], strict=True):
        upright = image[:, ::-1] if turned else image
        np.testing.assert_array_equal(upright, coordinates(image[0, 0, 0]))
    per_picture = np.bincount(images[:, 0, 0, 0], weights=mirrored)
    assert per_picture.min() > 20 and per_picture.max() < 80  # of 100 each: not always the same ones


def test_without_flip_none_is_mirrored(tmp_path):
    for dataset in (in_memory(), on_disk(tmp_path / "store", random=True)):
        images, _ = take(dataset, 10)
        assert (np.diff(images[..., 2].astype(int), axis=2) == 1).all()


def test_random_crops_lie_inside_and_reach_every_place(tmp_path):
    images, _ = take(on_disk(tmp_path / "store", random=True), 200, batch=50)
    numbers, tops, lefts = images[:, 0, 0, 0], images[:, 0, 0, 1], images[:, 0, 0, 2]
    for shape, (down, right) in enumerate([(2, 2), (2, 11), (6, 2)]):
        mine = numbers % 3 == shape
        places = np.bincount(tops[mine].astype(int) * right + lefts[mine], minlength=down * right)
        assert len(places) == down * right
        assert places.min() > 0.7 * places.mean() and places.max() < 1.3 * places.mean()
    np.testing.assert_array_equal(
        images[..., 1:].astype(int) - images[:, :1, :1, 1:],
        np.broadcast_to(coordinates(0)[..., 1:], images[..., 1:].shape),
    )
    assert (images[..., 0] == images[:, :1, :1, 0]).all()


@pytest.mark.parametrize("start", [0, 10**9])
def test_balanced_classes_come_equally_often_in_any_stretch(start):
    _, labels = take(skewed(), 60, batch=7, start=start)  # 5 classes have pictures: 7 is no multiple of it
    so_far = np.vstack([np.zeros(6, int), np.cumsum(labels[:, None] == np.arange(6), axis=0)])
    in_stretch = so_far[None, :] - so_far[:, None]  # [first, end, class]
    in_stretch = in_stretch[np.triu_indices(len(so_far))]
    assert (in_stretch[:, 2] == 0).all()
    present = np.delete(in_stretch, 2, axis=1)
    assert present.sum(axis=1).max() == 420 and np.ptp(present, axis=1).max() <= 2


def test_balanced_parts_of_batches_get_all_classes_too():
    """A step of several batches gives the generator the first of them: 6 of 10 pictures, of 5 classes."""
    _, labels = take(skewed(), 50, batch=10)
    first = labels.reshape(50, 10)[:, :6].ravel()
    assert np.ptp(np.bincount(first, minlength=6)[[0, 1, 3, 4, 5]]) <= 2


def test_balanced_classes_show_each_picture_once_in_an_epoch_of_theirs():
    dataset = skewed()
    images, labels = take(dataset, 120, batch=10)
    numbers = images[:, 0, 0, 0]
    np.testing.assert_array_equal(labels, dataset.labels[numbers])
    ranks = {}
    for label in (0, 1, 3, 4, 5):
        mine, pictures = numbers[labels == label], np.flatnonzero(dataset.labels == label)
        epochs = mine[: len(mine) // len(pictures) * len(pictures)].reshape(-1, len(pictures))
        assert len(epochs) == 240 // len(pictures)
        np.testing.assert_array_equal(np.sort(epochs, axis=1), np.repeat(pictures[None], len(epochs), axis=0))
        ranks[label] = np.searchsorted(pictures, epochs)
    orders = [tuple(order) for label in (3, 5) for order in ranks[label]]
    assert len(set(orders)) == len(orders) == 12  # another in each epoch, and in classes of the same size
    assert len({tuple(order) for order in ranks[1]}) == 6  # of three pictures, every order is had


@pytest.mark.parametrize("disk", [False, True])
def test_a_balanced_stream_resumes_bit_for_bit(tmp_path, disk):
    dataset = skewed(tmp_path / "store" if disk else None)
    straight = list(dataset.stream(16, 1).take(40).as_numpy_iterator())
    for start in (1, 6, 37):
        _same_bits(straight[start : start + 3], dataset.stream(16, 1, start).take(3))


def test_balanced_seeds_differ_and_repeat():
    def order(seed: int) -> list[int]:
        return take(skewed(), 5, batch=20, seed=seed)[0][:, 0, 0, 0].tolist()

    first = order(1)
    assert first == order(1)
    for seed in (0, 2, 2**32 + 1):
        assert np.mean(np.array(first) == order(seed)) < 0.5  # 0.3 by chance: small classes


def test_balanced_classes_of_one_size_are_epochs_of_the_whole():
    dataset = in_memory(50)
    dataset = ImageDataset("test", dataset.images, dataset.labels, dataset.spec.class_names, balance=True)
    images, labels = take(dataset, 10, batch=25)
    epochs = np.sort(images[:, 0, 0, 0].reshape(5, 50), axis=1)
    np.testing.assert_array_equal(epochs, np.repeat(np.arange(50)[None], 5, axis=0))
    np.testing.assert_array_equal(np.sort(labels.reshape(50, 5), axis=1), np.repeat(np.arange(5)[None], 50, axis=0))


def test_balancing_needs_classes():
    images = in_memory().images
    with pytest.raises(GessoError, match=r"dataset\.balance=true, but the data set 'test' has no classes"):
        ImageDataset("test", images, balance=True)


def test_balancing_leaves_examples_as_they_are():
    dataset = skewed()
    plain = ImageDataset("test", dataset.images, dataset.labels, dataset.spec.class_names, flip=True)
    np.testing.assert_array_equal(dataset.examples(20, 3)["image"], plain.examples(20, 3)["image"])


@pytest.mark.parametrize(
    ("start", "seed", "first", "memory", "disk"),
    [
        (0, 1, [19, 49, 2, 12, 5, 30, 38, 46], "25c7f1476b1b2635", "11b22a037bd16fa7"),
        (5 * 10**9, 2**40 + 7, [13, 1, 12, 39, 37, 47, 5, 45], "069ee2c4b43d0560", "670d77a33c85e904"),
    ],
)
def test_the_stream_is_what_it_was(tmp_path, start, seed, first, memory, disk):
    """Another stream would make a resumed run another run."""
    stored = on_disk(tmp_path / "store", flip=True, random=True)
    for dataset, expected in ((in_memory(flip=True), memory), (stored, disk)):
        images, labels = take(dataset, 20, seed=seed, start=start)
        assert images[:8, 0, 0, 0].tolist() == first
        assert hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()[:16] == expected


def test_a_batch_must_fit():
    for size in (51, 0, -1):
        with pytest.raises(GessoError, match=f"batch_size={size}, but .* 50 pictures"):
            in_memory().stream(size, 1)
    images, _ = take(in_memory(), 2, batch=50)
    assert np.bincount(images[:, 0, 0, 0]).tolist() == [2] * 50


def test_one_picture_is_enough():
    assert take(in_memory(1), 3, batch=1)[0].shape == (3, SIZE, SIZE, 3)


def test_examples_are_distinct_and_the_centres(dataset):
    pictures = dataset.examples(20, seed=4)["image"]
    assert pictures.shape == (20, SIZE, SIZE, 3) and pictures.dtype == np.float32
    whole = np.rint((pictures + 1) * 127.5).astype(np.uint8)
    assert len(set(whole[:, 0, 0, 0])) == 20
    np.testing.assert_array_equal(pictures, dataset.examples(20, seed=4)["image"])
    assert not np.array_equal(pictures, dataset.examples(20, seed=5)["image"])
    assert len(dataset.examples(64)["image"]) == 50
    if isinstance(dataset.images, Store):
        for image in whole:
            number = int(image[0, 0, 0])
            middle = [(int(side[number]) - SIZE) // 2 for side in (dataset.images.heights, dataset.images.widths)]
            assert image[0, 0, 1:].tolist() == middle


def test_python_ends_while_a_stream_is_alive(script, tmp_path):
    """Streams that call Python hang there, as TensorFlow's threads wait for Python's lock."""
    on_disk(tmp_path / "store", random=True)
    code = (
        "import sys; from pathlib import Path\n"
        "from data.image_dataset import ImageDataset; from data.store import Store\n"
        f"images = Store([Path(sys.argv[1])], {SIZE}, 3)\n"
        "iterator = iter(ImageDataset('test', images, flip=True).stream(16, 1))\n"
        "next(iterator); print(len(images))"
    )
    program = tmp_path / "program.py"
    program.write_text(code)
    done = script(program, tmp_path / "store", timeout=60, PYTHONPATH=str(ROOT))
    assert done.returncode == 0 and done.stdout.strip() == "50", done.stderr


def test_every_bit_of_the_seed_and_the_epoch_counts():
    """TensorFlow's shuffle of a short range looks at the lowest bits of its seeds only."""

    import tensorflow as tf

    from data import stream

    places = tf.range(50, dtype=tf.int64)

    def order(seed: int, epoch: int) -> bytes:
        return stream._shuffle(places, 50, seed, 0 * places + epoch, stream.ORDER).numpy().tobytes()

    seeds = {order(seed, 0) for seed in (0, 1, 2, 1 + 2**8, 1 + 2**16, 1 + 2**31, 1 + 2**32)}
    assert len(seeds) == 7
    assert len({order(1, epoch) for epoch in (0, 1, 16, 64, 256, 4096)}) == 6
