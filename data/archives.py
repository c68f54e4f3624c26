"""Pictures in .zip and .tar archives, which are never unpacked: each is read where it lies.

Archives may be hostile. What they say of sizes is not believed, nothing is followed out of them (no links), what is
in them is no archive, and no file is ever written; so names may be any.
"""

import os
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from core.errors import GessoError
from data.budget import Budget
from data.folder import BESIDE, is_picture
from data.listing import Listing

MOST = 2**29  # bytes of one picture's file
READING = Budget(MOST)  # bytes of files that are in memory while they are decoded
STORED, DEFLATED = 0, 8  # how a file may lie in a .zip
ENCRYPTED = 0x1
HEADER = 2**16  # bytes of what stands before a file in a .tar: long names, attributes
GLOBAL = 1000  # attributes that are for all files: they are copied for each
LONG = (*tarfile.GNU_TYPES[:2], tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
DIGITS = re.compile(rb"\d{256}")  # no name on any disk has as many, nor has a number
COMPRESSED = {b"\x1f\x8b": "gunzip", b"BZ": "bunzip2", b"\xfd7zXZ": "unxz", b"\x28\xb5\x2f\xfd": "unzstd"}


def list_zip(path: Path) -> Listing:
    """The pictures in a .zip, by its directory at the end; numbers: size, checksum, place, packed size, method.

    Raises `GessoError` for one that is cut off, damaged or encrypted.
    """
    names, numbers, notes = [], [], []
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
        raise GessoError(f"{path} is no .zip archive, or it is damaged or cut off ({error}).") from error
    for member in members:
        if not _is_picture(member.filename):
            continue
        reason = _unreadable(member.file_size)
        if member.flag_bits & ENCRYPTED:
            raise GessoError(
                f"{path} is encrypted ({member.filename}). Unpack it with its password, and give the folder."
            )
        if stat.S_ISLNK(member.external_attr >> 16):
            reason = "is a link, and no link is followed out of an archive"
        elif member.compress_type not in (STORED, DEFLATED):
            reason = f"is packed by a method that Gesso does not read ({member.compress_type})"
        elif max(member.header_offset, member.compress_size) >= 2**63:
            reason = "is damaged in the archive"
        if reason:
            notes.append(f"{member.filename}: {reason}")
            continue
        names.append(member.filename)
        numbers.append(
            (member.file_size, member.CRC, member.header_offset, member.compress_size, member.compress_type)
        )
    return Listing(names, np.array(numbers, np.int64).reshape(-1, 5), notes=notes)


class Member(tarfile.TarInfo):
    """A member whose headers are short enough to be parsed: `tarfile` takes hours for a megabyte of digits."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> "Member":
        """Reads a header. Raises `tarfile.ReadError` where it says that more of it follows than `HEADER`."""
        found = super().frombuf(buf, encoding, errors)
        if found.type in LONG and not 0 <= found.size <= HEADER:
            raise tarfile.ReadError(f"a header claims to be {found.size} bytes large")
        return found

    def _proc_pax(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        start = archive.fileobj.tell()
        if DIGITS.search(archive.fileobj.read(self.size)):
            raise tarfile.ReadError("a header has numbers without end")
        archive.fileobj.seek(start)
        found = super()._proc_pax(archive)
        if len(archive.pax_headers) > GLOBAL:
            raise tarfile.ReadError(f"more than {GLOBAL} attributes are for all files")
        return found


def list_tar(path: Path) -> Listing:
    """The pictures in a .tar; numbers: size, the archive's time of change, place.

    Raises `GessoError` for one that is cut off, damaged or compressed.
    """
    with open(path, "rb") as file:
        start = file.read(6)
    for magic, command in COMPRESSED.items():
        if start.startswith(magic):
            raise GessoError(
                f"{path} is compressed, so that no picture in it can be found without unpacking all before it. "
                f"Pictures are compressed already: {command} {path.name}, and give what that makes."
            )
    names, numbers, notes, changed = [], [], [], path.stat().st_mtime_ns
    try:
        with tarfile.open(path, "r:", tarinfo=Member) as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # it would keep all of them
                if archive.offset <= member.offset:  # of a negative size: the same would come for ever
                    raise tarfile.ReadError(f"what follows {member.name} is to lie before it")
                if member.isdir() or not _is_picture(member.name):
                    continue
                reason = _unreadable(member.size)
                if member.issym() or member.islnk():
                    reason = "is a link, and no link is followed in an archive"
                elif not member.isreg() or member.issparse():
                    reason = "is no ordinary file"
                if reason:
                    notes.append(f"{member.name}: {reason}")
                    continue
                names.append(member.name)
                numbers.append((member.size, changed, member.offset_data))
            _check_end(path, archive.offset)
    except (tarfile.TarError, OSError, ValueError, EOFError, OverflowError, RecursionError) as error:
        raise GessoError(f"{path} is no .tar archive, or it is damaged or cut off ({error}).") from error
    return Listing(names, np.array(numbers, np.int64).reshape(-1, 3), notes=notes)


def _check_end(path: Path, place: int) -> None:
    """Raises `ValueError` where a .tar does not end with zeros: `tarfile` takes a damaged header for its end."""
    with open(path, "rb") as file:
        file.seek(place)
        while block := file.read(2**20):
            if any(block):
                raise ValueError(f"what follows byte {place} is no part of it; joined ones are to be given apart")


@contextmanager
def open_zipped(path: Path, size: int, checksum: int, place: int, packed: int, method: int) -> Iterator[bytes]:
    """The bytes of a file in a .zip. Raises `ValueError` if they are not what the directory says."""
    with READING.reserve(size), open(path, "rb") as file:
        file.seek(place)
        header = file.read(30)
        if len(header) < 30 or header[:4] != b"PK\3\4":
            raise ValueError("is not where the archive says")
        file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), os.SEEK_CUR)
        if packed > size + size // 100 + 1024:  # to pack makes nothing larger
            raise ValueError("is damaged in the archive")
        content = file.read(packed)
        if method == DEFLATED:
            try:
                content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, size + 1)
            except zlib.error as error:
                raise ValueError(f"is damaged in the archive ({error})") from None
        if len(content) != size or zlib.crc32(content) != checksum:
            raise ValueError("is damaged in the archive")
        yield content


@contextmanager
def open_part(path: Path, size: int, changed: int, place: int) -> Iterator[bytes]:
    """`size` bytes of a file, from `place`. Raises `ValueError` if there are fewer."""
    with READING.reserve(size), open(path, "rb") as file:
        file.seek(place)
        content = file.read(size)
        if len(content) != size:
            raise ValueError("is cut off: the archive ends before it does")
        yield content


def _unreadable(size: int) -> str | None:
    return f"claims to be {size / 1e9:.1f} GB large" if size > MOST else None


def _is_picture(name: str) -> bool:
    parts = name.split("/")
    hidden = any((part.startswith(".") and part.strip(".")) or part.lower() in BESIDE for part in parts)
    return not hidden and is_picture(parts[-1])
