"""Restarts: some seeds give a GAN a bad start, so try a few for a short while and go on with the best."""

import json
import logging
import math
import shutil
from pathlib import Path

from omegaconf import DictConfig

from core.errors import DivergedError
from core.files import atomic
from data import Dataset
from training import checkpoint, loop
from training.evaluator import Evaluator

log = logging.getLogger(__name__)


def best_seed(
    config: DictConfig, dataset: Dataset, folder: Path, name: str, evaluator: Evaluator
) -> tuple[int, int | None]:
    """Trains from `restarts` seeds for `restart_steps` each; the best one's state becomes the start of the run.

    Candidates are runs of their own in `<folder>/restarts/seed_<seed>/`; their scores by `evaluator` stand in
    `<folder>/restarts/scores.json`, null where a seed's losses did not stay finite. What was done before an
    interruption is not done again. Returns the best seed, and the signal that interrupted, if any. Raises
    `DivergedError` if no seed's losses stayed finite.
    """
    path = folder / "restarts" / "scores.json"
    scores = {int(seed): score for seed, score in json.loads(path.read_text()).items()} if path.exists() else {}
    for seed in range(config.seed, config.seed + config.restarts):
        if seed in scores:
            continue
        candidate = _folder(folder, seed)
        log.info("Restart with seed %d, %d steps: %s", seed, config.restart_steps, candidate)
        model = loop.make(config, dataset, seed)
        try:
            if checkpoint.restore(candidate / "checkpoints", model) < config.restart_steps:
                signal = loop.fit(config, model, dataset, candidate, name, seed, config.restart_steps)
                if signal is not None:
                    return seed, signal
            score = evaluator(model)[evaluator.objective]
            scores[seed] = score if math.isfinite(score) else None
            log.info("Restart with seed %d: %s %.4g", seed, evaluator.objective, score)
        except DivergedError as error:
            log.warning("Restart with seed %d: %s", seed, error)
            scores[seed] = None
        with atomic(path) as temporary:
            temporary.write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")
    finite = {seed: evaluator.sign * score for seed, score in scores.items() if score is not None}
    if not finite:
        raise DivergedError(
            f"None of {len(scores)} seeds went well: {path}. Lower learning rates, or precision=float32, may help."
        )
    best = min(finite, key=lambda seed: (finite[seed], seed))
    if not checkpoint.checkpoints(folder / "checkpoints"):
        log.info("The best of %d seeds is %d; going on from it.", len(scores), best)
        (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        source = checkpoint.checkpoints(_folder(folder, best) / "checkpoints")[-1]
        for start, end in (
            (_folder(folder, best) / "metrics.jsonl", folder / "metrics.jsonl"),
            (source, folder / "checkpoints" / source.name),
        ):
            with atomic(end) as temporary:
                shutil.copyfile(start, temporary)
    return best, None


def _folder(folder: Path, seed: int) -> Path:
    return folder / "restarts" / f"seed_{seed}"
