"""What every data set has to be, asked of each of them, and of one that is added here as a stranger would."""

import ast
import inspect
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hydra import initialize_config_dir

import data
from core.cli import ROOT
from core.config import compose
from core.errors import GessoError
from core.instantiate import build
from data import Dataset, DatasetSpec, tasks, unpaired

WITH_TENSORFLOW = {"stream", "decode_stream", "transforms"}
KINDS = {
    "paintings": (("image",), None, 10),
    "pictures": (("image",), None, 2),
    "balanced": (("image",), None, 2),
    "paired": (("source", "target"), (16, 16, 3), 0),
    "unpaired": (("a", "b"), None, 0),
    "content_style": (("content", "style"), None, 2),
    "colorize": (("source", "target"), (16, 16, 1), 0),
    "inpaint": (("source", "target"), (16, 16, 4), 0),
    "edges": (("source", "target"), (16, 16, 1), 0),
    "super_resolution": (("source", "target"), (4, 4, 3), 0),
}


@pytest.fixture(scope="module", params=KINDS)
def dataset(request, two_classes, load_kind, private_cache) -> Dataset:
    return load_kind(request.param, two_classes, private_cache)


@pytest.fixture
def kind(request) -> str:
    return request.node.callspec.params["dataset"]


def test_all_give_what_the_protocol_promises(dataset, kind):
    keys, source_shape, classes = KINDS[kind]
    spec = dataset.spec
    assert isinstance(spec, DatasetSpec) and isinstance(spec.name, str) and isinstance(spec.batch_keys, tuple)
    assert (spec.batch_keys, spec.image_shape, spec.source_shape) == (keys, (16, 16, 3), source_shape)
    assert (spec.num_classes, len(spec.class_names)) == (classes, classes)
    assert spec.task == (kind if hasattr(tasks, f"load_{kind}") else None)
    assert dataset.skipped == () and len(dataset) == (30 if kind == "paintings" else 9)
    assert len(dataset.fingerprint) == 16 and int(dataset.fingerprint, 16) >= 0
    for name in ("stream", "examples"):
        promised = inspect.signature(getattr(Dataset, name)).parameters
        given = inspect.signature(getattr(type(dataset), name)).parameters
        assert list(given.items())[: len(promised)][1:] == list(promised.items())[1:]
        assert all(p.default is not p.empty for p in list(given.values())[len(promised) :])


SEED, START = 2**33 + 5, 10**9 + 3  # more than 32 bits


@pytest.fixture(scope="module")
def batches(dataset) -> list[dict[str, np.ndarray]]:
    """Two of eight, as one process has them."""
    return list(dataset.stream(8, SEED, START).take(2).as_numpy_iterator())


def test_batches_have_what_the_spec_says(dataset, batches):
    batch, spec = batches[0], dataset.spec
    labels = ["label"] if spec.class_names else []
    assert sorted(batch) == sorted([*spec.batch_keys, *labels])
    for key in spec.batch_keys:
        shape = spec.source_shape if key == "source" else spec.image_shape
        assert batch[key].shape == (8, *shape) and batch[key].dtype == np.float32 and np.abs(batch[key]).max() <= 1
    assert all(batch[key].dtype == np.int32 and batch[key].shape == (8,) for key in labels)
    assert sorted(dataset.examples(2)) == sorted(spec.batch_keys)


