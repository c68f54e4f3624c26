import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import GessoError
from data.wikiart import load, plain, read_labels

FILES = {  # and the colour of each
    "Art_Nouveau_Modern/alphonse-mucha_poster-1896.jpg": 10,
    "Baroque/rembrandt_self-portrait.jpg": 60,
    "Impressionism/claude-monet_water-lilies(2).jpg": 110,
    "Impressionism/joaquín-sorolla_study-of-vineyard.jpg": 160,
    "Naive_Art_Primitivism/grégoire-michonze_birds.jpg": 210,
}
MOJIBAKE = {"í": "ã\xad", "é": "ã©"}
CLASSES = "0 Art_Nouveau\n1 Baroque\n2 Impressionism\n3 Naive_Art_Primitivism\n"


def mojibake(path: str) -> str:
    """As the release's names are: UTF-8 read as Latin-1, and that in lower case."""
    for letter, pair in MOJIBAKE.items():
        path = path.replace(letter, pair)
    return path


@pytest.fixture
def root(tmp_path) -> Path:
    return make(tmp_path / "data" / "wikiart")


def make(root: Path, named=lambda path: path) -> Path:
    for path, gray in FILES.items():
        file = root / named(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 20), (gray,) * 3).save(file, quality=95)
    return root


def write(folder: Path, label: str, rows: list[tuple[str, int]], classes: str = CLASSES, comma: str = ",") -> Path:
    """The label files as in the release; the first row is the validation part."""
    folder.mkdir(parents=True, exist_ok=True)
    if label == "artist":
        head, end, kind = "(Path to image),, (Groundtruth class) \r\n\r\n", "", ""
    else:
        head, end, kind = "", ".csv", ".txt" if label == "style" else ""
    for part, some in (("val", rows[:1]), ("train", rows[1:])):
        text = head + "".join(f"{path}{comma}{number}\r\n" for path, number in some)
        (folder / f"{label}_{part}{end}").write_bytes(text.encode())
    (folder / f"{label}_class{kind}").write_text(classes)
    return folder


def named(dataset) -> dict[int, str]:
    """Colour -> class of the pictures."""
    grays = (dataset.images[np.arange(len(dataset))].mean(axis=(1, 2, 3)) / 50).astype(int) * 50 + 10
    return {int(g): dataset.spec.class_names[label] for g, label in zip(grays, dataset.labels, strict=True)}


STYLES = {
    10: "Art_Nouveau", 60: "Baroque", 110: "Impressionism", 160: "Impressionism", 210: "Naive_Art_Primitivism"
}  # fmt: skip


def test_without_label_files_folders_are_the_styles(root, tmp_path):
    dataset = load(str(root), 8, str(tmp_path / "cache"))
    assert dataset.spec.name == "wikiart" and dataset.spec.image_shape == (8, 8, 3)
    assert dataset.spec.class_names == ("Art_Nouveau", "Baroque", "Impressionism", "Naive_Art_Primitivism")
    assert named(dataset) == STYLES


def test_the_label_files_know_better_than_folders(root, tmp_path):
    rows = [("Impressionism/claude-monet_water-lilies(2).jpg", 1), ("Baroque/rembrandt_self-portrait.jpg", 1)]
    write(root, "style", rows)
    dataset = load(str(root), 8, str(tmp_path / "cache"))
    assert named(dataset) == STYLES | {110: "Baroque"}  # those not listed keep their folder's name


@pytest.mark.parametrize("place", ["in", "in/csv", "beside", "beside/csv", "elsewhere"])
def test_where_label_files_are_found(root, tmp_path, place):
    folders = {
        "in": root,
        "in/csv": root / "wikiart_csv", "beside": root.parent, "beside/csv": root.parent / "wikiart_csv",
        "elsewhere": tmp_path / "elsewhere",
    }  # fmt: skip
    write(folders[place], "style", [("Baroque/rembrandt_self-portrait.jpg", 2)])
    csv = str(folders[place]) if place == "elsewhere" else None
    assert named(load(str(root), 8, str(tmp_path / "cache"), csv=csv)) == STYLES | {60: "Impressionism"}


