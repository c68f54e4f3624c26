from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from core.errors import GessoError
from data import tasks, transforms
from data.transforms import masks

LOADERS = {
    "colorize": (tasks.load_colorize, {}, (32, 32, 1)),
    "inpaint": (tasks.load_inpaint, {}, (32, 32, 4)),
    "super_resolution": (tasks.load_super_resolution, {"factor": 4}, (8, 8, 3)),
    "edges": (tasks.load_edges, {}, (32, 32, 1)),
}


def to_range(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.float32) / 127.5 - 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Nine pictures of coloured blobs, of two shapes."""
    root = tmp_path_factory.mktemp("pictures")
    for i in range(9):
        coarse = np.random.default_rng(i).integers(0, 256, (6, 8, 3), np.uint8)
        size = (64, 48) if i % 2 else (40, 60)
        Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(root / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def pictures(test_data) -> np.ndarray:
    """uint8 [3, 120, 160, 3]: real photos, two of 8 bits a channel as they are, one halved in contrast."""
    files = sorted((test_data / "photos").glob("*.jpg"))[:3]
    photos = np.stack([np.asarray(Image.open(file).convert("RGB").resize((160, 120))) for file in files])
    photos[2] = photos[2] // 2 + 64
    return photos


@pytest.fixture(scope="module", params=LOADERS)
def task(request, folder, private_cache):
    load, options, shape = LOADERS[request.param]
    return load(root=str(folder), image_size=32, cache_dir=str(private_cache), crop="random", **options), shape


@pytest.fixture(scope="module")
def batches(task) -> list[dict[str, np.ndarray]]:
    return list(task[0].stream(4, seed=1).take(7).as_numpy_iterator())


def test_what_they_are(task, batches):
    dataset, shape = task
    assert (len(dataset), dataset.spec.class_names, dataset.skipped) == (9, (), ())
    assert dataset.spec.image_shape == (32, 32, 3) and dataset.spec.source_shape == shape
    for batch in batches:
        assert batch["source"].shape == (4, *shape) and batch["target"].shape == (4, 32, 32, 3)
        assert all(x.dtype == np.float32 and np.abs(x).max() <= 1 for x in batch.values())


def test_targets_are_the_pictures(task, batches):
    for batch, pictures in zip(batches, task[0].pictures.stream(4, 1), strict=False):
        np.testing.assert_array_equal(batch["target"], pictures["image"])


def test_they_go_on_where_they_were(task, batches):
    stream = task[0].stream(4, seed=1, start_step=5)
    spec = stream.element_spec["source"]
    assert spec.shape == (4, *task[1])  # known before the first batch, for XLA
    for one, other in zip(batches[5:], stream.take(2).as_numpy_iterator(), strict=True):
        assert all(one[name].tobytes() == other[name].tobytes() for name in ("source", "target"))


def test_examples(task):
    dataset, shape = task
    examples = dataset.examples(64, seed=3)
    assert examples["source"].shape == (9, *shape) and examples["target"].shape == (9, 32, 32, 3)
    assert all(isinstance(x, np.ndarray) and x.dtype == np.float32 for x in examples.values())
    np.testing.assert_array_equal(examples["source"], dataset.examples(64, seed=3)["source"])
    assert len({picture.tobytes() for picture in examples["target"]}) == 9


def test_the_luminance_is_pillows(pictures):
    ours = (transforms.colorize(to_range(pictures)).numpy()[..., 0] + 1) * 127.5
    theirs = [np.asarray(Image.fromarray(picture).convert("L"), float) for picture in pictures]
    assert np.abs(ours - theirs).max() < 0.51  # Pillow rounds


def test_the_luminance_by_hand():
    colours = np.array(
        [[1, -1, -1], [-1, 1, -1], [-1, -1, 1], [1, 1, 1], [-1, -1, -1], [0.2, 0.2, 0.2]], np.float32
    )
    grey = transforms.colorize(colours[:, None, None]).numpy()[:, 0, 0, 0]
    np.testing.assert_allclose(grey, [-0.402, 0.174, -0.772, 1, -1, 0.2], atol=1e-6)


@pytest.mark.parametrize("factor", [2, 4])
def test_reducing_is_pillows_bicubic(pictures, factor):
    ours = (transforms.reduce(to_range(pictures), factor).numpy() + 1) * 127.5
    size = (160 // factor, 120 // factor)
    theirs = [np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)) for picture in pictures]
    assert ours.shape == (3, 120 // factor, 160 // factor, 3)
    assert np.abs(ours - theirs).max() < 1.1  # Pillow rounds twice, once for each direction


def test_reducing_stays_in_range():
    checks = np.where(np.indices((24, 24))[0] // 6 % 2, 1.0, -1.0).astype(np.float32)
    small = transforms.reduce(np.repeat(checks[None, ..., None], 3, axis=-1), 2).numpy()
    assert small.max() == 1 and small.min() == -1  # bicubic alone overshoots here


def test_holes_are_grey_and_marked():
    images = tf.random.stateless_uniform((2, 4, 4, 3), (1, 2), -1.0, 1.0)
    holes = np.zeros((2, 4, 4, 1), np.float32)
    holes[0, 1:3, 2] = 1
    source = transforms.inpaint(images, holes).numpy()
    np.testing.assert_array_equal(source[..., 3:], holes)
    assert (source[0, 1:3, 2, :3] == 0).all()
    np.testing.assert_array_equal(source[1, ..., :3], images[1])
    np.testing.assert_array_equal(source[0, 0, :, :3], images[0, 0])


def test_streamed_holes(folder, private_cache):
    dataset = tasks.load_inpaint(root=str(folder), image_size=32, cache_dir=str(private_cache))
    seen = []
    for seed in (1, 2):
        for batch in dataset.stream(9, seed).take(2).as_numpy_iterator():
            source, target = batch["source"], batch["target"]
            assert set(np.unique(source[..., 3])) == {0, 1}
            np.testing.assert_array_equal(source[..., :3], target * (1 - source[..., 3:]))
            seen += [mask.tobytes() for mask in source[..., 3]]
    assert len(set(seen)) == 36  # other holes each time, and with each seed


def test_masks_cover_a_part():
    for height, width in ((64, 64), (40, 88)):
        holes = masks(1, tf.range(400, dtype=tf.int64), height, width).numpy()
        assert holes.shape == (400, height, width, 1) and set(np.unique(holes)) == {0, 1}
        share = holes.mean(axis=(1, 2, 3))
        assert np.mean((share > 0.1) & (share < 0.4)) > 0.95 and share.min() > 0.05 and share.max() < 0.5
        assert np.ptp(np.percentile(share, [5, 95])) > 0.15  # small ones and large ones
        parts = holes.reshape(400, 8, height // 8, 8, -1).mean(axis=(0, 2, 4))
        assert parts.min() > 0.02 and parts.max() < 0.5  # everywhere, in the corners too


def test_masks_depend_on_seed_and_position_alone():
    positions = np.array([5, 0, 7, 10**12])
    together = masks(3, positions, 32, 32).numpy()
    alone = np.concatenate([masks(3, positions[i : i + 1], 32, 32).numpy() for i in range(4)])
    np.testing.assert_array_equal(together, alone)
    assert len({mask.tobytes() for mask in together}) == 4
    assert not np.array_equal(together, masks(4, positions, 32, 32).numpy())


def test_masks_are_rectangles_strokes_and_both():
    """Of rectangles alone, every row and every column is one of a few; round strokes make many."""
    holes = masks(1, tf.range(400, dtype=tf.int64), 64, 64).numpy()[..., 0]
    rows = np.array([len({row.tobytes() for row in mask}) for mask in holes])
    assert 0.15 < np.mean(rows <= 5) < 0.35 and np.mean(rows > 20) > 0.5


def test_masks_of_large_pictures_are_the_same_drawing():
    small, large = (masks(1, tf.range(20, dtype=tf.int64), side, side).numpy() for side in (32, 128))
    enlarged = small.repeat(4, axis=1).repeat(4, axis=2)
    assert np.abs(enlarged - large).mean() < 0.06  # the outlines


def test_an_edge_is_a_dark_line_on_white():
    image = np.full((1, 32, 32, 3), -0.5, np.float32)
    image[:, :, 20:] = 0.5
    drawing = transforms.edges(image).numpy()[0, ..., 0]
    assert drawing.shape == (32, 32)
    assert (drawing[:, 19:21] == -1).all() and (drawing[:, :16] == 1).all() and (drawing[:, 24:] == 1).all()
    np.testing.assert_allclose(drawing, transforms.edges(-image).numpy()[0, ..., 0], atol=1e-6)  # either way
    np.testing.assert_allclose(
        drawing.T, transforms.edges(image.transpose(0, 2, 1, 3)).numpy()[0, ..., 0], atol=1e-6
    )


def test_edges_are_sobels_of_the_blurred_luminance(pictures):
    """Steeper is never paler, and steepness is that of SciPy's filters."""
    from scipy import ndimage

    light = transforms.colorize(to_range(pictures)).numpy()[..., 0].astype(float)
    drawing = transforms.edges(to_range(pictures)).numpy()[..., 0]
    for grey, drawn in zip(light, drawing, strict=True):
        for axis in (0, 1):
            grey = ndimage.correlate1d(grey, np.array([1, 4, 6, 4, 1]) / 16, axis, mode="mirror")
        steep = np.hypot(ndimage.sobel(grey, 0, mode="mirror"), ndimage.sobel(grey, 1, mode="mirror"))
        relative = steep / np.sort(steep.ravel())[-int(0.05 * steep.size)]
        ink = np.clip((relative - 0.3) / 0.5, 0, 1)
        np.testing.assert_allclose(drawn, 1 - 2 * (3 * ink**2 - 2 * ink**3), atol=1e-3)


