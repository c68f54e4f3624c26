import logging
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import GessoError
from data import shards
from data.decode import CROPS, decode
from data.folder import PictureFile
from data.pair_files import load_pair, match, side_by_side
from data.paired import Paired, load

# The blue of a source says which pair it is of, that of a target is so much more.
APART = 100


def view(number: int, height: int = 36, width: int = 36) -> np.ndarray:
    """uint8 [height, width, 3]: each pixel says its row, its column and which picture it is of."""
    down, right = np.indices((height, width))
    return np.stack([4 * down, 4 * right, np.full_like(down, number)], axis=-1).astype(np.uint8)


@pytest.fixture
def one_folder(tmp_path) -> Path:
    """Seven files of two pictures that show the same place."""
    (tmp_path / "both").mkdir()
    for i in range(7):
        both = np.concatenate([view(i), view(APART + i)], axis=1)
        Image.fromarray(both).save(tmp_path / "both" / f"{i}.png")
    return tmp_path / "both"


@pytest.fixture
def two_folders(tmp_path) -> tuple[Path, Path]:
    """Seven pairs, the partners of other formats."""
    for name, suffix, base in (("photos", "png", 0), ("labels", "bmp", APART)):
        (tmp_path / name).mkdir()
        for i in range(7):
            Image.fromarray(view(base + i)).save(tmp_path / name / f"{i}.{suffix}")
    return tmp_path / "photos", tmp_path / "labels"


def from_two(folders: tuple[Path, Path], size: int, cache: Path, **options) -> Paired:
    return load(None, size, str(cache), *map(str, folders), **options)


def as_bytes(batch) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.rint((np.asarray(batch[name]) + 1) * 127.5).astype(int) for name in ("source", "target"))


def test_what_it_is(one_folder, private_cache):
    dataset = load(str(one_folder), 32, str(private_cache))
    assert (dataset.spec.name, len(dataset), dataset.spec.class_names, dataset.skipped) == ("both", 7, (), ())
    assert dataset.spec.image_shape == dataset.spec.source_shape == (32, 32, 3)
    spec = dataset.stream(3, seed=1).element_spec
    assert {name: (x.shape, x.dtype) for name, x in spec.items()} == dict.fromkeys(
        ("source", "target"), ((3, 32, 32, 3), "float32")
    )


@pytest.mark.parametrize("folders", ["one", "two"])
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_partners_are_cut_and_mirrored_alike(one_folder, two_folders, private_cache, folders, direction):
    """36 px is what 32 px keep for random crops: the pixels come as they are."""
    if folders == "one":
        dataset = load(str(one_folder), 32, str(private_cache), direction=direction)
    else:
        dataset = from_two(two_folders, 32, private_cache, direction=direction)
    sources, targets = zip(*map(as_bytes, dataset.stream(7, seed=1).take(20)), strict=True)
    sources, targets = np.concatenate(sources), np.concatenate(targets)
    np.testing.assert_array_equal(sources[..., :2], targets[..., :2])  # the same places
    shift = targets[..., 2] - sources[..., 2]
    assert (shift == (APART if direction == "forward" else -APART)).all()  # of the same pair
    numbers, tops, lefts = sources[:, 0, 0, 2] % APART, sources[:, 0, 0, 0] // 4, sources[:, 0, 0, 1] // 4
    assert np.bincount(numbers).tolist() == [20] * 7
    mirrored = sources[:, 0, 0, 1] > sources[:, 0, -1, 1]
    assert 0.3 < mirrored.mean() < 0.7
    assert set(tops) == set(range(5)) and set(lefts[~mirrored]) == set(range(5))
    for image, top, number in zip(sources, tops, numbers, strict=True):
        upright = image[:, ::-1] if image[0, 0, 1] > image[0, -1, 1] else image
        left = upright[0, 0, 1] // 4
        np.testing.assert_array_equal(upright[..., :2], view(number)[top : top + 32, left : left + 32, :2])


def test_goes_on_where_it_was(one_folder, private_cache):
    dataset = load(str(one_folder), 32, str(private_cache))
    straight = list(dataset.stream(3, seed=1).take(6).as_numpy_iterator())
    resumed = list(dataset.stream(3, seed=1, start_step=4).take(2).as_numpy_iterator())
    for one, other in zip(straight[4:], resumed, strict=True):
        assert all(one[name].tobytes() == other[name].tobytes() for name in ("source", "target"))
    assert straight[0]["source"].tobytes() != next(dataset.stream(3, 2).as_numpy_iterator())["source"].tobytes()


def test_examples_are_the_centres_of_pairs(one_folder, private_cache):
    dataset = load(str(one_folder), 32, str(private_cache))
    source, target = as_bytes(dataset.examples(64, seed=3))
    assert len(source) == 7 and len(set(source[:, 0, 0, 2])) == 7 and len(dataset.examples(2)["target"]) == 2
    np.testing.assert_array_equal(target[..., 2], source[..., 2] + APART)
    np.testing.assert_array_equal(source[0, ..., :2], view(0)[2:34, 2:34, :2])
    np.testing.assert_array_equal(dataset.examples(3, 5)["source"], dataset.examples(3, 5)["source"])


