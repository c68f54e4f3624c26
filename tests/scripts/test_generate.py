"""`generate.py` as a user runs it."""

from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from core.cli import ROOT
from core.errors import GessoError
from core.images import grid_by_rows, to_uint8
from core.network_metadata import Metadata
from data.folder import find_files
from data.provenance import check_folder
from generate import files
from models import latent, trained
from models.networks import dcgan


@pytest.fixture(scope="module")
def generator(tmp_path_factory) -> Path:
    """A generator's own file; untrained, which is all that its use needs."""
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("generator") / "g.keras"
    trained.save(dcgan.generator((32, 32, 3), latent_dim=6, width=4), path, Metadata("generator"))
    return path


def pictures(folder: Path) -> list[np.ndarray]:
    return [np.asarray(Image.open(path)) for path in sorted(folder.glob("[0-9]*.png"))]


def test_pictures_and_grid(generator, script, tmp_path):
    done = script("generate.py", f"network={generator}", "num=5", "seed=3", f"output={tmp_path}", "batch_size=2")
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in tmp_path.glob("*.png")) == [f"{i:04d}.png" for i in range(5)] + ["grid.png"]
    with Image.open(tmp_path / "0002.png") as image:
        assert image.size == (32, 32)
        assert (image.text["Seed"], image.text["Index"]) == ("3", "2")
        assert image.text["Source"] == "Made by a neural network"
    found = find_files(tmp_path)
    assert [file.path for file in found] == [f"{i:04d}.png" for i in range(5)]  # the sheet is no picture of these
    again = tmp_path / "again"
    done = script("generate.py", f"network={generator}", "num=2", "seed=3", f"output={again}")
    assert done.returncode == 0, done.stderr
    for one, other in zip(pictures(again), pictures(tmp_path)[:2], strict=True):
        np.testing.assert_array_equal(one, other)
    Image.new("RGB", (4, 4)).save(again / "0003.png")  # somebody's own
    done = script("generate.py", f"network={generator}", "num=1", "seed=4", f"output={again}")
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in again.glob("*.png")) == ["0000.png", "0003.png", "grid.png"]
    before = (again / "0003.png").read_bytes()
    done = script("generate.py", f"network={generator}", "num=4", f"output={again}")
    assert "0003.png is there, and Gesso did not make it" in done.stderr and done.returncode == 1
    assert (again / "0003.png").read_bytes() == before


def test_interpolation(generator, script, tmp_path):
    done = script(
        "generate.py", f"network={generator}", "num=3", "interpolate=true", "frames=4", f"output={tmp_path}"
    )
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "walk.gif") as film:
        assert film.n_frames == 12
    check_folder(tmp_path, files(None))  # may be made anew
    (tmp_path / "walk.gif").write_bytes(b"GIF89a")
    with pytest.raises(GessoError, match=r"walk\.gif is there"):
        check_folder(tmp_path, files(None))
    for file in ("strip.png", "new.png"):
        with pytest.raises(GessoError, match="pictures go into a folder"):
            check_folder(tmp_path / file, files(3))
    assert Image.open(tmp_path / "strip.png").size == (4 * 34 + 2, 3 * 34 + 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "network= says which"),
        (["network=/nowhere"], "there is no /nowhere"),
        (["network=tests"], "there is no tests/generator.keras"),
        (["run=outputs"], "Did you mean network=?"),
        (["network=README.md"], "README.md is not a network that Keras can read"),
        (["network={generator}", "label=3"], "without labels"),
        (["network={generator}", "sead=1"], "Did you mean seed?"),
        (["network={generator}", "output=/dev/null/x"], "/dev/null/x"),
    ],
)
def test_errors_in_words(generator, script, tmp_path, arguments, words):
    arguments = [argument.format(generator=generator) for argument in arguments]
    done = script("generate.py", *arguments, f"hydra.run.dir={tmp_path}/run", cwd=ROOT)
    assert done.returncode == 1
    assert words in done.stderr and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def conditional(tmp_path_factory) -> Path:
    keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("conditional")
    path = folder / "g.keras"
    network = dcgan.generator((32, 32, 3), latent_dim=6, width=4, num_classes=3, condition="concat")
    trained.save(network, path, Metadata("generator", classes=("Art Nouveau", "Baroque", "Impressionism")))
    return path


def test_label_by_name(conditional, script, tmp_path):
    done = script("generate.py", f"network={conditional}", "num=3", f"output={tmp_path}", "label=art_nouveau")
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "0002.png") as image:
        assert image.text["Label"] == "Art Nouveau"
    generator = keras.models.load_model(conditional)
    expected = generator([latent.sample(1, 3, 6), np.zeros(3, np.int32)])
    np.testing.assert_array_equal(np.stack(pictures(tmp_path)), to_uint8(expected))


def test_the_grid_has_a_row_for_each_class():
    images = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    sheet = grid_by_rows(images, 3)[3::4, 3::4, 0]  # a pixel of each
    np.testing.assert_array_equal(sheet, [[0, 3], [1, 4], [2, 255]])
    np.testing.assert_array_equal(grid_by_rows(images[:2], 3)[3::4, 3::4, 0], [[0], [1]])


def test_without_label_the_classes_take_turns(conditional, script, tmp_path):
    done = script("generate.py", f"network={conditional}", "num=4", f"output={tmp_path}")
    assert done.returncode == 0, done.stderr
    labels = [Image.open(path).text["Label"] for path in sorted(tmp_path.glob("0*.png"))]
    assert labels == ["Art Nouveau", "Baroque", "Impressionism", "Art Nouveau"]


def test_a_walk_goes_by_all_corners_and_back():
    corners = np.eye(3, dtype=np.float32)
    found = latent.walk(corners, 4)
    assert found.shape == (12, 3)
    np.testing.assert_allclose(found[::4], corners, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
