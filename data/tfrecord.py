"""Pictures in TFRecord files, as TensorFlow's own tools and many data sets write them. Needs no TensorFlow.

A record is the length of its content, a checksum of that, the content and a checksum; the content is a protocol
buffer `tf.train.Example`: lists of bytes or numbers by name.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from core.errors import GessoError
from data.archives import MOST, open_part
from data.listing import Listing

IMAGES = ("image/encoded", "image", "image_raw", "jpeg", "png", "jpg")  # where the picture's file may be
LABELS = ("image/class/text", "image/class/label", "label", "class")
NAMES = ("image/filename", "filename", "file_name", "id")

Fields = dict[str, list[bytes | int]]


def list_records(path: Path) -> Listing:
    """The pictures in a TFRecord file, and their labels; numbers: size, the file's time of change, place.

    All of the file is read. Raises `GessoError` for what is none, is cut off, or holds no pictures.
    """
    names, numbers, labels, changed = [], [], [], path.stat().st_mtime_ns
    with open(path, "rb") as file:
        for number, (place, size) in enumerate(_records(path)):
            file.seek(place)
            try:
                fields = parse(file.read(size))
            except (ValueError, IndexError, UnicodeDecodeError) as error:
                raise GessoError(f"{path}: record {number} is no tf.train.Example ({error}).") from error
            if _first(fields, IMAGES) is None:
                raise GessoError(
                    f"{path}: record {number} has no picture ({', '.join(IMAGES)}), but "
                    f"{', '.join(sorted(fields)) or 'nothing'}."
                )
            name, label = _first(fields, NAMES), _first(fields, LABELS)
            names.append(f"{number}" if name is None else f"{number} {_text(name)}".replace("/", "_"))  # no folders
            numbers.append((size, changed, place))
            labels.append(None if label is None else _text(label))
    if None in labels:
        labels = None
    return Listing(names, np.array(numbers, np.int64).reshape(-1, 3), labels)


@contextmanager
def open_record(path: Path, size: int, changed: int, place: int) -> Iterator[bytes]:
    """The picture's file in a record. Raises `ValueError` for a damaged one."""
    with open_part(path, size, changed, place) as content:
        picture = _first(parse(content), IMAGES)
        if not isinstance(picture, bytes):
            raise ValueError("has no picture")
        yield picture


def _records(path: Path) -> Iterator[tuple[int, int]]:
    """Place and size of each record's content."""
    end = path.stat().st_size
    with open(path, "rb") as file:
        place = number = 0
        while place < end:
            file.seek(place)
            head = file.read(12)
            size = int.from_bytes(head[:8], "little")
            if len(head) == 12 and _checksum(head[:8]) != struct.unpack("<I", head[8:])[0]:
                what = f"is damaged at record {number}" if number else "is no TFRecord file (or a compressed one)"
                raise GessoError(f"{path} {what}: the checksum is wrong.")
            if len(head) < 12 or place + size + 16 > end:
                raise GessoError(f"{path} is cut off after {number} records. Get it again.")
            if size > MOST:
                raise GessoError(f"{path}: record {number} is {size / 1e9:.1f} GB large; no picture is.")
            yield place + 12, size
            place, number = place + size + 16, number + 1


def parse(content: bytes) -> Fields:
    """The lists in a `tf.train.Example`, but for floats. Raises `ValueError` or `IndexError` for anything else."""
    found: Fields = {}
    for _, features in _parts(memoryview(content)):
        for _, entry in _parts(features):
            pair = dict(_parts(entry))
            if 1 in pair and 2 in pair:
                key = _content(pair[1]).decode()
                for kind, values in _parts(pair[2]):
                    if kind == 1:
                        found[key] = [_content(value) for _, value in _parts(values)]
                    elif kind == 3:
                        found[key] = [value - (value >> 63 << 64) for value in _integers(values)]
    return found


def _parts(message: memoryview | int) -> Iterator[tuple[int, memoryview | int]]:
    """The fields of a protocol buffer, (number, content)."""
    if isinstance(message, int):
        raise ValueError("a number where a message belongs")
    place = 0
    while place < len(message):
        tag, place = _number(message, place)
        if tag & 7 == 0:
            value, place = _number(message, place)
            yield tag >> 3, value
            continue
        size, place = _number(message, place) if tag & 7 == 2 else ({1: 8, 5: 4}.get(tag & 7, -1), place)
        if size < 0 or place + size > len(message):
            raise ValueError("a field that ends nowhere")
        yield tag >> 3, message[place : place + size]
        place += size


def _content(value: memoryview | int) -> bytes:
    if isinstance(value, int):  # of which `bytes` would make as many zeros
        raise ValueError("a number where a text belongs")
    return bytes(value)


def _integers(values: memoryview) -> Iterator[int]:
    """Those of an `Int64List`, packed or one by one."""
    for _, value in _parts(values):
        place = 0
        while not isinstance(value, int) and place < len(value):
            number, place = _number(value, place)
            yield number
        if isinstance(value, int):
            yield value


def _number(message: memoryview, place: int) -> tuple[int, int]:
    """A varint, 7 bits a byte, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise ValueError("a number that does not end")


def _first(fields: Fields, keys: tuple[str, ...]) -> bytes | int | None:
    return next((fields[key][0] for key in keys if fields.get(key)), None)


def _text(value: bytes | int) -> str:
    return str(value) if isinstance(value, int) else value.decode("utf-8", "replace").replace("\0", "")


def _checksum(content: bytes) -> int:
    """The masked CRC-32C."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _table(polynomial: int = 0x82F63B78) -> list[int]:
    table = list(range(256))
    for _ in range(8):
        table = [value >> 1 ^ polynomial * (value & 1) for value in table]
    return table


TABLE = _table()
