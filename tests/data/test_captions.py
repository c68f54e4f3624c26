"""Words: what painters tell of their pictures, what lies beside files, and how batches have it."""

import re

import numpy as np
import pytest
from PIL import Image

from core.errors import GessoError
from data import image_folder, painted_words, paintings, wikiart
from data.styles.captions import combinations, describe, sentences
from data.styles.color import COLORS, name_colors, palette
from data.styles.facts import Facts

TOLD = [painted_words.tell(0, i) for i in range(30)]


def square(x: float, y: float, side: float) -> np.ndarray:
    return np.array([(x, y), (x + side, y), (x + side, y + side), (x, y + side)])


def test_what_is_covered_is_not_spoken_of():
    facts, red, blue = Facts(), *palette("d3241c 1f3f8f")
    facts.shape(square(0.1, 0.1, 0.2), "square", red)
    facts.shape(square(0.6, 0.6, 0.2), "square", red)
    facts.shape(square(0.6, 0.6, 0.25), "square", blue)
    assert [(t.name, t.count, t.color) for t in facts.things()] == [("square", 1, "blue"), ("square", 1, "red")]
    assert facts.things()[1].place == "on the left" or facts.things()[1].place == "at the top"


def test_of_what_is_half_covered_the_number_is_not_said():
    facts, red = Facts(), palette("d3241c")[0]
    for x in (0.05, 0.35, 0.65):
        facts.shape(square(x, 0.1, 0.2), "square", red)
    assert [(t.name, t.count) for t in facts.things()] == [("square", 3)]
    facts.shape(square(0.65, 0.0, 0.2))
    assert [(t.name, t.count) for t in facts.things()] == [("square", 0)]
    blue = palette("1f3f8f")[0]
    facts.shape(square(0.1, 0.7, 0.2), "small circle", blue)
    facts.shape(square(0.12, 0.7, 0.2))  # of that, a tenth is to be seen
    facts.shape(square(0.6, 0.6, 0.2), "bar", red)
    facts.shape(square(0.6, 0.6, 0.2))  # of that, nothing
    facts.ground(blue)
    described = describe("suprematism", facts, np.zeros((3, 16, 16)))
    assert [thing.name for thing in described.things] == ["square"]
    assert combinations(described) == {"red square", "blue circle", "suprematism on blue"}  # that is to be left out


def test_colors_have_the_names_that_people_give_them():
    hexes = "ff0000 00a040 2040d0 ffe000 ff8800 101010 fafafa 808080 8030a0 ff90b0 704020 e0c8a0"
    names = "red green blue yellow orange black white grey purple pink brown beige"
    assert name_colors(palette(hexes)) == names.split()


@pytest.mark.parametrize("number", range(10), ids=paintings.STYLES)
def test_the_colors_that_are_named_are_on_the_picture(number):
    """Each takes at least 3 pixels in 100 of the picture itself, by the nearest shade."""
    for i in range(number, 30, 10):
        described = TOLD[i]
        there = name_colors(paintings.paint(0, i, 48).reshape(-1, 3) / 255)
        assert described.colors and all(there.count(color) > 0.03 * len(there) for color in described.colors)
        rng = np.random.default_rng(0)
        said = " ".join(sentences(described, rng, 20)).split()
        known = {*described.colors, *described.grounds, *(thing.color for thing in described.things)}
        assert {word.strip(",") for word in said} & set(COLORS) <= known


def test_sentences_are_plain_words_and_differ():
    found = [sentences(described, np.random.default_rng(i), 4) for i, described in enumerate(TOLD)]
    assert all(re.fullmatch(r"[a-z, -]+", sentence) for of_one in found for sentence in of_one)
    assert len({sentence for of_one in found for sentence in of_one}) > 90


def test_batches_have_words_that_are_a_function_of_seed_and_step(tmp_path):
    data = paintings.load(16, tmp_path, num_images=20, text=True)
    assert data.spec.has_text and paintings.load(16, tmp_path, num_images=20).spec.has_text is False
    steps = [batch["text"].numpy().tolist() for batch in data.stream(4, 1).take(20)]
    assert [batch["text"].numpy().tolist() for batch in data.stream(4, 1, start_step=17).take(3)] == steps[17:]
    own = [batch["text"].numpy().tolist() for batch in data.stream(4, 1, worker=1, workers=2).take(3)]
    assert own == [step[2:] for step in steps[:3]]
    batch = next(iter(data.stream(20, 1).take(1)))
    for image, text in zip(batch["image"].numpy(), batch["text"].numpy(), strict=True):
        number = np.abs(data.images / 127.5 - 1.0 - image).mean(axis=(1, 2, 3)).argmin()
        assert text.decode() in data.captions[number]
    wordings = {text for step in steps for text in step}
    assert len(wordings) > 30  # of 20 pictures, seen four times