def test_each_half_is_resized_by_itself(tmp_path):
    """As if it had been a file of its own: nothing of the one shows at the border of the other."""
    noise = np.random.default_rng(0).integers(0, 256, (50, 120, 3), np.uint8)
    for name, pixels in (("both", noise), ("left", noise[:, :60]), ("right", noise[:, 60:])):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    for crop in CROPS:
        expected = [decode(tmp_path / f"{name}.png", 16, crop=crop) for name in ("left", "right")]
        np.testing.assert_array_equal(
            side_by_side(tmp_path / "both.png", 16, crop), np.concatenate(expected, axis=-1)
        )
        np.testing.assert_array_equal(
            load_pair(tmp_path / "left.png", tmp_path / "right.png", 16, crop), np.concatenate(expected, axis=-1)
        )


def test_partners_of_other_sizes_show_the_same_part(tmp_path):
    """A photo of 3:2, 225 x 150, and a label map of a third of that; of both the middle."""
    small = np.zeros((50, 75, 3), np.uint8)
    small[10:40, 20:50] = 255
    Image.fromarray(small.repeat(3, 0).repeat(3, 1)).save(tmp_path / "photo.png")
    Image.fromarray(small).convert("L").save(tmp_path / "labels.png")
    for first, second in (("photo", "labels"), ("labels", "photo")):
        both = load_pair(tmp_path / f"{first}.png", tmp_path / f"{second}.png", 25, "center").astype(int)
        assert both.shape == (25, 25, 6)
        assert np.abs(both[..., :3] - both[..., 3:]).mean() < 8 and both[12, 12].min() > 250


def test_turned_photographs_are_cut_upright(tmp_path):
    image = Image.fromarray(np.concatenate([view(1, 20, 20), view(2, 20, 20)], axis=1))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    both = side_by_side(tmp_path / "turned.png", 20, "center")
    np.testing.assert_array_equal(both, np.concatenate([view(1, 20, 20), view(2, 20, 20)], axis=-1))


def test_real_facades(test_data, private_cache):
    root = str(test_data / "facades")
    dataset = load(root, 64, str(private_cache), split="train", crop="center", flip=False, limit=24)
    assert dataset.spec.name == "facades/train" and len(dataset) == 24
    photos, labels = as_bytes(dataset.examples(24))
    # Label maps are flat and of few colours, and blue as no house is.
    flat = [(np.abs(np.diff(x, axis=2)) <= 4).mean() for x in (photos, labels)]
    assert flat[0] < 0.5 and flat[1] > 0.6
    blue = [(x[..., 2] - x[..., 0] > 150).mean() for x in (photos, labels)]
    assert blue[0] < 0.01 and blue[1] > 0.3
    back = load(
        root, 64, str(private_cache), split="train", crop="center", flip=False, limit=24, direction="backward"
    )
    np.testing.assert_array_equal(as_bytes(back.examples(24)), (labels, photos))


def test_both_directions_share_a_cache(one_folder, tmp_path, monkeypatch):
    calls = []
    decode_all = shards.decode_all
    monkeypatch.setattr(shards, "decode_all", lambda *a: (calls.append(1), decode_all(*a)))

    def decoded(size: int = 8, **options) -> int:
        load(str(one_folder), size, str(tmp_path / "cache"), **options)
        return len(calls)

    assert [decoded(), decoded(), decoded(direction="backward"), decoded(flip=False)] == [1, 1, 1, 1]
    assert [decoded(9), decoded(crop="center"), decoded(limit=5), decoded()] == [2, 3, 4, 4]
    os.utime(one_folder / "1.png", (1, 1))
    assert decoded() == 5


def test_a_change_of_either_partner_is_seen(two_folders, tmp_path, private_cache):
    before = from_two(two_folders, 32, private_cache, crop="center").examples(7)
    Image.fromarray(view(77)).save(two_folders[1] / "3.bmp")
    after = from_two(two_folders, 32, private_cache, crop="center").examples(7)
    np.testing.assert_array_equal(before["source"], after["source"])
    assert (before["target"] != after["target"]).any(axis=(1, 2, 3)).sum() == 1


def test_match():
    def pictures(*paths: str) -> list[PictureFile]:
        return [PictureFile(path, 1, 1) for path in paths]

    pairs, first, second = match(
        pictures("a.jpg", "b.jpg", "b.png", "c.v2.jpg", "x/d.jpg"),
        pictures("a.png", "a.tif", "b.png", "c.png", "c.v2.png", "d.png", "x/d.PNG"),
    )
    assert [(one.path, other.path) for one, other in pairs] == [
        ("a.jpg", "a.png"), ("b.jpg", "b.png"), ("c.v2.jpg", "c.v2.png"), ("x/d.jpg", "x/d.PNG"),
    ]  # fmt: skip
    assert [picture.path for picture in first] == ["b.png"]
    assert [picture.path for picture in second] == ["a.tif", "c.png", "d.png"]


