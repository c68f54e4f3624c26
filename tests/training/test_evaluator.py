"""What runs are ranked by, on models whose pictures are known."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hydra import initialize_config_dir

from core.config import CONF, compose
from core.errors import GessoError
from core.images import to_float
from core.run import Run
from data import ImageDataset
from metrics.features import pixels, scale_of
from metrics.kid import kid
from training.checks import check_train
from training.evaluator import Evaluator

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
DATASET = ImageDataset("made", IMAGES)


def composed(*overrides: str):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", list(overrides))


class Draws:
    """A model that draws what it was given."""

    def __init__(self, images: np.ndarray, num_classes: int = 0):
        self.images, self.num_classes = images, num_classes

    def draw(self, num: int, labels: np.ndarray | None, batch_size: int) -> list[np.ndarray]:
        self.labels = labels
        return [self.images[i : min(i + batch_size, num)] for i in range(0, num, batch_size)]


def test_features_are_scaled_by_the_reals():
    config = composed("metrics=[kid,precision_recall]", "features=pixels", "evaluate_num=30")
    evaluator = Evaluator(config, DATASET)
    assert evaluator.objective == "kid" and evaluator.badness(2.0) == 2
    noise = np.random.default_rng(1).uniform(-1, 1, (30, 32, 32, 3)).astype(np.float32) * 0.5
    values = evaluator(Draws(noise))
    reals = pixels()(DATASET.examples(30)["image"])
    expected = kid(pixels()(noise) * scale_of(reals), reals * scale_of(reals))
    assert values["kid"] == pytest.approx(expected, rel=1e-4) and values.keys() == {
        "kid",
        "kid_error",
        "precision",
        "recall",
    }
    assert evaluator(Draws(DATASET.examples(30)["image"]))["precision"] == 1


def test_generated_pictures_have_the_classes_of_the_reals():
    """Three quarters of the data set are of class 0."""
    labels = np.repeat([0, 1], [30, 10]).astype(np.int32)
    dataset = ImageDataset("made", IMAGES, labels, ("a", "b"))
    evaluator, model = Evaluator(composed("evaluate_num=40"), dataset), Draws(IMAGES / 127.5 - 1)
    evaluator(model)
    np.testing.assert_array_equal(model.labels, labels[dataset.drawn(40)])


def test_diversity_is_within_classes_where_they_were_asked_for(monkeypatch):
    """Two classes of which each has one picture again and again: none within, some between. In several batches."""
    monkeypatch.setattr("training.evaluator.BATCH", 7)
    labels = np.arange(40, dtype=np.int32) % 2
    dataset = ImageDataset("made", IMAGES, labels, ("a", "b"))
    evaluator = Evaluator(composed("metrics=[diversity]", "features=pixels", "evaluate_num=40"), dataset)
    one_each = (IMAGES / 127.5 - 1)[dataset.labels[dataset.drawn(40)]]
    assert evaluator(Draws(one_each, num_classes=2))["diversity"] == pytest.approx(0, abs=1e-6)
    assert evaluator(Draws(one_each))["diversity"] > 0.1


def test_nearer_to_one_is_better():
    evaluator = Evaluator(
        composed("metrics=[neighbor_distance_ratio]", "features=pixels", "evaluate_num=30"), DATASET
    )
    values = [0.2, 0.5, 3.0, 0.9, 1.0]
    assert sorted(values, key=evaluator.badness) == [1.0, 0.9, 0.5, 3.0, 0.2]
    assert evaluator.badness(0.0) == np.inf


def test_more_may_be_better():
    evaluator = Evaluator(composed("metrics=[precision_recall]", "features=pixels", "evaluate_num=20"), DATASET)
    assert evaluator.objective == "precision" and evaluator.modes["recall"] == "max"
    assert evaluator.badness(0.5) < evaluator.badness(0.4)
    assert evaluator(Draws(to_float(IMAGES) * 0)).keys() == {"precision", "recall"}


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["metrics=[psnr]"], "metrics=psnr is of pairs"),
        (["metrics=[]"], "must name one"),
        (["model=pix2pix", "evaluate_every=10"], "evaluate_every=10 is for generators"),
        (["model=pix2pix", "restarts=2"], "restarts=2 is for generators"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(overrides, words):
    with pytest.raises(GessoError, match=words):
        check_train(composed(*overrides))


def test_what_cannot_be_measured_is_known_before_the_first_step():
    few = ImageDataset("few", IMAGES[:3])
    with pytest.raises(GessoError, match=r"evaluate_num=3: metrics=kid: .* 2 rows"):
        Evaluator(composed("metrics=[kid]", "features=pixels"), few).check()
    Evaluator(composed("metrics=[kid,sliced_wasserstein]", "features=pixels"), DATASET).check()


def test_nan_is_never_the_best(tmp_path, monkeypatch):
    from training import evaluator

    monkeypatch.setattr(evaluator.checkpoint, "save", lambda *args, **options: None)
    judge = SimpleNamespace(objective="kid", badness=float, settings={"num": 40})
    evaluation = evaluator.EvaluationCallback(Run(tmp_path), None, judge, lambda run: None, 1, 9)
    evaluation.set_model(SimpleNamespace())
    for step, value, best in ((1, np.nan, None), (2, 0.5, 2), (3, np.nan, 2), (4, 0.9, 2), (5, 0.4, 5)):
        evaluation._keep(step, value)
        score = tmp_path / "best" / "score.json"
        assert (json.loads(score.read_text())["step"] if score.is_file() else None) == best
    judge.settings = {"num": 41}  # as when a resumed run is ranked by another metric, or by more pictures
    evaluation._keep(6, 40.0)
    assert json.loads((tmp_path / "best" / "score.json").read_text())["step"] == 6


def test_the_best_is_compared_with_its_like_alone(tmp_path, monkeypatch):
    """What the number depends on: metric, options, features, how many pictures, and which."""
    from training import evaluator

    monkeypatch.setattr(evaluator.checkpoint, "save", lambda *args, **options: None)
    kid, run = ["metrics=[kid]", "features=pixels", "evaluate_num=30"], Run(tmp_path)
    others = [[*kid, "metrics.kid.function.num=7"], [*kid, "evaluate_num=20"], ["evaluate_num=30"]]

    def keep(step: int, value: float, overrides: list[str], dataset=DATASET) -> int:
        callback = evaluator.EvaluationCallback(
            run, None, Evaluator(composed(*overrides), dataset), lambda run: None, 1, 9
        )
        callback.set_model(SimpleNamespace())
        callback._keep(step, value)
        return json.loads(run.best_score.read_text())["step"]

    assert [keep(1, 0.5, kid), keep(2, 0.6, kid), keep(3, 0.4, kid), keep(4, 0.5, kid)] == [1, 1, 3, 3]
    for step, overrides in enumerate(others, 5):
        assert keep(step, 9.0, overrides) == step
    assert keep(8, 99.0, others[-1], ImageDataset("made", IMAGES[::-1].copy())) == 8
    run.best_score.write_text('{"step": 8')
    assert keep(9, 999.0, kid) == 9


def test_settings_say_how_pictures_were_resized_and_stored():
    """Two runs whose reals were cut or resized otherwise do not compare, though they are the same pictures."""
    kid = ["metrics=[kid,sliced_wasserstein]", "features=pixels", "evaluate_num=20"]
    one, other = (
        Evaluator(composed(*kid), ImageDataset("made", IMAGES, resizer=f"bicubic, crop={crop}"))
        for crop in ("center", "random")
    )
    assert one.settings["reals"] == "bicubic, crop=center, uint8" and one.settings["generated"].startswith(
        "float32"
    )
    assert one.settings["features_resizer"] == "area, to 16 px" and one.settings != other.settings
    assert one.settings_of["kid_error"] == one.settings
    assert one.settings_of["sliced_wasserstein"]["features_resizer"] is None


def test_metrics_beside_the_objective_do_not_matter_to_the_best():
    first, second = (
        Evaluator(composed(f"metrics=[{names}]", "features=pixels", "evaluate_num=20"), DATASET).settings
        for names in ("kid", "kid,sliced_wasserstein")
    )
    assert first == second


def test_the_best_of_a_step_that_is_yet_to_come_is_not_this_trainings(tmp_path, monkeypatch):
    """After a resume from before it, with another learning rate, say."""
    from training import evaluator

    monkeypatch.setattr(evaluator.checkpoint, "save", lambda *args, **options: None)
    judge = SimpleNamespace(objective="kid", badness=float, settings={"num": 40})
    for begun, step, value, best in ((0, 20, 0.1, 20), (20, 30, 0.5, 20), (10, 15, 0.5, 15), (15, 18, 0.6, 15)):
        evaluation = evaluator.EvaluationCallback(Run(tmp_path), None, judge, lambda run: None, 1, 9)
        evaluation.set_model(SimpleNamespace(memory={}, step=SimpleNamespace(numpy=lambda begun=begun: begun)))
        evaluation.on_train_begin()
        evaluation._keep(step, value)
        assert json.loads((tmp_path / "best" / "score.json").read_text())["step"] == best


def test_evaluations_after_the_checkpoint_are_cut_whatever_they_measured(tmp_path):
    """A run that was killed, and goes on ranked by another metric: else two rows would tell of one step."""
    from core import rows
    from training.evaluator import EvaluationCallback

    run = Run(tmp_path)
    for row in ({"step": 10, "kid": 1.0}, {"step": 15, "images_per_second": 9.0}, {"step": 20, "kid": 2.0}):
        rows.append(run.metrics, row)
    callback = EvaluationCallback(run, None, SimpleNamespace(objective="fid"), lambda run: None, 10, 90)
    callback.set_model(SimpleNamespace(memory={}, step=SimpleNamespace(numpy=lambda: 10)))
    callback.on_train_begin()
    assert [row["step"] for row in rows.read(run.metrics)] == [10, 15]  # losses are their writer's to cut
