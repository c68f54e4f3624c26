"""Restarts: some seeds give a GAN a bad start, so a few are tried for a short while, and the best goes on."""

import logging
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.errors import DivergedError
from core.files import atomic, open_regular, read_json, write_json
from core.rows import is_number
from core.run import Run
from training import loop
from training.evaluator import Evaluator
from training.loop import Training
from training.start import place

log = logging.getLogger(__name__)

LARGEST = 2**18  # bytes of the scores: ours have some hundred


def with_best_seed(training: Training) -> Training:
    """Trains from `restarts` seeds for `restart_steps` each; the best one's state becomes the start of the run.

    The tries are runs of their own, `Run.restart(seed)`; their scores by the evaluator are kept, null where a
    seed's losses did not stay finite. What was done before an interruption is not done again. Raises
    `DivergedError` if no seed's losses stayed finite, and `Stopped` as `loop.fit`.
    """
    run, config, evaluator = training.run, training.config, training.evaluator
    noted = _read(run.restart_scores)
    if noted["chosen"] is not None and run.saved():  # by the metric of that time, whatever is measured now
        return replace(training, seed=noted["chosen"])
    alike = noted["settings"] == evaluator.settings  # else seeds would be compared by numbers that are not
    scores = noted["scores"] if alike and noted["objective"] == evaluator.objective else {}
    for seed in range(config.seed, config.seed + config.restarts):
        if seed not in scores:
            scores[seed] = _score(replace(training, run=run.restart(seed), seed=seed))
            _write(run.restart_scores, evaluator, scores)
    finite = {seed: evaluator.badness(score) for seed, score in scores.items() if score is not None}
    if not finite:
        raise DivergedError(
            f"None of {len(scores)} seeds went well: {run.restart_scores}. Lower learning rates, or "
            "precision=float32, may help."
        )
    best = min(finite, key=lambda seed: (finite[seed], seed))
    if not run.saved():
        log.info("The best of %d seeds is %d; going on from it.", len(scores), best)
        _write(run.restart_scores, evaluator, scores, best)
        _take_over(run.restart(best), run)
    return replace(training, seed=best)


def _read(path: Path) -> dict[str, Any]:
    """Returns what `_write` wrote; no scores where the file is damaged: tries are looked at again."""
    try:
        noted = read_json(path, LARGEST)
        chosen = None if noted["chosen"] is None else int(noted["chosen"])
        scores = {int(seed): score for seed, score in noted["scores"].items()}
        if not all(score is None or is_number(score) for score in (chosen, *scores, *scores.values())):
            raise ValueError
        settings = noted.get("settings")
        return {"objective": noted["objective"], "settings": settings, "chosen": chosen, "scores": scores}
    except (OSError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError, RecursionError):
        return {"objective": None, "settings": None, "chosen": None, "scores": {}}


def _write(path: Path, evaluator: Evaluator, scores: dict[int, float | None], chosen: int | None = None) -> None:
    """Writes the scores by seed that there are, by which number, and the seed that goes on, if that is known."""
    measured = {"objective": evaluator.objective, "settings": evaluator.settings}
    noted = {**measured, "chosen": chosen, "scores": scores}
    write_json(path, noted)


def _score(attempt: Training) -> float | None:
    """Returns how good a try is; None if its losses, or that, did not stay finite."""
    config, evaluator, seed = attempt.config, attempt.evaluator, attempt.seed
    log.info("Restart with seed %d:", seed)
    model = loop.make(config, attempt.dataset, seed, attempt.words)
    try:
        place(attempt.run, config, model, attempt.dataset.spec.class_names)
        loop.fit(replace(attempt, evaluator=None), model, config.restart_steps)
        score = evaluator(model)[evaluator.objective]
    except DivergedError as error:
        log.warning("Restart with seed %d: %s", seed, error)
        return None
    log.info("Restart with seed %d: %s %.4g", seed, evaluator.objective, score)
    return score if math.isfinite(score) else None


def _take_over(there: Run, here: Run) -> None:
    """Makes the end of one run the beginning of another: its rows, then its last checkpoint."""
    last = there.saved()[-1]
    for start, end in ((there.metrics, here.metrics), (last, here.checkpoints / last.name)):
        with atomic(end) as temporary, open_regular(start) as source, open(temporary, "wb") as copy:
            shutil.copyfileobj(source, copy)