def test_words_beside_files(tmp_path, caplog):
    for i in range(6):
        (tmp_path / f"c{i % 2}").mkdir(exist_ok=True)
        Image.new("RGB", (20, 20), (i * 40, 0, 0)).save(tmp_path / f"c{i % 2}" / f"{i}.png")
    (tmp_path / "c0" / "0.txt").write_text("Ein  rotes Bild\n\nﬁn zwei 🎨\x07\n", encoding="utf-8-sig")
    (tmp_path / "captions.jsonl").write_text('{"file_name": "c1/1.png", "text": "' + "long " * 2000 + '"}\n')
    (tmp_path / "c0" / "metadata.csv").write_text('file_name,text\n2.png,"with, comma"\n2.png,again\n4.png,\n')
    cache = str(tmp_path / "cache")
    data = image_folder.load(str(tmp_path), 16, cache, text=True)
    assert [list(said) for said in data.captions] == [
        ["Ein rotes Bild", "fin zwei 🎨"], ["with, comma", "again"], [" ".join(["long"] * 2000)],
    ]  # fmt: skip
    assert "3 of 6 pictures" in caplog.text and "c0/4.png" in caplog.text
    assert data.labels.tolist() == [0, 0, 1]
    limited = image_folder.load(str(tmp_path), 16, cache, text=True, limit=2)
    assert [list(said)[-1] for said in limited.captions] == ["fin zwei 🎨", "again"]
    before = data.fingerprint
    (tmp_path / "c0" / "0.txt").write_text("other words")
    assert image_folder.load(str(tmp_path), 16, cache, text=True).fingerprint != before


def test_tables_of_folders_above_and_other_encodings(tmp_path):
    (tmp_path / "train" / "images").mkdir(parents=True)
    for name in ("a", "b", "c"):
        Image.new("RGB", (20, 20)).save(tmp_path / "train" / "images" / f"{name}.png")
    line = '{"file_name": "images/a.png", "text": "one\u2028two"}\n'  # a line all the same
    (tmp_path / "train" / "captions.jsonl").write_text(line, encoding="utf-8")
    (tmp_path / "train" / "images" / "b.txt").write_text("a red höuse", encoding="utf-16")
    data = image_folder.load(str(tmp_path), 16, str(tmp_path / "cache"), text=True)
    assert [list(said) for said in data.captions] == [["one two"], ["a red höuse"]]
    (tmp_path / "train" / "images" / "c.txt").write_bytes("café".encode("cp1252"))
    with pytest.raises(GessoError, match=r"c\.txt is not UTF-8 \(.* at byte 3\): save it"):
        image_folder.load(str(tmp_path), 16, str(tmp_path / "cache"), text=True)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("captions.csv", "name,text\na.png,x\n", "without 'file_name'"),
        ("captions.jsonl", "[1]\n", "cannot be read"),
        ("captions.jsonl", '{"file_name": "a.png", "text": 3}\n', "which is no text"),
        ("other.csv", "", "None of the 1 pictures of .* has words"),
    ],
)
def test_words_that_cannot_be_read(tmp_path, name, content, message):
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    (tmp_path / name).write_text(content)
    with pytest.raises(GessoError, match=message):
        image_folder.load(str(tmp_path), 16, str(tmp_path / "cache"), text=True)


def test_wikiart_in_sentences():
    assert wikiart.sentences("Post_Impressionism/vincent-van-gogh_the-starry-night-1889(1).jpg")[0] == (
        "the starry night by vincent van gogh, 1889, post impressionism"
    )
    assert wikiart.sentences("Cubism/juan-gris_guitar-1913.jpg", "still_life") == [
        "guitar by juan gris, 1913, cubism",
        "still life by juan gris, cubism, 1913",
        "guitar, still life, cubism",
    ]
    assert wikiart.sentences("Baroque/2604.jpg", "portrait") == ["portrait, baroque"]


def test_combinations_are_left_out(tmp_path, caplog):
    styles = ["suprematism", "cut_outs"]
    whole = [
        painted_words.combinations(painted_words.tell(0, painted_words.index_of(i, styles))) for i in range(16)
    ]
    without = sorted(whole[1] | whole[0])[:2]
    data = paintings.load(16, tmp_path, num_images=8, styles=styles, text=True, without=without)
    kept = [i for i, found in enumerate(whole) if found.isdisjoint(without)][:8]
    assert 0 not in kept or 1 not in kept
    assert data.labels[: len(kept)].tolist() == [i % 2 for i in kept]
    for i, image in zip(kept, data.images, strict=False):
        assert np.array_equal(image, paintings.paint(0, painted_words.index_of(i, styles), 16))
    caplog.clear()
    paintings.load(16, tmp_path, num_images=2, styles=["suprematism"], without=["rde circle", "black bar"])
    assert re.findall("'([^']*)' is on no picture.* Did you mean '([^']*)'", caplog.text) == [
        ("rde circle", "red circle")
    ]
    with pytest.raises(GessoError, match="too few"):
        paintings.load(16, tmp_path, num_images=1, styles=["neo_plasticism"], without=["neo-plasticism on white"])
