"""A taste that is known is found again from clicks, in simulation."""

import json

import numpy as np
import pytest

from core.errors import GessoError
from page.taste import SHOWN, Taste

DIM, CLASSES, ROUNDS = 64, 4, 8


HEAD = f'{{"gesso_taste": 1, "latent_dim": {DIM}, "classes": {CLASSES}, "rounds": '


def entry(latent: str = "0.5", label: str = "0", liked: str = "0") -> str:
    """A taste of one round of two pictures, as a file has it."""
    latents = ", ".join([latent] * DIM)
    labels = f'"labels": [{label}, 0], "liked": [{liked}]'
    return HEAD + f'[{{"latents": [[{latents}], [{latents}]], {labels}}}]}}'


def clicks(seed: int, learns: bool) -> tuple[float, Taste]:
    """Simulates a person who likes one direction and one class, and errs now and then.

    Returns the utility of what they are shown at last, in deviations of what anybody is shown.
    """
    rng = np.random.default_rng(seed)
    direction = rng.standard_normal(DIM) / np.sqrt(DIM)
    taste = Taste(DIM, CLASSES)
    latents, labels = rng.standard_normal((SHOWN, DIM)).astype(np.float32), np.arange(SHOWN) % CLASSES

    def utility(latents: np.ndarray, labels: np.ndarray) -> np.ndarray:
        return (latents @ direction + (labels == 1)) / np.sqrt(1 + 3 / 16)

    for _ in range(ROUNDS):
        noisy = utility(latents, labels) + rng.gumbel(scale=0.3, size=SHOWN)
        liked = np.argsort(noisy)[-3:]
        if learns:  # else they walk around what was liked, and learn nothing
            taste.learn(latents, labels, liked)
        latents, labels = taste.propose(SHOWN, latents[liked], labels[liked], rng)
    return float(utility(latents, labels).mean()), taste


def test_a_known_taste_is_recovered():
    learned, blind = zip(*((clicks(seed, True)[0], clicks(seed, False)[0]) for seed in range(5)), strict=True)
    assert min(learned) > 1.5
    assert np.mean(learned) > np.mean(blind) + 1


def test_what_is_likeliest_is_where_the_gradient_vanishes():
    _, taste = clicks(0, True)
    weights, factor = taste.weights()

    def objective(w: np.ndarray) -> float:
        loss = w @ w / 18
        for shown in taste.rounds:
            u = taste.features(shown.latents, shown.labels) @ w
            others = [i for i in range(SHOWN) if i not in shown.liked]
            loss += sum(np.log1p(np.exp(u[j] - u[i])) for i in shown.liked for j in others)
        return loss

    here, step = objective(weights), np.random.default_rng(1).standard_normal(DIM + CLASSES) * 1e-3
    there, back = objective(weights + step), objective(weights - step)
    assert min(there, back) > here
    np.testing.assert_allclose(there + back - 2 * here, np.sum((factor.T @ step) ** 2), rtol=0.01)


def test_a_class_that_is_asked_for_is_given():
    taste, rng = Taste(3, 5), np.random.default_rng(0)
    latents, labels = taste.propose(4, np.ones((1, 3)), np.array([2]), rng, among=np.array([4]))
    assert latents.shape == (4, 3) and labels.tolist() == [4] * 4
    parts = taste.propose(40, np.ones((1, 3)), np.array([2]), rng, among=np.array([1, 2]))[1]
    assert set(parts.tolist()) == {1, 2}


def test_a_file_brings_it_back_and_no_other():
    _, taste = clicks(0, True)
    text = taste.to_json("mine")
    np.testing.assert_allclose(Taste.from_json(text, DIM, CLASSES).weights()[0], taste.weights()[0], atol=1e-2)
    with pytest.raises(GessoError, match="another network, mine"):
        Taste.from_json(text, DIM, 0)


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "null", '{"gesso_taste": 2, "rounds": []}', "[" * 10**5, b"\xff", HEAD + "[3]}",
        HEAD + '[{"latents": [[1]], "labels": [0], "liked": []}]}',
        entry(latent="1" + "0" * 400), entry(latent="1e999"), entry(label="1" + "0" * 30), entry(liked="1e999"),
        entry(liked="0, 0"),
    ],
    ids=range(13),
)  # fmt: skip
def test_other_files_are_refused_in_words(text):
    assert len(Taste.from_json(entry(), DIM, CLASSES).rounds) == 1
    with pytest.raises(GessoError, match="This file is"):
        Taste.from_json(text, DIM, CLASSES)


def test_of_sentences_those_that_were_liked_come_again():
    rng, taste = np.random.default_rng(0), Taste(DIM)
    latents, labels = taste.propose(40, np.zeros((0, DIM)), np.array([3, 5]), rng, truncation=0.5)
    assert set(labels.tolist()) == {3, 5} and np.abs(latents).max() <= 0.5


def test_a_round_of_more_than_a_sheet_is_refused():
    """Whose pairs would fill the memory."""
    for number, right in ((SHOWN, True), (SHOWN + 1, False)):
        entry = {"latents": [[0.5] * DIM] * number, "labels": [0] * number, "liked": [0]}
        text = HEAD + json.dumps([entry]) + "}"
        if right:
            assert len(Taste.from_json(text, DIM, CLASSES).rounds) == 1
        else:
            with pytest.raises(GessoError, match="damaged"):
                Taste.from_json(text, DIM, CLASSES)
