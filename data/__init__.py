"""Where the pictures come from: one file a source. What they all are stands in `data.dataset`."""

from data.dataset import Dataset, DatasetSpec
from data.image_dataset import ImageDataset

__all__ = ["Dataset", "DatasetSpec", "ImageDataset"]
