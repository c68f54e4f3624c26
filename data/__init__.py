"""Where the pictures come from: one file a source, one file (`pipeline`) that streams them."""

from data.pipeline import Dataset

__all__ = ["Dataset"]
