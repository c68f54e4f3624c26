"""Ranks finished runs, and says why others are not: `python compare.py runs=outputs/sweeps/<sweep>`."""

import logging

from omegaconf import DictConfig

from core.cli import main
from core.errors import GessoError, did_you_mean
from core.files import printable
from evaluation.ranking import Finished, alike, by_number, different, find, named_apart, ranked, ways

log = logging.getLogger(__name__)


@main("compare", files=("runs",))
def compare(config: DictConfig) -> None:
    runs, unfinished = find(config.runs)
    if runs:
        tell(runs, config.by, config.over)
    if unfinished:
        log.info("Not finished:")
    for name, run in named_apart(unfinished).items():
        log.info("  %s: %s", printable(name), printable(run.why))
    if not runs:
        raise GessoError(f"runs={config.runs}: no run in it is finished ({len(unfinished)} have begun).")


def tell(runs: list[Finished], by: str | None, over: str | None) -> None:
    """Prints a table of the runs whose number `by` was measured alike, and one for each other way.

    Without `by`, of the runs that name the same number; and so for each other that some name. Raises `GessoError`.
    """
    if over is not None and over not in different(runs):
        keys = map(printable, different(runs))
        raise GessoError(f"over={over}: the runs do not differ in it. {did_you_mean(over, keys)}")
    for i, (number, those) in enumerate(by_number(runs, by).items()):
        first, *others = alike(those, number)
        print("\n" * (i > 0) + ranked(first, number, over))
        for apart in others:
            how = ways(first, apart, number)
            print(f"\nNot to be compared with these, as {printable(number)} was measured otherwise ({how}):")
            print(ranked(apart, number, over))


if __name__ == "__main__":
    compare()
