import json
import logging

import numpy as np
import pytest
import tensorflow as tf

from training.collapse import EARLY, CollapseMonitor, mean_distance


class Stub:
    def __init__(self, **values):
        self.__dict__.update(values)


def test_diversity_by_hand():
    images = np.array([0.0, 1.0, 3.0]).reshape(1, 3, 1, 1, 1)
    assert mean_distance(images) == pytest.approx((1 + 3 + 2) / 3)
    assert mean_distance(np.concatenate([images, np.zeros_like(images)])) == pytest.approx(1.0)
    assert mean_distance(np.ones((1, 5, 4, 4, 3))) == 0


@pytest.fixture
def health(tmp_path):
    rng = np.random.default_rng(0)
    reals = rng.normal(size=(64, 4, 4, 1))
    samples, scalars = Stub(images=reals), Stub(latest={"discriminator_accuracy": 0.7})
    watch = CollapseMonitor(
        tf.summary.create_file_writer(str(tmp_path)), samples, scalars, reals, 0.0, every=1, last=9
    )
    watch.set_model(Stub(num_classes=0, memory={}))
    return watch


def test_collapse_is_warned_of_once_for_each_fall(health, caplog):
    reals = health.samples.images
    with caplog.at_level(logging.WARNING):
        health.at(1)
        assert health.best == pytest.approx(1.0) and not caplog.records
        health.samples.images = 0.4 * reals
        health.at(2)
        health.at(3)
        assert len(caplog.records) == 1 and "is 0.40 of" in caplog.text
        for step, share in enumerate((0.6, 0.4, 1.0), 4):
            health.samples.images = share * reals
            health.at(step)
        assert len(caplog.records) == 1  # it wavered about the limit
        health.samples.images = 0.4 * reals
        health.at(7)
        assert len(caplog.records) == 2


def test_a_discriminator_that_wavers_about_the_limit_is_warned_of_once(health, caplog):
    with caplog.at_level(logging.WARNING):
        for step, accuracy in enumerate((0.995, 0.98, 0.995, 0.9, 0.995), 100):
            health.scalars.latest = {"discriminator_accuracy": accuracy}
            health.at(step)
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["Step 100", "Step 104"]


def test_collapse_from_the_start_is_seen_and_the_noise_of_the_start_is_no_measure(health, caplog):
    reals = health.samples.images
    health.samples.images = 3 * reals
    health.at(1)
    health.samples.images = reals
    health.at(2)
    assert not caplog.records
    health.best = 0.0
    health.samples.images = 0.01 * reals
    health.at(3)
    assert not caplog.records  # nothing can be drawn yet
    health.at(100)
    assert "collapsing" in caplog.text


def test_collapse_within_classes_is_seen(health, caplog):
    """Each class makes one picture only: all together they still differ."""
    reals = health.samples.images
    health.model.num_classes = 8
    health.at(1)
    health.samples.images = np.repeat(reals[:8], 8, axis=0)
    health.at(2)
    assert "collapsing" in caplog.text


@pytest.mark.parametrize("reals", [np.ones((8, 4, 4, 1)), np.ones((1, 4, 4, 1))])
def test_reals_without_diversity_are_no_measure(health, reals, caplog):
    watch = CollapseMonitor(health.writer, health.samples, health.scalars, reals, 0.0, every=1, last=9)
    watch.set_model(health.model)
    watch.at(1)
    assert not caplog.records
    watch.scalars.latest["discriminator_accuracy"] = 0.995
    watch.at(EARLY)
    assert "discriminator wins" in caplog.text


def test_winning_discriminator(health, caplog):
    health.scalars.latest["discriminator_accuracy"] = 0.995
    health.at(EARLY - 1)  # by a hair
    assert not caplog.records
    health.at(EARLY)
    assert "discriminator wins" in caplog.text
    caplog.clear()
    health.threshold = None  # a critic is meant to win
    health.warned.clear()
    health.at(EARLY + 1)
    assert not caplog.records


def test_what_it_knows_is_kept_over_a_resume(health, caplog):
    """Else a run that has collapsed would be measured by what it has become."""
    reals = health.samples.images
    health.at(1)
    health.samples.images = 0.4 * reals
    health.at(2)
    memory = json.loads(json.dumps(health.model.memory))
    caplog.clear()
    resumed = CollapseMonitor(health.writer, health.samples, health.scalars, reals, 0.0, every=1, last=9)
    resumed.set_model(Stub(num_classes=0, memory=memory, step=Stub(numpy=lambda: 2)))
    resumed.on_train_begin()
    assert resumed.best == pytest.approx(1.0)
    resumed.at(3)
    assert not caplog.records  # it was warned of before
    health.samples.images = reals
    resumed.at(4)
    health.samples.images = 0.4 * reals
    resumed.at(5)
    assert "is 0.40 of" in caplog.text


def test_no_row_since_a_resume_says_nothing_of_the_discriminator(health):
    health.scalars.latest["discriminator_accuracy"] = 0.995
    health.at(EARLY)
    health.scalars.latest.clear()
    health.at(EARLY + 1)
    assert "winner" in health.warned
