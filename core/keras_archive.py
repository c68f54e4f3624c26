"""Looks at a `.keras` file before Keras does: it may come from a stranger, and Keras builds what it names.

Keras's own safe mode refuses lambdas, unless something in the process has switched it off; it does not refuse
layers that read other files. Here nothing depends on that switch, and nothing needs TensorFlow.
"""

import json
import re
import zipfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from core.errors import GessoError

try:
    from lzma import LZMAError
except ImportError:  # some Pythons are built without: reading such members raises RuntimeError there
    LZMAError = RuntimeError

# All that Keras writes for networks without files of their own, and what Gesso adds; bytes at most.
WEIGHTS = "model.weights.h5"
MEMBERS = {"metadata.json": 2**20, "gesso.json": 2**20, "config.json": 2**24, WEIGHTS: 2**32}
# What a damaged archive raises, or the JSON or the arrays in it: NotImplementedError and RecursionError among them.
DAMAGE = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    RuntimeError,
    ArithmeticError,
    zipfile.BadZipFile,
    zlib.error,
    LZMAError,
)
RATIO = 100  # of unpacked to packed bytes; Keras does not pack at all
LARGEST = 2**16  # number in config.json that a network without weights may have: sides of pictures, strides
MOST = 20_000  # layers and what they are made of: ours have up to some thousand
DEEPEST = 60  # levels of config.json; a dozen are usual

PLAIN = {"__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__"}
MODULES = re.compile(
    r"keras|keras(\.src)?\.(layers|models|ops|activations|initializers|regularizers|constraints|dtype_policies|random"
    r"|optimizers|losses|metrics)(\.\w+)*"
)
OF_KERAS = {"DTypePolicy", "FloatDTypePolicy", "Functional", "Sequential", "Model", "Variable"}  # in `keras` itself
FUNCTIONS = {"builtins", "keras.activations", "keras.ops"}  # whose functions are plain mathematics
RUN_OR_READ = {  # code in the file, or other files than this one
    "Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "StringLookup", "IntegerLookup",
    "IndexLookup", "TextVectorization", "__lambda__",
}  # fmt: skip


def check(path: str | Path, known: Collection[str]) -> None:
    """Raises `GessoError` for a file that is no network of Keras's own layers and of those of Gesso in `known`.

    `known`: their registered names, `gesso>Conv2D`. Also for archives with more or larger members than a network
    has, and for those whose names would be written elsewhere.
    """
    path = Path(path)
    if not path.is_file():
        raise GessoError(f"There is no {path}.")
    if path.suffix != ".keras":  # by which Keras chooses how to read it
        raise GessoError(f"{path} is no network: its name must end in .keras.")
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive.infolist())
            config = json.loads(archive.read("config.json"))
            most = max(LARGEST, archive.getinfo(WEIGHTS).file_size)
        parts = list(_parts(config))
        if len(parts) > MOST:
            raise GessoError(f"{path} is refused: {len(parts)} layers and parts of them, more than any has.")
        for part in parts:
            _check_part(path, part, known)
        _check_numbers(path, config, most)
    except DAMAGE as error:
        reason = "config.json in it is nested too deeply" if isinstance(error, RecursionError) else error
        raise GessoError(f"{path} is not a network that Keras can read: {reason}.") from error


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    names = [member.filename for member in members]
    for member in members:
        name = member.filename
        if name not in MEMBERS or names.count(name) > 1:
            raise GessoError(f"{path} is refused: it has {name!r} in it, which no network has, or has twice.")
        if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise GessoError(f"{path} is refused: {name} in it is encrypted, or packed in an unusual way.")
        if member.file_size > max(2**20, RATIO * member.compress_size) or member.file_size > MEMBERS[name]:
            raise GessoError(
                f"{path} is refused: {name} in it would be {member.file_size / 1e9:.1f} GB, unpacked from "
                f"{member.compress_size / 1e9:.3f} GB."
            )


def _check_numbers(path: Path, node: Any, most: int) -> None:
    """Refuses numbers that no size in a network can be, whose weights take `most` bytes: it would be made first."""
    if isinstance(node, int) and abs(node) > most and not isinstance(node, bool):
        raise GessoError(f"{path} is refused: {node} in it is larger than all of its weights.")
    for key, child in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if key not in ("seed", "shared_object_id"):
            _check_numbers(path, child, most)


def _parts(node: Any, depth: int = 0) -> Iterator[dict]:
    """Yields all that Keras would build, however deep. Raises `RecursionError` where that is too deep."""
    if depth > DEEPEST:
        raise RecursionError
    if isinstance(node, dict) and ("class_name" in node or "registered_name" in node):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _parts(child, depth + 1)


def _check_part(path: Path, part: dict, known: Collection[str]) -> None:
    module, name, registered = (part.get(key) for key in ("module", "class_name", "registered_name"))
    if any(value is not None and not isinstance(value, str) for value in (module, name, registered)):
        raise GessoError(f"{path} is refused: a module or a name of a layer in it is none.")
    if name in PLAIN:
        dtype = part["config"].get("dtype") if isinstance(part.get("config"), dict) else None
        if dtype is not None and not re.fullmatch(r"(bfloat|float|u?int)\d{1,2}|bool|string", str(dtype)):
            raise GessoError(f"{path} is refused: {str(dtype)[:40]!r} in it is no kind of number.")
        return
    if name in RUN_OR_READ:
        raise GessoError(f"{path} is refused: a {name} in it may run code or read other files, of whoever made it.")
    function = part.get("config") if name == "function" else None
    if function is not None:
        fine = module in FUNCTIONS and isinstance(function, str) and registered in (None, "function", function)
    elif registered is not None and registered.startswith("gesso>"):
        if registered not in known:
            raise GessoError(f"{path} has a layer {registered!r}, which this version of Gesso does not know.")
        fine = re.fullmatch(r"[A-Z]\w*", name or "")
    else:
        fine = (
            re.fullmatch(r"[A-Z]\w*", name or "")
            and MODULES.fullmatch(module or "")
            and (module != "keras" or name in OF_KERAS)
            and registered in (None, name)
        )
    if not fine:
        what = ".".join(str(value) for value in (module, function or name) if value)
        raise GessoError(
            f"{path} is refused: it needs {what}, which is neither Keras's nor registered as one of Gesso's."
        )
