"""Labels that a generator is asked for."""

import re
from pathlib import Path

import numpy as np
import pytest

from core.errors import GessoError
from core.network_metadata import Metadata
from models.labels import as_asked, draw_labels, find_labels, kinds_shown, shown_labels

PARTS = ("cubism/00-1a2b3c", "cubism/01-1a2b3c", "orphism/00-1a2b3c", "orphism/01-1a2b3c")
OF_PARTS = Metadata("generator", classes=PARTS, shares=(0.6, 0.1, 0.3, 0.0))


def test_classes_are_drawn_as_often_as_they_were_seen():
    metadata = Metadata("generator", classes=("a", "b", "c"), shares=(0.7, 0.0, 0.3))
    labels = draw_labels(metadata, 2000, seed=1)
    assert labels.dtype == np.int32
    np.testing.assert_allclose(np.bincount(labels, minlength=3) / 2000, metadata.shares, atol=0.04)
    np.testing.assert_array_equal(labels, draw_labels(metadata, 2000, seed=1))
    assert (labels != draw_labels(metadata, 2000, seed=2)).any()
    equal = draw_labels(Metadata("generator", classes=("a", "b", "c")), 2000, seed=1)
    np.testing.assert_allclose(np.bincount(equal) / 2000, 1 / 3, atol=0.04)


def test_labels_by_name_and_number():
    names, path = ["Art Nouveau", "Baroque", "Impressionism"], Path("g.keras")
    for label in ("Art Nouveau", "art_nouveau", "ART NOUVEAU", "0", 0):
        assert find_labels(label, names, path).tolist() == [0]
    for label, words in {
        "Impresionism": "Did you mean Impressionism?", "3": "There are: Art Nouveau, Baroque, Impressionism.",
        "²": "There are: Art Nouveau",
    }.items():  # fmt: skip
        with pytest.raises(GessoError, match=re.escape(words)):
            find_labels(label, names, path)
    with pytest.raises(GessoError, match="without labels"):
        find_labels("Baroque", [], path)


def test_what_classes_are_parts_of_stands_for_all_of_them():
    path = Path("g.keras")
    assert find_labels("Orphism", PARTS, path).tolist() == [2, 3]
    for label in ("orphism/01", "orphism/01-1a2b3c", "3"):
        assert find_labels(label, PARTS, path).tolist() == [3]
    with pytest.raises(GessoError, match=r"Did you mean cubism\?"):
        find_labels("cubizm", PARTS, path)
    drawn = draw_labels(OF_PARTS, 2000, 0, [0, 1])
    np.testing.assert_allclose(np.bincount(drawn) / 2000, [6 / 7, 1 / 7], atol=0.04)
    assert set(draw_labels(OF_PARTS, 50, 0, [3])) == {3}  # never seen, but asked for
    assert OF_PARTS.in_words() == "pictures; label=cubism, orphism, of 4 clusters"


def test_kinds_are_shown_in_turn_whatever_their_parts():
    labels = shown_labels(OF_PARTS, 2000, 0)
    assert kinds_shown(OF_PARTS) == 2
    assert set(labels[::2]) == {0, 1} and set(labels[1::2]) == {2}
    np.testing.assert_array_equal(labels, shown_labels(OF_PARTS, 2000, 0))
    plain = Metadata("generator", classes=("a", "b", "c"))
    assert shown_labels(plain, 64, 0).tolist() == [0, 1, 2] and kinds_shown(plain) == 3
    many = Metadata("generator", classes=tuple(f"{i}/{j:02d}-1a2b3c" for i in range(33) for j in range(2)))
    assert len(shown_labels(many, 64, 0)) == 64 and kinds_shown(many) == 1


def test_a_data_set_of_the_whole_classes_asks_for_their_parts():
    labels = np.array([0, 1, 1, 0] * 500)
    own = as_asked(OF_PARTS, 2000, 0, ("cubism", "orphism"), labels)
    assert set(own[labels == 0]) == {0, 1} and set(own[labels == 1]) == {2}
    np.testing.assert_array_equal(as_asked(OF_PARTS, 4, 0, PARTS, np.arange(4)), np.arange(4))
    others = as_asked(OF_PARTS, 2000, 0, ("orphism", "cubism"), labels)  # in another order, they are others
    np.testing.assert_array_equal(others, draw_labels(OF_PARTS, 2000, 0))
    np.testing.assert_array_equal(others, as_asked(OF_PARTS, 2000, 0))