def test_what_makes_no_pair_is_skipped_and_named(two_folders, private_cache, caplog):
    photos, labels = two_folders
    (photos / "0.png").unlink()
    (labels / "1.bmp").unlink()
    (labels / "2.bmp").write_text("no picture")
    Image.fromarray(view(3, 36, 50)).save(labels / "3.bmp")
    with caplog.at_level(logging.WARNING):
        dataset = from_two(two_folders, 32, private_cache)
    assert len(dataset) == 3
    assert [line.split(": ")[0] for line in dataset.skipped] == [
        "1.png",
        "0.bmp",
        "2.png and 2.bmp",
        "3.png and 3.bmp",
    ]
    assert "has no partner in" in dataset.skipped[0] and dataset.skipped[0].endswith("labels")
    assert dataset.skipped[3].endswith("differ in shape: 36x36 and 50x36")
    assert all(line in caplog.text for line in dataset.skipped)
    numbers = as_bytes(dataset.examples(7))
    assert (
        sorted(numbers[0][:, 0, 0, 2]) == [4, 5, 6]
        and (numbers[1] - numbers[0])[:, 0, 0, 2].tolist() == [APART] * 3
    )


def test_odd_widths_have_no_halves(one_folder, private_cache):
    Image.fromarray(view(0, 20, 41)).save(one_folder / "3.png")
    dataset = load(str(one_folder), 32, str(private_cache))
    assert len(dataset) == 6 and dataset.skipped[0].startswith("3.png: is 41 px wide")
    for file in one_folder.iterdir():
        Image.fromarray(view(0, 20, 41)).save(file)
    with pytest.raises(GessoError, match=r"None of the 7 pairs .*both can be read.*0\.png: is 41 px wide.* even"):
        load(str(one_folder), 32, str(private_cache))


def test_no_partner_at_all_is_an_error(two_folders, tmp_path):
    for file in two_folders[1].iterdir():
        file.rename(file.with_name(f"label_{file.name}"))
    with pytest.raises(GessoError, match=r"has the name of one.*0\.png, .*label_0\.bmp, .*dataset\.target"):
        from_two(two_folders, 32, tmp_path)


def test_one_folder_or_two_but_not_both(one_folder, tmp_path):
    folder = str(one_folder)
    for arguments in ((None, None, None), (folder, folder, folder), (None, folder, None), (folder, None, folder)):
        root, source, target = arguments
        with pytest.raises(GessoError, match=r"dataset\.root=<folder>.*dataset\.source=.*dataset\.target="):
            load(root, 32, str(tmp_path), source, target)


def test_splits(one_folder, tmp_path, private_cache, caplog):
    for split, names in (("train", "0123"), ("test", "456")):
        (one_folder / split).mkdir()
        for name in names:
            (one_folder / f"{name}.png").rename(one_folder / split / f"{name}.png")
    with caplog.at_level(logging.WARNING):
        assert [len(load(str(one_folder), 8, str(private_cache), split=s)) for s in ("train", "test")] == [4, 3]
        assert not caplog.text
        assert len(load(str(one_folder), 8, str(private_cache))) == 7
    assert "dataset.split=test or train would read one part" in caplog.text
    with pytest.raises(GessoError, match=r"dataset\.split=val: .*There are: test, train\."):
        load(str(one_folder), 8, str(private_cache), split="val")
    halves = tmp_path / "sources", tmp_path / "targets"
    for half in halves:
        (half / "train").mkdir(parents=True)
        Image.fromarray(view(1)).save(half / "train" / "a.png")
    dataset = from_two(halves, 8, private_cache, split="train")
    assert len(dataset) == 1 and dataset.spec.name == "sources/train and targets/train"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"direction": "left"}, r"dataset\.direction=left: must be one of forward, backward"),
        ({"image_size": 0}, "image_size=0"),
        ({"crop": "middle"}, r"dataset\.crop=middle"),
        ({"limit": 0}, r"dataset\.limit=0"),
        ({"root": "/nowhere"}, r"nowhere does not exist.*dataset\.root=.*left and right"),
        ({"root": "/nowhere", "split": "train"}, r"nowhere does not exist"),
        ({"root": None, "source": "/nowhere", "target": "/there"}, r"nowhere does not exist.*dataset\.source="),
    ],
)
def test_values_that_make_no_sense_are_refused(one_folder, tmp_path, arguments, words):
    with pytest.raises(GessoError, match=words):
        load(**({"root": str(one_folder), "image_size": 8, "cache_dir": str(tmp_path / "cache")} | arguments))


def test_paired_yaml(one_folder, two_folders, compose_dataset):
    dataset = compose_dataset("paired", f"root={one_folder}", "direction=backward")
    assert dataset.backward and dataset.pairs.flip and dataset.spec.image_shape == (16, 16, 3)
    assert dataset.pairs.images.heights.tolist() == [18] * 7  # room for random crops
    assert len(compose_dataset("paired", f"source={two_folders[0]}", f"target={two_folders[1]}", "limit=2")) == 2
