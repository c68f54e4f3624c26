"""`generate.py` as a user runs it."""

from pathlib import Path

import keras
import numpy as np
import pytest
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from core.cli import ROOT
from core.errors import GessoError
from core.images import to_uint8
from core.network_metadata import Metadata
from data.folder import find_files
from data.provenance import check_folder
from generate import asked, files, in_turn, sheet_of, unwanted
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
    sheet = sheet_of(images, 3)[3::4, 3::4, 0]  # a pixel of each
    np.testing.assert_array_equal(sheet, [[0, 3], [1, 4], [2, 255]])
    np.testing.assert_array_equal(sheet_of(images[:2], 3)[3::4, 3::4, 0], [[0], [1]])


def test_without_label_the_classes_take_turns(conditional, script, tmp_path):
    done = script("generate.py", f"network={conditional}", "num=4", f"output={tmp_path}")
    assert done.returncode == 0, done.stderr
    labels = [Image.open(path).text["Label"] for path in sorted(tmp_path.glob("0*.png"))]
    assert labels == ["Art Nouveau", "Baroque", "Impressionism", "Art Nouveau"]


def test_of_many_classes_each_comes_as_often_as_it_was_seen():
    names = tuple(map(str, range(40)))
    shares = (0.5, *[0.5 / 39] * 39)
    knows = Metadata("generator", classes=names, shares=shares)
    said, numbers = asked(wanted(num=None, seed=1), knows, Path("g"))
    assert len(said) == len(numbers) == 64 and [names[i] for i in numbers] == said
    assert 20 < (numbers == 0).sum() < 44 and len(set(said)) > 10
    assert len(asked(wanted(num=3, seed=1), knows, Path("g"))[0]) == 3
    assert asked(wanted(label="7"), knows, Path("g"))[0] == ["7"]


def test_what_classes_are_parts_of_is_asked_for_as_a_whole():
    parts = ("cubism/00-1a2b3c", "cubism/01-1a2b3c", "orphism/00-1a2b3c")
    knows = Metadata("generator", classes=parts, shares=(0.5, 0.25, 0.25))
    said, numbers = asked(wanted(label="cubism", num=40), knows, Path("g"))
    assert len(said) == 40 and set(said) == set(parts[:2]) and [parts[i] for i in numbers] == said
    said, _ = asked(wanted(num=6), knows, Path("g"))  # a row each
    assert [name.split("/")[0] for name in said] == ["cubism", "orphism"] * 3
    assert asked(wanted(label="cubism/01"), knows, Path("g"))[0] == [parts[1]]
    assert asked(wanted(label="cubism", interpolate=True), knows, Path("g"))[0] == [parts[0]]  # no leaps on the way
    with pytest.raises(GessoError, match=r"label=orphism"):
        asked(wanted(text="orphism"), knows, Path("g"))


def wanted(**keys) -> DictConfig:
    return OmegaConf.create(
        {"text": None, "negative": None, "label": None, "num": None, "seed": 1, "interpolate": False} | keys
    )


def test_what_is_asked_for_in_words():
    knows = Metadata("generator", words=("a", "red", "circle"), sentence_length=3, sentences=("a circle",))
    assert asked(wanted(text="A red circle!"), knows, Path("g"))[1].tolist() == [[2, 3, 4]]
    texts, tokens = asked(wanted(text=["red", "circle"]), knows, Path("g"))
    assert texts == ["red", "circle"] and tokens.tolist() == [[3, 0, 0], [4, 0, 0]]
    assert asked(wanted(), knows, Path("g"))[0] == ["a circle"]
    assert asked(wanted(label="red_circle"), knows, Path("g"))[1].tolist() == [[3, 4, 0]]
    assert in_turn(tokens, 3).tolist() == [[3, 0, 0], [4, 0, 0], [3, 0, 0]]
    with pytest.raises(GessoError, match=r"'zebra' \(nearest"):
        asked(wanted(text=["red", "zebra"]), knows, Path("g"))
    for keys in ({"text": []}, {"text": " "}, {"text": ["red", "!"]}, {"label": ""}):
        with pytest.raises(GessoError, match=f"{next(iter(keys))}= has no words in it"):
            asked(wanted(**keys), knows, Path("g"))


def test_what_is_not_wanted():
    knows = Metadata("generator", words=("a", "red", "circle"), sentence_length=3, sentences=("a circle",))
    assert unwanted(wanted(negative="red_circle"), knows, Path("g")).tolist() == [[3, 4, 0]]
    assert unwanted(wanted(negative=["red", "circle"]), knows, Path("g")).tolist() == [[3, 0, 0], [4, 0, 0]]
    assert unwanted(wanted(), knows, Path("g")).shape == (0, 3)
    assert len(unwanted(wanted(), Metadata("generator"), Path("g"))) == 0
    with pytest.raises(GessoError, match=r"'zebra' \(nearest"):
        unwanted(wanted(negative="zebra"), knows, Path("g"))
    with pytest.raises(GessoError, match="negative= has no words in it"):
        unwanted(wanted(negative=""), knows, Path("g"))
    with pytest.raises(GessoError, match="negative=red: g understands no words"):
        unwanted(wanted(negative="red"), Metadata("generator", classes=("cubism",)), Path("g"))


def test_labels_are_asked_for_by_name_and_words_are_no_labels():
    knows = Metadata("generator", classes=("cubism", "op_art"))
    assert asked(wanted(label="op art"), knows, Path("g")) == (["op_art"], np.array([1]))
    assert asked(wanted(), knows, Path("g"))[1].tolist() == [0, 1]
    names, numbers = asked(wanted(), Metadata("generator"), Path("g"))
    assert names == [] and in_turn(numbers, 2).tolist() == [0, 0]
    with pytest.raises(GessoError, match=r"understands no words \(label=cubism"):
        asked(wanted(text="red"), knows, Path("g"))


def test_a_walk_goes_by_all_corners_and_back():
    corners = np.eye(3, dtype=np.float32)
    found = latent.walk(corners, 4)
    assert found.shape == (12, 3)
    np.testing.assert_allclose(found[::4], corners, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
