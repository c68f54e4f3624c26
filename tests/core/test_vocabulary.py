"""Words in numbers, and what is not known said by name."""

import numpy as np
import pytest

from core.errors import GessoError
from core.network_metadata import Metadata
from core.vocabulary import FIRST, NONE, UNKNOWN, Vocabulary, words_of

TEXTS = ["A red circle, on WHITE.", "a red-and-white thing", "a"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Neo-plasticism: two  RED  circles!", ["neo", "plasticism", "two", "red", "circles"]),
        ("", []),
        ("  \n🎨 — ... ", []),
        ("ﬁn Ｗｉｄｅ Straße İstanbul", ["fin", "wide", "straße", "i̇stanbul"]),
        ("e\u0301te\u0301 = été", ["été", "été"]),
        ("красный круг 赤い円 हिन्दी", ["красный", "круг", "赤い円", "हिन्दी"]),
    ],
)
def test_words_of_texts_in_any_writing(text, words):
    assert words_of(text) == words


def test_the_most_frequent_words_come_first_and_rows_are_filled_up():
    known = Vocabulary.of(TEXTS)
    assert known.words == ("a", "red", "white", "and", "circle", "on", "thing") and known.length == 5
    rows = known.tokens(["white zebra", "", "a a a a a a a"])
    assert rows.dtype == np.int32
    assert rows.tolist() == [[FIRST + 2, UNKNOWN, NONE, NONE, NONE], [NONE] * 5, [FIRST] * 5]
    assert known.tokens([]).shape == (0, 5) and known.size == 9


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a zebra, on whit", "'zebra' .*; 'whit' .nearest: 'white'"),
        ("!?", "no words in it"),
        ("a " * 5000, "5000 words, and this network has learned to read 5"),
        ("赤い", "'赤い'"),
    ],
)
def test_what_is_not_understood_is_said(text, message):
    with pytest.raises(GessoError, match=message):
        Vocabulary.of(TEXTS).check(text)


def test_who_did_not_type_a_key_hears_of_none():
    for text in ("", "zebra", "a " * 9):
        with pytest.raises(GessoError, match=r"What you typed|Not in") as error:
            Vocabulary.of(TEXTS).check(text, "What you typed", "")
        assert "text=" not in str(error.value)


def test_what_is_understood_passes():
    Vocabulary.of(TEXTS).check("On, White: a CIRCLE")
    assert Vocabulary.of(["one"]).words == ("one",)
    with pytest.raises(GessoError, match="no word"):
        Vocabulary.of(["", "!"])


def test_a_network_carries_its_words():
    there = Metadata("generator", words=("a", "rouge é"), sentence_length=3, sentences=("a a",))
    back = Metadata.from_json(there.to_json())
    assert back == there and back.vocabulary.words == there.words and Metadata("generator").vocabulary is None
    for words, length in ((("a",), None), (("a",), 9999), ((3,), 1)):
        with pytest.raises(ValueError):
            Metadata("generator", words=words, sentence_length=length)
    with pytest.raises(ValueError):
        Metadata("text_encoder")
