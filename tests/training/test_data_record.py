"""A run's data, and what has become of it."""

from types import SimpleNamespace

import pytest
import tensorflow as tf

from core.errors import GessoError
from core.run import Run
from data import DatasetSpec
from training import data_record


class Data(SimpleNamespace):
    def __len__(self) -> int:
        return self.num


def data(classes=("cats", "dogs"), num=10, fingerprint="a") -> Data:
    return Data(
        spec=DatasetSpec("pets", ("image",), (8, 8, 3), class_names=classes), num=num, fingerprint=fingerprint
    )


@pytest.fixture
def run(tmp_path) -> Run:
    run = Run(tmp_path)
    data_record.write(run, data())
    run.checkpoints.mkdir()
    run.checkpoint(9).touch()
    return run


def test_the_same_data_is_not_spoken_of(run, caplog):
    data_record.check(run, data(), conditional=True)
    assert not caplog.records


def test_changed_classes_of_a_conditional_model_are_refused(run, caplog):
    changed = data(("dogs", "zebras"), fingerprint="b")
    with pytest.raises(GessoError, match=r"learned the classes cats, dogs, and pets now has dogs, zebras"):
        data_record.check(run, changed, conditional=True)
    data_record.check(run, changed, conditional=False)  # one that does not learn from them
    assert "were copied since" in caplog.text


def test_a_record_that_is_gone_matters_where_classes_do(run, caplog):
    run.data.unlink()
    with pytest.raises(GessoError, match=r"data\.json is missing: without it nobody knows which classes"):
        data_record.check(run, data(), conditional=True)
    data_record.check(run, data(), conditional=False)
    assert "not known whether the data are those" in caplog.text


def test_words_of_other_numbers_are_refused(run):
    """Captions of other pictures may have the same words, more or less often, and so in another order."""
    data_record.write(run, data(), ("red", "circle"))
    data_record.check(run, data(fingerprint="b"), conditional=False, words=("red", "circle"))
    with pytest.raises(GessoError, match="learned to read other words"):
        data_record.check(run, data(), conditional=False, words=("circle", "red"))
    data_record.write(run, data())  # as before words were noted
    data_record.check(run, data(), conditional=False, words=("circle", "red"))


def test_anything_else_is_warned_of(run, caplog):
    data_record.check(run, data(num=12, fingerprint="b"), conditional=True)
    assert "10 pictures then, 12 now" in caplog.text


def test_a_run_that_has_not_learned_anything_may_begin_on_other_data(run, caplog):
    run.checkpoint(9).unlink()
    data_record.check(run, data(("a", "b"), fingerprint="b"), conditional=True)
    assert not caplog.records


def test_other_styles_are_refused_and_other_pictures_of_theirs_warned_of(run, caplog):
    def learned(**paintings: float) -> dict[str, str]:
        return data_record.styles_of(
            SimpleNamespace(
                style_names=tuple(paintings), styles=[tf.fill([1, 4, 4, 3], value) for value in paintings.values()]
            )
        )

    data_record.write(run, data(), styles=learned(a=0.0, c=0.5))
    data_record.check(run, data(), conditional=False, styles=learned(a=0.0, c=0.5))
    assert not caplog.records
    data_record.check(run, data(), conditional=False, styles=learned(a=0.0, c=0.25))
    assert "The style c is not the picture" in caplog.text
    for others in (learned(a=0.0, b=0.5), learned(c=0.5, a=0.0)):
        with pytest.raises(GessoError, match=r"learned the styles a, c, and model\.style= now has"):
            data_record.check(run, data(), conditional=False, styles=others)
    data_record.write(run, data())  # as before styles were noted
    data_record.check(run, data(), conditional=False, styles=learned(b=0.0))
    assert data_record.styles_of(SimpleNamespace()) == {}
