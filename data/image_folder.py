"""Any folder of pictures, or archives of some. Subfolders, if there are any, are the classes.

python train.py dataset=image_folder dataset.root=<folder>
"""

import logging
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from core.errors import GessoError
from core.files import in_utf8
from data import captions, shards
from data.checks import check_options
from data.clusters import clustered
from data.dataset import digest
from data.decode import RESIZER, most_bytes
from data.decode_folder import Job, decode_opened
from data.encoded import EncodedStore, encode_opened
from data.folder import several
from data.image_dataset import ImageDataset
from data.source import Source, find, spread
from data.store import Store

log = logging.getLogger(__name__)

VERSION = 4  # of what `decode` makes, and how it is kept; a new one makes all caches anew


def load(
    root: str | None,
    image_size: int,
    cache_dir: str,
    crop: str = "center",
    flip: bool = True,
    limit: int | None = None,
    balance: bool = False,
    text: bool = False,
    trust_cache: bool = False,
    store: str = "decoded",
    clusters: int | None = None,
    clusters_of: str = "all",
) -> ImageDataset:
    """All pictures under `root`, as squares of `image_size`; labels are the first-level subfolders.

    `root` may be an archive, or a folder of archives (`data.source`). No labels where pictures lie directly in it.
    `crop` is one of `CROPS` (see `data.decode`); `limit` takes that many pictures, evenly spread; `flip` and
    `balance` as in `ImageDataset`. With `text` the batches have the words beside them (`data.captions`), and those
    without words are left out. With `trust_cache` a folder is listed once, and not looked at again. `store`
    "encoded" keeps files as they are (`data.encoded`); so many `clusters` take the classes' place
    (`data.clusters`). Raises `GessoError` if there is nothing to read.
    """
    source = find(root, "dataset.root", cache_dir, trust_cache=trust_cache)
    if text:
        source = captions.with_words(source, captions.beside(source))
    return from_source(source, image_size, cache_dir, crop, flip, limit, balance, store, clusters, clusters_of)


def from_source(
    source: Source,
    image_size: int,
    cache_dir: str,
    crop: str,
    flip: bool,
    limit: int | None = None,
    balance: bool = False,
    store: str = "decoded",
    clusters: int | None = None,
    clusters_of: str = "all",
) -> ImageDataset:
    """The data set of these pictures, decoded once into the cache; with `store` "encoded", whenever it is streamed.

    Class numbers follow the alphabet and have no gaps: a class of which nothing could be read is left out.
    """
    check_options(image_size, limit, crop)
    source = source.only(spread(len(source.pictures), limit).tolist())

    encoded = store == "encoded"
    make, options = (encode_opened, (image_size, crop)) if encoded else (decode_opened, (image_size, 3, crop))

    def jobs(numbers: Sequence[int]) -> Iterator[Job]:
        return (partial(make, file, *options) for file in source.files(numbers))

    key = {"version": VERSION, "size": image_size, "crop": crop, "root": source.where, "limit": limit}
    key |= {"store": store} if encoded else {}
    names = [picture.path for picture in source.pictures]
    least, most = 0 if encoded else 3 * image_size**2, most_bytes(image_size, crop, 3) + source.held
    folders, begins = shards.decoded("pictures", key, names, source.pictures, jobs, least, most, cache_dir)
    images = EncodedStore(folders, image_size, crop, begins) if encoded else Store(folders, image_size, 3, begins)
    skipped = (*source.notes, *images.skipped)
    if skipped:
        report(skipped, len(names) + len(source.notes), images)
    if len(images) == 0:
        raise GessoError(
            f"None of the {len(names)} picture files in {source.where} can be read; the first: {skipped[0]}"
        )
    known = origin(source)
    if len(images) < len(names):  # where one could not be read, the order is another
        known = digest([known, np.setdiff1d(np.arange(len(names)), images.sources).tolist()])
    labels, class_names = None, ()
    if source.classes is not None:
        kept = [source.classes[i] for i in images.sources]
        classes = sorted(set(kept))
        class_names = tuple(map(in_utf8, classes))
        numbers = {name: number for number, name in enumerate(classes)}
        labels = np.array([numbers[class_name] for class_name in kept], np.int32)
    key |= {"files": known}
    labels, class_names = clustered(images, clusters, flip, key, cache_dir, clusters_of, labels, class_names)
    return ImageDataset(
        source.name, images, labels, class_names,
        captions=None if source.said is None else [source.said[i] for i in images.sources],
        flip=flip, balance=balance, skipped=skipped, origin=known,
        resizer=f"{RESIZER}, crop={crop}, to {image_size} px",
    )  # fmt: skip


def origin(source: Source) -> str:
    """Names these files, wherever they lie: by path, size and time, and a few by what is in them.

    Bitmaps out of an archive may be alike in path, size and time.
    """
    return digest([source.pictures, source.witnesses(range(len(source.pictures)))])


def report(skipped: Sequence[str], of: int, images: Store) -> None:
    """Warns of what could not be read of so many files; what the cache knows of that is tried again without it."""
    noted = f" (noted in {', '.join(map(str, images.noted))}: delete that to try again)" if images.noted else ""
    log.warning("Skipped %d of %d files that cannot be read%s:%s", len(skipped), of, noted, several(skipped))
