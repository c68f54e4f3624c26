import numpy as np
import pytest
from PIL import Image

from core.errors import GessoError
from data import content_style


@pytest.fixture(scope="module")
def pairs(tmp_path_factory, private_cache):
    root = tmp_path_factory.mktemp("pairs")
    for name, count, base in (("contents", 3, 0), ("styles", 2, 128)):
        (root / name).mkdir()
        for i in range(count):
            Image.new("RGB", (40, 40), (base + 8 * i, 0, 0)).save(root / name / f"{i}.png")
    return content_style.load(str(root / "contents"), str(root / "styles"), 32, str(private_cache))


def test_contents_and_styles_by_their_names(pairs):
    """The rest is `data.unpaired`, and tested there."""
    batch = next(iter(pairs.stream(2, seed=1)))
    assert sorted(batch) == ["content", "style"]
    assert (batch["content"][..., 0] < 0).numpy().all() and (batch["style"][..., 0] > 0).numpy().all()
    examples = pairs.examples(64)
    assert {name: x.shape for name, x in examples.items()} == dict.fromkeys(("content", "style"), (2, 32, 32, 3))
    assert np.all(examples["style"][..., 0] > 0)


def test_both_folders_are_needed(tmp_path):
    with pytest.raises(GessoError, match=r"dataset\.style_root="):
        content_style.load(str(tmp_path), None, 32, str(tmp_path))


def test_subfolders_of_styles_are_classes(tmp_path, private_cache):
    for name in ("contents", "styles/cubism", "styles/fauvism"):
        (tmp_path / name).mkdir(parents=True)
        Image.new("RGB", (40, 40), (200 if "fauvism" in name else 100, 0, 0)).save(tmp_path / name / "0.png")
    pairs = content_style.load(str(tmp_path / "contents"), str(tmp_path / "styles"), 32, str(private_cache))
    assert pairs.spec.class_names == ("cubism", "fauvism")
    batch = next(iter(pairs.stream(1, seed=1)))
    assert int(batch["label"][0]) == (float(batch["style"][0, 0, 0, 0]) > 0.3)
