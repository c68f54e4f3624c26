"""What is said of the built-in paintings, by the code that paints them: functions of seed and index."""

import difflib
import json
import logging
from collections.abc import Collection, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from core.errors import GessoError
from data.cache import cached, reading
from data.styles import PAINTERS
from data.styles.captions import Description, combinations, describe, sentences
from data.styles.facts import Facts

log = logging.getLogger(__name__)

STYLES: tuple[str, ...] = tuple(PAINTERS)
VERSION = 3  # of what is told and how it is worded
WORDINGS = 4  # of each picture
TOLD = 48  # px, side of the canvas on which is painted what is only to be told
FAR = 50  # times as many pictures are looked at, at most, to find those without a combination

_FILE = "captions.json"


def index_of(number: int, names: Sequence[str]) -> int:
    """Which picture of the exhibition is picture `number` of a data set of these styles."""
    turn, style = divmod(number, len(names))
    return turn * len(STYLES) + STYLES.index(names[style])


def tell(seed: int, index: int) -> Description:
    """What is to be seen on picture `index` of the exhibition `seed`."""
    style, facts = STYLES[index % len(STYLES)], Facts()
    canvas = PAINTERS[style](np.random.default_rng([seed, index]), TOLD, facts)
    return describe(style, facts, canvas)


def hint(name: str, met: Collection[str]) -> str:
    """Says what a combination that is on no picture may have been meant to be."""
    near = difflib.get_close_matches(name, met, 1, 0.6)
    return f"Did you mean '{near[0]}'?" if near else f"Such as '{min(met)}'." if met else ""


def said(
    cache_dir: str | Path, num: int, seed: int, names: Sequence[str], without: Sequence[str]
) -> dict[str, Any]:
    """Finds the first `num` pictures of these styles on which is no combination of `without`, and what they show.

    Their "numbers" and their "captions", `WORDINGS` sentences each. Made once, in a minute for 8,000, and then read
    from the cache: whoever wants no words need not wait for them. Raises `GessoError` where there are too few.
    """

    def build(folder: Path) -> None:
        log.info("Wording %d paintings, once; then the words are cached", num)
        numbers, captions, met = [], [], set()
        with tqdm(total=num, desc="Wording", unit="picture", disable=None) as bar:
            for number in count():
                if len(numbers) == num:
                    break
                if number > FAR * num:
                    raise GessoError(
                        f"dataset.without={','.join(without)} leaves too few pictures of these styles."
                    )
                index = index_of(number, names)
                described = tell(seed, index)
                there = combinations(described)
                met |= there
                if there.isdisjoint(without):
                    numbers.append(number)
                    captions.append(sentences(described, np.random.default_rng([seed, index, 1]), WORDINGS))
                    bar.update()
        for name in without:
            if name not in met:
                log.warning("dataset.without: '%s' is on no picture, with or without it. %s", name, hint(name, met))
        found = {"numbers": numbers, "captions": captions}
        (folder / _FILE).write_text(json.dumps(found, indent=0), encoding="utf-8")

    key = {"version": VERSION, "num": num, "seed": seed, "styles": list(names), "without": sorted(without)}
    folder = cached("captions", key, build, cache_dir)
    with reading(folder):
        return json.loads((folder / _FILE).read_text(encoding="utf-8"))
