import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import GessoError
from data import paintings
from data.paintings import STYLES, load, paint

ROOT = Path(__file__).resolve().parents[2]
EACH = 16  # pictures of a style in the gallery


@pytest.fixture(scope="module")
def gallery() -> np.ndarray:
    """uint8 [styles, EACH, 64, 64, 3]."""
    pictures = [paint(0, i, 64) for i in range(EACH * len(STYLES))]
    return np.stack(pictures).reshape(EACH, len(STYLES), 64, 64, 3).swapaxes(0, 1)


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other).mean())


def test_a_picture_is_uint8_of_the_size_asked_for():
    for size in (16, 28, 64, 100):
        for i in range(len(STYLES)):
            picture = paint(1, i, size)
            assert picture.shape == (size, size, 3) and picture.dtype == np.uint8


def test_sizes_and_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match="from 16"):
        paint(0, 0, 15)
    with pytest.raises(ValueError):
        paint(-1, 0, 16)


def test_same_arguments_same_picture_in_another_process_too():
    def digest() -> str:
        return hashlib.sha256(b"".join(paint(3, i, 32).tobytes() for i in range(20))).hexdigest()

    code = (
        "import hashlib, sys; from data.paintings import paint;"
        "print(hashlib.sha256(b''.join(paint(3, i, 32).tobytes() for i in range(20))).hexdigest());"
        "sys.exit('tensorflow' in sys.modules)"  # the painting processes must start fast
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    other = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert other.returncode == 0, other.stderr
    assert digest() == digest() == other.stdout.strip()


@pytest.mark.parametrize("style", range(len(STYLES)), ids=STYLES)
def test_the_picture_is_the_same_at_every_size(style):
    for i in range(style, 3 * len(STYLES), len(STYLES)):
        small, large = paint(0, i, 64), Image.fromarray(paint(0, i, 128))
        same = difference(small, np.asarray(large.reduce(2)))
        assert same < 6.0  # measured: 4.2 at most, and 35 at least between two pictures of a style
        assert same < 0.2 * difference(small, paint(0, i + len(STYLES), 64))


def test_no_two_pictures_are_alike(gallery):
    for pictures in gallery:
        for i in range(EACH):
            for j in range(i):
                assert difference(pictures[i], pictures[j]) > 5.0
    assert not np.array_equal(paint(0, 0, 32), paint(1, 0, 32))


def test_a_style_varies_in_colour(gallery):
    means = gallery.reshape(len(STYLES), EACH, -1, 3).mean(axis=2)
    assert (means.std(axis=1).mean(axis=1) > 3.0).all()


def test_styles_can_be_told_apart(gallery):
    """By nothing cleverer than the nearest neighbour in some statistics of colour and gradient."""
    features = np.array([look(picture) for pictures in gallery for picture in pictures])
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    distance = np.linalg.norm(features[:, None] - features, axis=-1)
    np.fill_diagonal(distance, np.inf)
    style = np.repeat(np.arange(len(STYLES)), EACH)
    assert (style[distance.argmin(axis=1)] == style).mean() >= 0.8


def look(picture: np.ndarray) -> np.ndarray:
    """Float [features] of uint8 [64, 64, 3]: tones, saturation, how steep, which way, how fine."""
    grey = picture.mean(axis=2) / 255
    down, right = np.gradient(grey)
    steep = np.hypot(down, right)
    ways, _ = np.histogram(np.arctan2(down, right) % np.pi, 8, (0, np.pi), weights=steep * (steep > 0.04))
    ways = ways / (ways.sum() + 1e-6)
    tones, _ = np.histogram(grey, 6, (0, 1))
    saturation = np.ptp(picture / 255, axis=2)
    coarse = np.asarray(Image.fromarray(picture).convert("L").reduce(4).resize((64, 64))) / 255
    numbers = [grey.mean(), grey.std(), (grey < 0.12).mean(), (grey > 0.85).mean()]
    numbers += [saturation.mean(), saturation.std(), grey[:6].mean() - grey[-6:].mean()]
    numbers += [*np.abs((down, right)).mean(axis=(1, 2)), (steep < 0.02).mean(), (steep > 0.2).mean()]
    numbers += [np.abs(grey - coarse).mean(), *np.sort(ways)[[0, 4, 7]], ways[0], ways[4]]
    return np.array([*numbers, *tones / grey.size])


@pytest.mark.parametrize(
    "style",
    ["neo_plasticism", "suprematism", "op_art", "cubism", "ink_painting", "orphism", "cut_outs"],
)
def test_edges_are_smooth(style):
    """On an edge lie pixels of neither colour: without antialiasing, less than 6 in 100."""
    edges = between = 0
    for k in range(6):
        grey = paint(0, STYLES.index(style) + k * len(STYLES), 128).mean(axis=2)
        left, middle, right = grey[:, :-2], grey[:, 1:-1], grey[:, 2:]
        edge = np.abs(left - right) > 0.4 * (np.percentile(grey, 98) - np.percentile(grey, 2))
        share = (middle - left)[edge] / (right - left)[edge]
        edges += edge.sum()
        between += ((share > 0.15) & (share < 0.85)).sum()
    assert between > 0.2 * edges > 0


def test_load_paints_in_turn_and_labels_match(tmp_path):
    data = load(16, tmp_path, num_images=23, seed=5, flip=True)
    assert len(data) == 23 and data.spec.image_shape == (16, 16, 3) and data.flip
    assert data.spec.class_names == STYLES and data.labels.dtype == np.int32
    for i in (0, 9, 10, 22):
        assert data.labels[i] == i % len(STYLES)
        assert np.array_equal(data.images[i], paint(5, i, 16))


def test_load_paints_once(tmp_path, monkeypatch):
    first = load(16, tmp_path, num_images=10)
    monkeypatch.setattr(paintings, "paint", None)
    assert np.array_equal(load(16, tmp_path, num_images=10).images, first.images)
    with pytest.raises(TypeError):  # other pictures are painted, hence the old ones were not
        load(16, tmp_path, num_images=10, seed=1)
    monkeypatch.setattr(paintings, "VERSION", paintings.VERSION + 1)
    with pytest.raises(TypeError):
        load(16, tmp_path, num_images=10)


def test_processes_paint_the_same(tmp_path, monkeypatch):
    """They find packages where we do: `PYTHONPATH` may be what names their folder, as on clusters."""
    alone = load(16, tmp_path / "alone", num_images=60)
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "sitecustomize.py").write_text(
        "import os\nopen(os.path.join(os.path.dirname(__file__), f'{os.getpid()}.began'), 'w').close()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "packages"))
    monkeypatch.setattr(paintings, "FEW", 20)
    monkeypatch.setattr(paintings, "cores", lambda: 3)
    together = load(16, tmp_path / "together", num_images=60)
    assert np.array_equal(alone.images, together.images)
    assert len(list((tmp_path / "packages").glob("*.began"))) == 3


def test_a_painter_that_fails_is_noticed_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(paintings, "FEW", 5)
    monkeypatch.setattr(paintings, "cores", lambda: 2)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match="exit codes"):
        load(16, tmp_path, num_images=20)
    assert not [entry for entry in tmp_path.iterdir() if entry.is_dir()]


