"""What is slow to make and kept in memory for the next time."""

from collections.abc import Callable, Hashable
from typing import TypeVar

Made = TypeVar("Made")


def kept(cache: dict[Hashable, Made], key: Hashable, make: Callable[[], Made], most: int) -> Made:
    """Returns what `cache` has of `key`, or makes it; of more than `most`, those used longest ago are dropped."""
    made = cache.pop(key) if key in cache else make()
    cache[key] = made
    while len(cache) > most:
        del cache[next(iter(cache))]
    return made