@pytest.mark.parametrize("disk", [str, mojibake])
@pytest.mark.parametrize("listed", [str, mojibake])
def test_accents_match_whatever_became_of_them(tmp_path, disk, listed):
    root = make(tmp_path / "wikiart", disk)
    rows = [(listed(path), 2) for path in FILES if not path.isascii()]
    write(root, "genre", rows, "0 portrait\n1 still life\n2 landscape\n")
    dataset = load(str(root), 8, str(tmp_path / "cache"), label="genre")
    assert named(dataset) == {160: "landscape", 210: "landscape"}


def test_plain():
    assert plain("Impressionism/joaqu\xe3\xadn-sorolla_x.jpg") == plain("Impressionism/joaquín-sorolla_x.jpg")
    assert plain("gre\u0301goire.jpg") == plain("gr\xe9goire.jpg") == plain("gr\xe3\xa9goire.jpg")
    assert plain("Baroque/a.JPG") == plain("baroque/a.jpg")
    assert plain("a(2).jpg") != plain("a(3).jpg")
    assert plain("Art_Nouveau_Modern/a.jpg") == plain("art_nouveau/a.jpg")  # whichever of the two is listed
    assert plain("Baroque/art_nouveau_modern.jpg") != plain("Baroque/art_nouveau.jpg")  # of folders alone


@pytest.mark.skipif(os.name == "nt", reason="names there are always Unicode")
def test_names_that_are_not_utf_8_at_all(root, tmp_path):
    Image.new("RGB", (20, 20), (255,) * 3).save(tmp_path / "a.jpg")
    try:
        os.rename(tmp_path / "a.jpg", os.fsencode(root) + b"/Baroque/jos\xe9.jpg")
    except OSError:
        pytest.skip("this file system takes no such names")
    assert len(load(str(root), 8, str(tmp_path / "cache"))) == 6


def test_styles_can_be_balanced(root, tmp_path):
    dataset = load(str(root), 8, str(tmp_path / "cache"), balance=True)
    labels = np.concatenate([batch["label"] for batch in dataset.stream(4, 1).take(3)])
    assert np.bincount(labels).tolist() == [3] * 4  # of 1, 1, 2 and 1 pictures


def test_genre(root, tmp_path):
    rows = [("Baroque/rembrandt_self-portrait.jpg", 1), ("Impressionism/claude-monet_water-lilies(2).jpg", 0)]
    write(root, "genre", rows, "0 landscape\n1 portrait\n2 still_life\n")
    dataset = load(str(root), 8, str(tmp_path / "cache"), label="genre")
    assert named(dataset) == {60: "portrait", 110: "landscape"}  # those without a genre are left out
    assert dataset.spec.class_names == ("landscape", "portrait")


def test_artist_with_prose_and_two_commas(root, tmp_path):
    rows = [("Baroque/rembrandt_self-portrait.jpg", 1), ("Impressionism/claude-monet_water-lilies(2).jpg", 0)]
    write(root, "artist", rows, "0 Claude_Monet\n1 Rembrandt\n", comma=",,")
    dataset = load(str(root), 8, str(tmp_path / "cache"), label="artist")
    assert named(dataset) == {60: "Rembrandt", 110: "Claude_Monet"}


@pytest.mark.parametrize("label", ["genre", "artist"])
def test_genre_and_artist_need_their_files(root, tmp_path, label):
    with pytest.raises(GessoError) as raised:
        load(str(root), 8, str(tmp_path / "cache"), label=label)
    for part in (f"{label}_train", f"{label}_val", f"{label}_class", "dataset.csv=<folder>", str(root)):
        assert part in str(raised.value)


def test_label_files_with_numbers_that_are_none(root, tmp_path):
    """Superscripts are digits by Unicode, and a field may be longer than Python's csv takes."""
    folder = write(tmp_path / "labels", "genre", [("x/a.jpg", 1), ("x/b.jpg", "²")], classes="1 a\n² b\n")
    assert list(read_labels(folder, "genre").values()) == ["a"]
    (folder / "genre_train.csv").write_text("x" * 200_000)
    with pytest.raises(GessoError, match=r"genre_train\.csv cannot be read: field larger"):
        read_labels(folder, "genre")


