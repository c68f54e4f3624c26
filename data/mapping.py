"""Files one after the other as one array, which takes no memory: the system reads what is looked at."""

import ctypes
import math
import mmap
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

ONE_FILE = os.name == "nt"  # there, only a single file can be mapped
_FIXED, _NO_RESERVE = 0x10, 0x4000 if sys.platform == "linux" else 0x40  # of mmap(2): Python does not name them


def starts(sizes: Sequence[int], unit: int) -> list[int]:
    """Where in the array each file begins: where pages do, and elements of `unit` bytes."""
    step, found = math.lcm(mmap.ALLOCATIONGRANULARITY, unit), [0]
    for size in sizes[:-1]:
        found.append(found[-1] + -(-size // step) * step)
    return found


def mapped(paths: Sequence[Path], sizes: Sequence[int], places: Sequence[int]) -> np.ndarray:
    """uint8 `[bytes]`, of files of these sizes at `places` (`starts`); writing to it changes no file.

    Raises `OSError` where the system refuses.
    """
    files = [(path, size, place) for path, size, place in zip(paths, sizes, places, strict=True) if size]
    if not files:
        return np.empty(0, np.uint8)
    if ONE_FILE:
        return np.memmap(files[0][0], np.uint8, mode="c")
    # Address space for all, that nothing stands behind; then each file is laid over its part of that. It is not to
    # be reserved: the system would refuse more than it has memory.
    total = files[-1][1] + files[-1][2]
    flags = mmap.MAP_PRIVATE | _NO_RESERVE
    space = np.frombuffer(mmap.mmap(-1, total, flags=flags | mmap.MAP_ANONYMOUS), np.uint8)
    call = ctypes.CDLL(None, use_errno=True).mmap
    call.restype = ctypes.c_void_p
    call.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_longlong]
    for path, size, place in files:
        address = space.ctypes.data + place
        with open(path, "rb") as file:
            found = call(address, size, mmap.PROT_READ | mmap.PROT_WRITE, flags | _FIXED, file.fileno(), 0)
        if found != address:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
    return space
