"""What a generator is asked for, by labels and in words."""

from pathlib import Path

import numpy as np
import pytest

from core.errors import GessoError
from core.network_metadata import Metadata
from models.asked import asked, in_turn, unwanted


def test_of_many_classes_each_comes_as_often_as_it_was_seen():
    names = tuple(map(str, range(40)))
    shares = (0.5, *[0.5 / 39] * 39)
    knows = Metadata("generator", classes=names, shares=shares)
    said, numbers = asked(knows, Path("g"), seed=1)
    assert len(said) == len(numbers) == 64 and [names[i] for i in numbers] == said
    assert 20 < (numbers == 0).sum() < 44 and len(set(said)) > 10
    assert len(asked(knows, Path("g"), num=3, seed=1)[0]) == 3
    assert asked(knows, Path("g"), label="7")[0] == ["7"]


def test_what_classes_are_parts_of_is_asked_for_as_a_whole():
    parts = ("cubism/00-1a2b3c", "cubism/01-1a2b3c", "orphism/00-1a2b3c")
    knows = Metadata("generator", classes=parts, shares=(0.5, 0.25, 0.25))
    said, numbers = asked(knows, Path("g"), label="cubism", num=40)
    assert len(said) == 40 and set(said) == set(parts[:2]) and [parts[i] for i in numbers] == said
    said, _ = asked(knows, Path("g"), num=6)  # a row each
    assert [name.split("/")[0] for name in said] == ["cubism", "orphism"] * 3
    assert asked(knows, Path("g"), label="cubism/01")[0] == [parts[1]]
    assert asked(knows, Path("g"), label="cubism", walk=True)[0] == [parts[0]]  # no leaps on the way
    with pytest.raises(GessoError, match=r"label=orphism"):
        asked(knows, Path("g"), text="orphism")


def test_what_is_asked_for_in_words():
    knows = Metadata("generator", words=("a", "red", "circle"), sentence_length=3, sentences=("a circle",))
    assert asked(knows, Path("g"), text="A red circle!")[1].tolist() == [[2, 3, 4]]
    texts, tokens = asked(knows, Path("g"), text=["red", "circle"])
    assert texts == ["red", "circle"] and tokens.tolist() == [[3, 0, 0], [4, 0, 0]]
    assert asked(knows, Path("g"))[0] == ["a circle"]
    assert asked(knows, Path("g"), label="red_circle")[1].tolist() == [[3, 4, 0]]
    assert in_turn(tokens, 3).tolist() == [[3, 0, 0], [4, 0, 0], [3, 0, 0]]
    with pytest.raises(GessoError, match=r"'zebra' \(nearest"):
        asked(knows, Path("g"), text=["red", "zebra"])
    for keys in ({"text": []}, {"text": " "}, {"text": ["red", "!"]}, {"label": ""}):
        with pytest.raises(GessoError, match=f"{next(iter(keys))}= has no words in it"):
            asked(knows, Path("g"), **keys)


def test_what_is_not_wanted():
    knows = Metadata("generator", words=("a", "red", "circle"), sentence_length=3, sentences=("a circle",))
    assert unwanted(knows, Path("g"), negative="red_circle").tolist() == [[3, 4, 0]]
    assert unwanted(knows, Path("g"), negative=["red", "circle"]).tolist() == [[3, 0, 0], [4, 0, 0]]
    assert unwanted(knows, Path("g")).shape == (0, 3)
    assert len(unwanted(Metadata("generator"), Path("g"))) == 0
    with pytest.raises(GessoError, match=r"'zebra' \(nearest"):
        unwanted(knows, Path("g"), negative="zebra")
    with pytest.raises(GessoError, match="negative= has no words in it"):
        unwanted(knows, Path("g"), negative="")
    with pytest.raises(GessoError, match="negative=red: g understands no words"):
        unwanted(Metadata("generator", classes=("cubism",)), Path("g"), negative="red")


def test_labels_are_asked_for_by_name_and_words_are_no_labels():
    knows = Metadata("generator", classes=("cubism", "op_art"))
    assert asked(knows, Path("g"), label="op art") == (["op_art"], np.array([1]))
    assert asked(knows, Path("g"))[1].tolist() == [0, 1]
    names, numbers = asked(Metadata("generator"), Path("g"))
    assert names == [] and in_turn(numbers, 2).tolist() == [0, 0]
    with pytest.raises(GessoError, match=r"understands no words \(label=cubism"):
        asked(knows, Path("g"), text="red")
