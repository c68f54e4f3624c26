"""Sizes of the pictures that an architecture makes."""

from collections.abc import Collection


def square(name: str, image_shape: tuple[int, int, int], sizes: Collection[int]) -> tuple[int, int]:
    """Returns side and channels of square pictures. Raises `ValueError` unless the side is one of `sizes`."""
    height, width, channels = image_shape
    if height != width or height not in sizes:
        *others, last = map(str, sizes)
        raise ValueError(f"{name} makes square pictures of {', '.join(others)} or {last} px, not {height}x{width}.")
    return height, channels
