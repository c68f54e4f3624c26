"""Damage: what becomes of bytes, of zip archives and of JSON trees, as a function of a random generator."""

import copy
import io
import json
import random
import struct
import warnings
import zipfile
import zlib
from typing import Any

import yaml

NUMBERS = (0, 1, 2, 127, 128, 255, 256, 32767, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**64 - 1)
ODD = (
    None, True, False, 0, 1, -1, 2**31, 2**63, 10**30, 0.5, -0.0, 1e308, float("nan"), float("inf"), "", " ", "0",
    "1e3", "null", "x" * 3000, "../..", "a/b", "\x00", "\ud800", "${seed}", "${oc.env:HOME}", "${",
    "a\nb", "%s", "NaN", "[1,2]", "2024-01-01", [], [[]], [None], {}, {"a": {}}, {"_target_": "os.system"},
    ["x"] * 500, "日本 🎨", {"": 1}, {"step": -1}, [1, "a", None],
)  # fmt: skip


def of_bytes(data: bytes, rng: random.Random) -> bytes:
    """Returns data with one to three things wrong; of what stands at the beginning, more often."""
    damaged = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        at = rng.randrange(min(len(damaged), rng.choice((64, 512, 2**30))) or 1)
        length = rng.choice((1, 2, 4, 16, 200, 5000))
        match rng.randrange(9):
            case 0 | 1 if damaged:
                for _ in range(rng.choice((1, 3, 20))):
                    damaged[rng.randrange(at, len(damaged))] ^= 1 << rng.randrange(8)
            case 2 if damaged:
                order, size = rng.choice("<>"), rng.choice("BHIQ")
                number = struct.pack(order + size, rng.choice(NUMBERS) % 256 ** struct.calcsize(size))
                damaged[at : at + len(number)] = number
            case 3:
                damaged[at : at + length] = rng.randbytes(length)
            case 4:
                damaged[at : at + length] = bytes([rng.choice((0, 255, 32))]) * length
            case 5:
                del damaged[at:]
            case 6:
                del damaged[at : at + length]
            case 7:
                damaged[at:at] = damaged[at : at + length]
            case _:
                damaged += rng.randbytes(length)
    return bytes(damaged)


def of_picture(data: bytes, rng: random.Random) -> bytes:
    """Returns a picture with things wrong; of a PNG, mostly with checksums that say that all is well."""
    damaged = of_bytes(data, rng)
    return with_checksums(damaged) if rng.random() < 0.7 else damaged


def with_checksums(png: bytes) -> bytes:
    """Returns a PNG's chunks with the right checksums, as far as there are chunks; other files as they are."""
    if not png.startswith(b"\x89PNG\r\n\x1a\n"):
        return png
    made, at = bytearray(png[:8]), 8
    while at + 12 <= len(png):
        end = at + 8 + int.from_bytes(png[at : at + 4], "big")
        if end + 4 > len(png):
            break
        made += png[at:end] + zlib.crc32(png[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(made + png[at:])


def of_archive(data: bytes, rng: random.Random) -> bytes:
    """Returns a zip archive where a member is wrong, with the right checksum; or with its bytes wrong."""
    if rng.random() < 0.3:
        return of_bytes(data, rng)
    made = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(made, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as new,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # of names that come twice
        names = old.namelist()
        chosen, what = rng.choice(names), rng.random()
        for name in names:
            content = old.read(name)
            if name == chosen and what < 0.1:
                continue
            if name == chosen:
                content = of_json(content, rng) if name.endswith(".json") else of_bytes(content, rng)
            new.writestr(name, content)
            if name == chosen and what > 0.95:
                new.writestr(rng.choice((name, f"../{name}", "x" * 300, "meta.npy", "assets/a")), content)
    return made.getvalue()


def of_json(data: bytes, rng: random.Random) -> bytes:
    """Returns a JSON text with an odd value in it; or, now and then, with its bytes wrong."""
    if rng.random() < 0.2:
        return of_bytes(data, rng)
    return json.dumps(of_tree(json.loads(data), rng)).encode()


def of_rows(data: bytes, rng: random.Random) -> bytes:
    """Returns a text of a JSON object a line with things wrong in one of them, or with its bytes wrong."""
    lines = data.splitlines(keepends=True)
    i = rng.randrange(len(lines))
    lines[i] = of_json(lines[i], rng) + b"\n"
    return b"".join(lines) if rng.random() < 0.8 else of_bytes(data, rng)


def of_yaml(data: bytes, rng: random.Random) -> bytes:
    """Returns a YAML text with an odd value in it; or, now and then, with its bytes wrong."""
    if rng.random() < 0.25:
        return of_bytes(data, rng)
    tree = of_tree(yaml.safe_load(data), rng)
    return yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", errors="surrogatepass")


def of_tree(tree: Any, rng: random.Random) -> Any:
    """Returns a copy of what JSON can hold, where one to three of its parts are odd, missing or elsewhere."""
    top = [copy.deepcopy(tree)]
    for _ in range(rng.choice((1, 1, 2, 3))):
        holder, key = rng.choice(list(_places(top)))
        match rng.randrange(8):
            case 0 if holder is not top:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[rng.choice(("", "x", "a.b", "_target_", f"{key}s"))] = holder.pop(key)
            case 2:
                holder[key] = [holder[key]]
            case 3:
                holder[key] = copy.deepcopy(rng.choice(list(_places(top)))[0])
            case 4:
                for _ in range(rng.choice((3, 30, 60))):
                    holder[key] = {"a": holder[key]} if rng.random() < 0.5 else [holder[key]]
            case _:
                holder[key] = copy.deepcopy(rng.choice(ODD))
    return top[0]


def _places(node: Any):
    """Each (holder, key) in a tree."""
    for key in list(node) if isinstance(node, dict) else range(len(node)):
        yield node, key
        if isinstance(node[key], dict | list):
            yield from _places(node[key])