def test_contrast_does_not_matter_but_blank_paper_stays_blank(pictures):
    images = to_range(pictures)
    np.testing.assert_allclose(transforms.edges(images).numpy(), transforms.edges(images * 0.6).numpy(), atol=0.01)
    noise = np.random.default_rng(0).normal(0, 0.01, (1, 32, 32, 3)).astype(np.float32)
    assert transforms.edges(noise).numpy().min() > 0.9
    drawing = transforms.edges(images).numpy()
    assert drawing.min() == -1 and drawing.max() == 1
    assert 0.03 < (drawing < -0.9).mean() < 0.2 and np.median(drawing) > 0.5  # mostly paper


def test_sizes_that_do_not_divide(folder, tmp_path):
    for size, factor, words in (
        (30, 4, r"image_size=30 is no multiple of dataset\.factor=4"),
        (32, 1, r"dataset\.factor=1: must be a whole number, 2 or more"),
        (32, 2.0, r"dataset\.factor=2\.0"),
        (0, 2, "image_size=0"),
    ):
        with pytest.raises(GessoError, match=words):
            tasks.load_super_resolution(size, factor, root=str(folder), cache_dir=str(tmp_path))
    with pytest.raises(GessoError, match="Pictures of 10x8 px cannot be 4 times smaller"):
        transforms.reduce(tf.zeros((1, 8, 10, 3)), 4)


@pytest.mark.parametrize("name", LOADERS)
def test_their_yaml(name, folder, tmp_path, compose_dataset):
    options = ["factor=2"] if name == "super_resolution" else []
    dataset = compose_dataset(name, f"root={folder}", "limit=3", *options)
    shape = {"colorize": (16, 16, 1), "inpaint": (16, 16, 4), "super_resolution": (8, 8, 3), "edges": (16, 16, 1)}
    assert len(dataset) == 3 and dataset.spec.source_shape == shape[name] and dataset.pictures.flip
    assert dataset.examples(2)["source"].shape == (2, *shape[name])
    assert dataset.pictures.images.heights.min() > 16  # room for random crops
    with pytest.raises(GessoError, match=r"dataset\.root=<folder>"):
        compose_dataset(name, *options)
