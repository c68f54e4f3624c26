"""Tensors of a PyTorch file (`torch.save` before version 1.6), read without running it.

Such a file is a program for a stack machine, pickle, which may call anything. Here those few instructions that
tensors need are followed, nothing is called, and whatever else it wants is refused.
"""

import os
import pickletools
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from core.errors import GessoError

ITEMS = {"torch FloatStorage": "<f4", "torch LongStorage": "<i8"}
MARK = object()


def tensors(path: str | Path) -> dict[str, np.ndarray]:
    """Reads a dictionary of tensors: arrays by their names. Raises `GessoError` for any other file."""
    try:
        with open(path, "rb") as file:
            for _ in range(3):  # a number that says what it is, a version, and facts of the machine
                _value(file)
            found, keys = _value(file), _value(file)
            return _filled(found, keys, file)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError, MemoryError) as error:
        reason = str(error).split("\n")[0][:200]
        raise GessoError(f"{path} is not a file of tensors that torch.save wrote before 1.6: {reason}") from error


def _filled(found: dict[str, Any], keys: list[str], file: BinaryIO) -> dict[str, np.ndarray]:
    """Reads the numbers, which stand at the end, storage by storage, each after its length."""
    kinds = {_name(storage[2]): ITEMS[_name(storage[1])] for storage, *_ in found.values()}
    storages = {}
    for key in keys:
        length, item = int.from_bytes(file.read(8), "little"), np.dtype(kinds[_name(key)])
        if length * item.itemsize > os.fstat(file.fileno()).st_size - file.tell():
            raise ValueError(f"it ends before the {length} numbers of a storage")
        storages[key] = np.frombuffer(file.read(length * item.itemsize), item, length)
    arrays = {}
    for name, (storage, offset, shape, strides) in found.items():
        numbers = storages[storage[2]][offset:]
        if min((0, *shape, *strides)) < 0 or sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) >= len(
            numbers
        ):
            raise ValueError(f"{name} reaches beyond what is stored")
        steps = [stride * numbers.itemsize for stride in strides]
        arrays[name] = np.lib.stride_tricks.as_strided(numbers, shape, steps, writeable=False)
    return arrays


def _value(file: BinaryIO) -> Any:
    """Follows one program to its end: the value that it leaves. Raises `ValueError` for instructions of others."""
    stack: list[Any] = []
    memory: dict[int, Any] = {}

    def since_mark() -> list[Any]:
        at = max(i for i, value in enumerate(stack) if value is MARK)
        values = stack[at + 1 :]
        del stack[at:]
        return values

    for operation, argument, _ in pickletools.genops(file):
        match operation.name:
            case "PROTO" | "STOP":
                pass
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINUNICODE" | "GLOBAL":
                stack.append(argument)  # of what it would import, the name
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[operation.name])
            case "EMPTY_TUPLE" | "EMPTY_LIST" | "EMPTY_DICT":
                stack.append({"EMPTY_TUPLE": (), "EMPTY_LIST": [], "EMPTY_DICT": {}}[operation.name])
            case "MARK":
                stack.append(MARK)
            case "BINPUT" | "LONG_BINPUT":
                memory[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memory[argument])
            case "TUPLE":
                stack.append(tuple(since_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(operation.name[-1])
                stack[-count:] = [tuple(stack[-count:])]
            case "APPENDS":
                values = since_mark()
                stack[-1].extend(values)
            case "SETITEM":
                key, value = stack[-2:]
                del stack[-2:]
                stack[-1].update({_name(key): value})
            case "SETITEMS":
                values = since_mark()
                stack[-1].update(zip(map(_name, values[::2]), values[1::2], strict=True))
            case "BINPERSID":
                pass  # a storage stays what names it: kind, type of its numbers, key, device, length
            case "BUILD":
                stack.pop()  # what else the dictionary knows of itself
            case "REDUCE":
                function, arguments = stack[-2:]
                stack[-2:] = [_made(_name(function), arguments)]
            case name:
                raise ValueError(f"it has an instruction {name}")
    return stack.pop()


def _name(value: Any) -> str:
    """Returns what should be a name. To hash tuples in tuples, a hundred thousand deep, would end the process."""
    if not isinstance(value, str):
        raise ValueError(f"it has a {type(value).__name__} where a name should be")
    return value


def _made(function: str, arguments: tuple) -> Any:
    if function == "collections OrderedDict" and not arguments:
        return {}
    if function == "torch._utils _rebuild_tensor_v2":
        return arguments[:4]  # storage, offset, shape, strides
    raise ValueError(f"it would call {function}")