def test_workers_parts_are_the_batch_of_one(dataset, batches, kind):
    """Crops, mirrors, holes and labels included; their shapes are known before the first batch."""
    workers = 4 if kind == "balanced" else 2
    streams = [dataset.stream(8, SEED, START, worker, workers) for worker in range(workers)]
    for stream in streams:
        shapes = [spec.shape for spec in stream.element_spec.values()]
        assert all(shape[0] == 8 // workers and None not in shape for shape in shapes)
    for batch, *parts in zip(batches, *(stream.take(2).as_numpy_iterator() for stream in streams), strict=True):
        for key, expected in batch.items():
            assert np.concatenate([part[key] for part in parts]).tobytes() == expected.tobytes(), key


def test_batches_that_workers_cannot_share_are_refused(dataset):
    with pytest.raises(GessoError, match=r"batch_size=8 .* no multiple of 3\. Try batch_size=6"):
        dataset.stream(8, 1, worker=0, workers=3)
    for worker, workers in ((2, 2), (-1, 2), (0, 0)):
        with pytest.raises(GessoError, match=f"no worker {worker} of {workers}"):
            dataset.stream(8, 1, worker=worker, workers=workers)
    with pytest.raises(GessoError, match=f"batch_size={len(dataset) + 1}, but"):
        dataset.stream(len(dataset) + 1, 1)


def test_examples_go_on_where_they_were(dataset, kind):
    whole, rest, past = dataset.examples(7, seed=3), dataset.examples(100, 3, start=4), dataset.examples(2, 3, 1000)
    for key in dataset.spec.batch_keys:
        np.testing.assert_array_equal(rest[key][:3], whole[key][4:])
        assert len(rest[key]) == len(dataset) - 4 and len(past[key]) == 0


def test_unpaired_examples_are_as_many_of_each(two_classes, private_cache):
    """Nine contents, and three styles."""
    dataset = unpaired.load(str(two_classes), str(two_classes / "red"), 16, str(private_cache))
    for start, num in ((0, 3), (2, 1), (3, 0)):
        assert {key: len(x) for key, x in dataset.examples(9, start=start).items()} == {"a": num, "b": num}


def test_only_three_files_need_tensorflow_and_each_is_imported_in_one_place():
    places = {name: [] for name in WITH_TENSORFLOW}
    for file in (ROOT / "data").rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                node.body = []
        for name in _imported(tree):
            if file.stem not in WITH_TENSORFLOW:
                assert name.split(".")[0] not in ("tensorflow", "keras"), file
                for module in WITH_TENSORFLOW & set(name.split(".")):
                    places[module].append(file.name)
    assert places == {"stream": ["image_dataset.py"], "decode_stream": [], "transforms": ["tasks.py"]}


def test_sources_are_imported_and_loaded_without_tensorflow(two_classes, tmp_path):
    modules = [f"data.{file.stem}" for file in sorted((ROOT / "data").glob("*.py"))]
    modules = [name for name in modules if name.split(".")[1] not in {*WITH_TENSORFLOW, "__init__"}]
    code = (
        f"import sys; import {', '.join(modules)}\n"
        "dataset = data.tasks.load_inpaint(root=sys.argv[1], image_size=8, cache_dir=sys.argv[2])\n"
        "dataset.spec, dataset.fingerprint, dataset.pictures.examples(3)\n"
        "print({'tensorflow', 'keras'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, str(two_classes), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


def test_nobody_probes_a_data_set():
    probes = ("hasattr", "getattr", "isinstance")
    folders = (ROOT, ROOT / "training", ROOT / "evaluation")
    for file in [ROOT / "core" / "config.py", *(file for folder in folders for file in folder.glob("*.py"))]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in probes:
                assert ast.unparse(node.args[0]) not in ("dataset", "self.dataset"), file


STRIPES = '''
"""Grey stripes of all widths."""

import numpy as np

from data.image_dataset import ImageDataset


def load(image_size: int, num: int) -> ImageDataset:
    columns = np.arange(image_size) // (1 + np.arange(num)[:, None] % 8) % 2 * 255
    images = np.broadcast_to(columns[:, None, :, None], (num, image_size, image_size, 3)).astype(np.uint8)
    return ImageDataset("stripes", images, (np.arange(num) % 8).astype(np.int32), [f"{i + 1} px" for i in range(8)])
'''
YAML = """
_target_: data.stripes.load
image_size: ${image_size}
num: 64

gives: [image] # what its batches have
"""


def test_one_file_and_one_yaml_make_a_data_set(tmp_path, monkeypatch):
    """Streamed, checked against a model and trained on."""
    conf = shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (conf / "dataset" / "stripes.yaml").write_text(YAML)
    (tmp_path / "stripes.py").write_text(STRIPES)
    monkeypatch.setattr(data, "__path__", [*data.__path__, str(tmp_path)])  # as if it lay in data/
    monkeypatch.setattr("core.instantiate.CONF", conf)
    with initialize_config_dir(str(conf), version_base="1.3"):
        config = compose("train", ["dataset=stripes", "model.width=2", "model.condition=concat", "batch_size=4"])
    from training import checks, loop

    dataset = build(config.dataset)
    checks.check_data(config, dataset)
    batch = next(iter(dataset.stream(4, seed=1, worker=1, workers=2)))
    assert batch["image"].shape == (2, 32, 32, 3) and batch["label"].shape == (2,)
    assert dataset.fingerprint != build(config.dataset, num=63).fingerprint

    model = loop.make(config, dataset, seed=0)
    model.fit(dataset.stream(4, seed=1), steps_per_epoch=2, verbose=0)
    assert int(model.step.numpy()) == 2


def _imported(tree: ast.AST) -> list[str]:
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names
