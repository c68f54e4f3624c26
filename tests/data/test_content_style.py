import numpy as np
import pytest
from PIL import Image

from data import content_style
from training.errors import GessoError


@pytest.fixture(scope="module")
def pairs(tmp_path_factory, private_cache):
    root = tmp_path_factory.mktemp("pairs")
    for name, count, base in (("contents", 9, 0), ("styles", 7, 128)):
        (root / name).mkdir()
        for i in range(count):
            Image.new("RGB", (40, 40), (base + 8 * i, 0, 0)).save(root / name / f"{i}.png")
    return content_style.load(str(root / "contents"), str(root / "styles"), 32, str(private_cache))


def reds(batch) -> dict[str, list[int]]:
    return {name: np.rint((x[:, 0, 0, 0].numpy() + 1) * 127.5).astype(int).tolist() for name, x in batch.items()}


def test_contents_and_styles_each_by_themselves(pairs):
    batches = [reds(batch) for batch in pairs.stream(3, seed=1).take(21)]
    contents, styles = ([x for batch in batches for x in batch[name]] for name in ("content", "style"))
    assert sorted(contents[:9]) == [8 * i for i in range(9)]
    assert sorted(styles[:7]) == [128 + 8 * i for i in range(7)]
    assert len(set(zip(contents, styles, strict=True))) > 30  # of 63: all with all, not always the same two


def test_goes_on_where_it_was(pairs):
    straight = [reds(batch) for batch in pairs.stream(3, seed=1).take(6)]
    resumed = [reds(batch) for batch in pairs.stream(3, seed=1, start_step=4).take(2)]
    assert resumed == straight[4:]


def test_examples(pairs):
    examples = pairs.examples(64)
    assert {name: x.shape for name, x in examples.items()} == dict.fromkeys(("content", "style"), (7, 32, 32, 3))


def test_both_folders_are_needed(tmp_path):
    with pytest.raises(GessoError, match=r"dataset\.style_root="):
        content_style.load(str(tmp_path), None, 32, str(tmp_path))