def test_a_painter_whose_folder_has_gone_ends_in_silence(tmp_path):
    command = [sys.executable, "-m", "data.paintings", str(tmp_path / "gone" / "images.npy"), "1", "0", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_some_of_the_styles(tmp_path):
    data = load(16, tmp_path, num_images=7, styles=["cubism", "op_art"])
    assert data.spec.class_names == ("cubism", "op_art")
    assert data.labels.tolist() == [0, 1, 0, 1, 0, 1, 0]
    cubism, op_art = STYLES.index("cubism"), STYLES.index("op_art")
    assert np.array_equal(data.images[0], paint(0, cubism, 16))
    assert np.array_equal(data.images[3], paint(0, len(STYLES) + op_art, 16))
    assert load(16, tmp_path, num_images=2, styles="cubism").spec.class_names == ("cubism",)


def test_styles_can_be_balanced(tmp_path):
    data = load(16, tmp_path, num_images=5, styles=["cubism", "op_art"], balance=True)  # three and two
    labels = np.concatenate([batch["label"] for batch in data.stream(5, 1).take(2)])
    assert np.bincount(labels).tolist() == [5, 5]


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"styles": ["cubsim"]}, "no style 'cubsim'. Did you mean 'cubism'"),
        ({"styles": ["watercolour"]}, "neo_plasticism"),
        ({"styles": []}, "empty"),
        ({"image_size": 8}, "image_size=8"),
        ({"num_images": 0}, "num_images=0"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_what_the_user_can_mend(tmp_path, wrong, message):
    with pytest.raises(GessoError, match=message):
        load(**{"image_size": 16, "cache_dir": tmp_path, **wrong})