def test_half_of_the_label_files_is_an_error(root, tmp_path):
    write(root, "genre", [("Baroque/rembrandt_self-portrait.jpg", 0)])
    (root / "genre_class").unlink()
    with pytest.raises(GessoError, match="genre_class"):
        load(str(root), 8, str(tmp_path / "cache"), label="genre")
    write(root, "genre", [("Baroque/rembrandt_self-portrait.jpg", 9)])
    with pytest.raises(GessoError, match="class 9"):
        load(str(root), 8, str(tmp_path / "cache"), label="genre")


def test_label_files_of_other_pictures_are_an_error(root, tmp_path):
    write(root, "genre", [("Baroque/somebody_else.jpg", 0)])
    with pytest.raises(GessoError, match="None of the 5 pictures is named in"):
        load(str(root), 8, str(tmp_path / "cache"), label="genre")


def test_wrong_label_or_no_pictures(root, tmp_path):
    with pytest.raises(GessoError, match=r"dataset\.label=mood: must be one of style, genre, artist"):
        load(str(root), 8, str(tmp_path / "cache"), label="mood")
    (tmp_path / "empty").mkdir()
    with pytest.raises(GessoError, match=r"No pictures in .*one folder a style"):
        load(str(tmp_path / "empty"), 8, str(tmp_path / "cache"))
    with pytest.raises(GessoError, match="not in folders"):
        load(str(root / "Baroque"), 8, str(tmp_path / "cache"))


def test_pictures_that_cannot_be_read_do_not_shift_the_labels(root, tmp_path):
    (root / "Art_Nouveau_Modern" / "alphonse-mucha_poster-1896.jpg").write_text("x")
    (root / "Impressionism" / "claude-monet_water-lilies(2).jpg").write_text("x")
    dataset = load(str(root), 8, str(tmp_path / "cache"))
    assert len(dataset.skipped) == 2
    assert named(dataset) == {60: "Baroque", 160: "Impressionism", 210: "Naive_Art_Primitivism"}


@pytest.mark.parametrize(
    ("label", "rows", "classes"), [("style", 81446, 27), ("genre", 64994, 10), ("artist", 19052, 23)]
)
def test_the_real_label_files(test_data, label, rows, classes):
    """`plain` must not make one of two names: as many keys as different names."""
    labels = read_labels(test_data / "wikiart_csv", label)
    different = set()
    for part in ("train", "val"):
        end = "" if label == "artist" else ".csv"
        text = (test_data / "wikiart_csv" / f"{label}_{part}{end}").read_text()
        different |= {line.split(",")[0] for line in text.splitlines() if line.strip()[-1:].isdigit()}
    assert len(labels) == len(different) and rows - 100 <= len(labels) <= rows
    assert len(set(labels.values())) == classes
    if label == "style":
        assert labels[plain("Impressionism/joaquín-sorolla_study-of-vineyard.jpg")] == "Impressionism"
        assert "Art_Nouveau" in labels.values()


def test_the_real_pictures(test_data, tmp_path):
    """Their names are not the release's, so folders are the styles."""
    dataset = load(str(test_data / "wikiart_64"), 32, str(tmp_path), limit=700)
    assert len(dataset) == 700 and dataset.skipped == ()
    assert np.bincount(dataset.labels).tolist() == [100] * 7
    assert dataset.spec.class_names == (
        "Art_Nouveau", "Baroque", "Expressionism", "Impressionism", "Post_Impressionism", "Romanticism", "Symbolism"
    )  # fmt: skip


def test_without_wikiart_the_user_is_told_what_to_do(script):
    done = script("train.py", "dataset=wikiart", "dataset.root=/nowhere")
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "/nowhere does not exist" in said and "wikiart.zip" in said and "dataset.root=<folder>" in said
    done = script("train.py", "dataset=wikiart", "dataset.root=null")
    assert done.returncode == 1 and "dataset.root=<folder>. Expected: one folder" in done.stderr, done.stderr
    assert "Traceback" not in said
