"""Two folders, of contents and of styles, for networks that paint any picture in the manner of any other.

python train.py model=adain dataset.root=<photos> dataset.style_root=<paintings>
"""

from core.errors import GessoError
from data.unpaired import Unpaired, load_folder


def load(
    root: str | None,
    style_root: str | None,
    image_size: int,
    cache_dir: str,
    crop: str = "random",
    flip: bool = True,
    limit: int | None = None,
) -> Unpaired:
    """`unpaired.load` of two folders, streamed as "content" and "style". Raises `GessoError` as it does.

    Subfolders of the styles are classes.
    """
    if root is None or style_root is None:
        raise GessoError(
            "This data set is two folders: dataset.root=<contents, such as photos> and "
            "dataset.style_root=<styles, such as paintings>."
        )
    options = (image_size, cache_dir, crop, flip, limit)
    contents = load_folder(root, "dataset.root", *options)
    styles = load_folder(style_root, "dataset.style_root", *options, classes=True)
    return Unpaired(contents, styles, ("content", "style"))
