"""Whether a GIF can be opened at all: Pillow takes the square of its comments' length."""

from typing import BinaryIO

MOST = 2**20  # bytes of comments


def check_comments(file: BinaryIO) -> None:
    """Raises `ValueError` for a GIF with more comments than anybody writes; leaves any file at its start."""
    head, said = file.read(13), 0
    if head.startswith(b"GIF8") and len(head) == 13:
        _skip_colors(file, head[10])
        while (kind := file.read(1)) in (b"!", b","):
            if kind == b"!":
                said += (file.read(1) == b"\xfe") * _skip_blocks(file, MOST - said)
            else:
                _skip_colors(file, (file.read(9) or b"\0")[-1])
                file.read(1)  # the least size of a code
                _skip_blocks(file)
            if said > MOST:
                raise ValueError(f"it has more than {MOST // 10**6} MB of comments")
    file.seek(0)


def _skip_colors(file: BinaryIO, flags: int) -> None:
    if flags & 0x80:
        file.seek(3 << (flags & 7) + 1, 1)


def _skip_blocks(file: BinaryIO, most: float = float("inf")) -> int:
    """Goes behind blocks that each tell their size, or just beyond `most` bytes; returns how many these have."""
    passed = 0
    while passed <= most and (size := (file.read(1) or b"\0")[0]):
        file.seek(size, 1)
        passed += size
    return passed
