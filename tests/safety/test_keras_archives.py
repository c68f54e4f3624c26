"""`.keras` files of strangers: archives that are none, and networks that would run code or read other files."""

import json
import shutil
import warnings
import zipfile

import h5py
import keras
import numpy as np
import pytest

from core import keras_archive
from core.errors import GessoError
from core.half import halve
from core.network_file import read_metadata, write_metadata
from core.network_metadata import Geometry, Metadata
from core.start import train_arguments
from models import trained
from models.networks import fastgan, mlp, progressive, srresnet, transform_net, unet

METADATA, CONFIG, WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
KNOWN = ["gesso>Conv2D"]


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A network without any layer of ours, as a file."""
    x = keras.Input((4,))
    path = tmp_path_factory.mktemp("network") / "network.keras"
    keras.Model(x, keras.layers.Dense(2, activation="relu")(x)).save(path)
    return path


@pytest.fixture
def changed(network, tmp_path):
    """Writes that file with other members: `changed({"config.json": change})`, None to leave one out."""

    def write(changes=None, extra=(), compression=zipfile.ZIP_STORED):
        path = tmp_path / "changed.keras"
        with zipfile.ZipFile(network) as old, zipfile.ZipFile(path, "w", compression) as new:
            for name in old.namelist():
                change = (changes or {}).get(name, lambda data: data)
                if change is not None:
                    new.writestr(name, change(old.read(name)))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of names that come twice
                for name, data in extra:
                    new.writestr(name, data)
        return path

    return write


def with_part(part: dict):
    """Puts `part` in the place of the activation of the Dense layer."""

    def change(data: bytes) -> bytes:
        config = json.loads(data)
        dense = next(layer for layer in config["config"]["layers"] if layer["class_name"] == "Dense")
        dense["config"]["activation"] = part
        return json.dumps(config).encode()

    return {CONFIG: change}


def test_what_keras_wrote_is_read(network, changed):
    keras_archive.check(network, KNOWN)
    keras_archive.check(changed(compression=zipfile.ZIP_DEFLATED), KNOWN)
    path = changed(extra=[("gesso.json", "{}")])
    keras_archive.check(path, KNOWN)
    one, other = trained.load_network(network), trained.load_network(path)
    x = np.ones((1, 4), np.float32)
    np.testing.assert_array_equal(one(x), other(x))


@pytest.mark.parametrize(
    "make",
    [
        lambda: transform_net.transformer(width=4, blocks=1),
        lambda: fastgan.generator((64, 64, 3), width=4),
        lambda: mlp.generator((16, 16, 1), width=4, condition="projection", num_classes=3),
        lambda: progressive.generator((32, 32, 3), width=4, phase_steps=3),
        lambda: unet.generator((64, 64, 3), (64, 64, 4), width=4),
        lambda: srresnet.generator((64, 64, 3), (16, 16, 3), width=4, blocks=1),
    ],
)
def test_networks_of_ours_are_read(tmp_path, make):
    make().save(tmp_path / "a.keras")
    assert trained.load_network(tmp_path / "a.keras").name


@pytest.mark.parametrize(
    "name",
    [
        "../evil.py", "/etc/cron.d/evil", "assets/../../evil", "assets/", "assets/vocabulary.txt", "evil.pkl",
        "..\\evil", "C:\\evil", "config.json/", CONFIG, WEIGHTS,
    ],
)  # fmt: skip
def test_other_members_are_refused(changed, name):
    with pytest.raises(GessoError, match="which no network has, or has twice"):
        trained.load_network(changed(extra=[(name, "x")]))


def test_what_would_be_gigabytes_is_refused(changed, monkeypatch):
    zeros = bytes(2**22)
    with pytest.raises(GessoError, match=r"would be 0\.0 GB, unpacked from 0\.000 GB"):
        trained.load_network(changed({WEIGHTS: lambda data: zeros}, compression=zipfile.ZIP_DEFLATED))
    monkeypatch.setitem(keras_archive.MEMBERS, WEIGHTS, 100)
    with pytest.raises(GessoError, match=r"model\.weights\.h5 in it would be"):
        keras_archive.check(changed(), KNOWN)


def test_more_layers_than_any_network_has_are_refused(changed, monkeypatch):
    monkeypatch.setattr(keras_archive, "MOST", 20)
    part = {"module": "keras.layers", "class_name": "ReLU", "config": {}, "registered_name": None}
    with pytest.raises(GessoError, match="layers and parts of them, more than any has"):
        trained.load_network(changed(with_part([part] * 21)))


def test_numbers_larger_than_the_weights_are_refused(changed):
    """A layer of so many units would be made before its weights are missed."""

    def many(data: bytes) -> bytes:
        return data.replace(b'"units": 2', b'"units": 150000000')

    with pytest.raises(GessoError, match="150000000 in it is larger than all of its weights"):
        trained.load_network(changed({CONFIG: many}))


def test_what_makes_no_pictures_is_no_generator(changed):
    path = changed()
    write_metadata(path, Metadata("generator"))
    with pytest.raises(GessoError, match=r"makes \(None, 2\), not pictures"):
        trained.load(path, "generator")


@pytest.mark.parametrize("kind", ["Dense", "losses"])
def test_what_is_no_model_is_refused(tmp_path, network, kind):
    """Keras gives back whatever config.json is of."""
    dense = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 2}, "registered_name": None}
    loss = {"module": "keras.losses", "class_name": "MeanSquaredError", "config": {}, "registered_name": None}
    path = tmp_path / "other.keras"
    with zipfile.ZipFile(network) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            made = json.dumps(dense if kind == "Dense" else loss).encode()
            new.writestr(name, made if name == CONFIG else old.read(name))
    with pytest.raises(GessoError):
        trained.load_network(path)


def test_numbers_from_other_files_are_not_copied(tmp_path, network):
    (tmp_path / "secret").write_bytes(b"12345678")
    path = tmp_path / "other.keras"
    written = tmp_path / "weights.h5"
    with h5py.File(written, "w") as file:
        file.create_dataset("secret", (2,), "float32", external=[(str(tmp_path / "secret"), 0, 8)])
    with zipfile.ZipFile(network) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, written.read_bytes() if name == WEIGHTS else old.read(name))
    with pytest.raises(GessoError, match="in another file"):
        halve(path, tmp_path / "half.keras")


def test_a_size_that_is_a_lie_is_refused(changed):
    path = changed()
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        size = archive.getinfo(WEIGHTS).file_size
    place = data.rindex(size.to_bytes(4, "little"))  # in the directory at the end
    path.write_bytes(data[:place] + (2**32 - 2).to_bytes(4, "little") + data[place + 4 :])
    with pytest.raises(GessoError, match="would be 4"):
        trained.load_network(path)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 500 + "1" + "}" * 500, "not json", "", "\x00", "[]", "3"]
)
def test_a_configuration_that_is_none_is_refused(changed, text):
    with pytest.raises(GessoError):
        trained.load_network(changed({CONFIG: lambda data: text.encode()}))


LAMBDA = {"class_name": "__lambda__", "config": {"value": "4wEAAAA=", "defaults": None, "closure": None}}


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (LAMBDA, "__lambda__"),
        ({"module": "builtins", **LAMBDA}, "__lambda__"),
        ({"registered_name": "gesso>Conv2D", **LAMBDA}, "__lambda__"),
        ({"registered_name": "gesso>Conv2D", "class_name": "Lambda", "config": {}}, "Lambda"),
        (
            {"registered_name": "gesso>Conv2D", "class_name": "__typespec__", "module": "os", "config": []},
            "needs os",
        ),
        (
            {"registered_name": "gesso>Conv2D", "class_name": "function", "module": "os", "config": "system"},
            "os.system",
        ),
        ({"module": "keras.layers", "class_name": "Lambda", "config": {}, "registered_name": None}, "Lambda"),
        ({"class_name": "Lambda", "config": {}}, "Lambda"),
        ({"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "x"}}, "TFSMLayer"),
        ({"module": "keras.src.export.tfsm_layer", "class_name": "TFSMLayer", "config": {}}, "TFSMLayer"),
        ({"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {}}, "TorchModuleWrapper"),
        ({"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": "x"}}, "StringLookup"),
        ({"module": "keras.src.layers", "class_name": "IndexLookup", "config": {}}, "IndexLookup"),
        ({"class_name": "__numpy__", "config": {"value": ["a"], "dtype": "U1200000"}}, "no kind of number"),
        ({"module": "os", "class_name": "system", "config": "true"}, "needs os.system"),
        ({"module": "os", "class_name": "function", "config": "system"}, "needs os.system"),
        ({"module": "builtins", "class_name": "exec", "config": {}}, "needs builtins.exec"),
        ({"module": "keras.utils", "class_name": "function", "config": "get_file"}, "needs keras.utils.get_file"),
        ({"module": "keras.saving", "class_name": "function", "config": "load_model"}, "keras.saving.load_model"),
        ({"module": "keras.models", "class_name": "function", "config": "load_model"}, "keras.models.load_model"),
        ({"module": "keras.layers", "class_name": "deserialize", "config": {}}, "keras.layers.deserialize"),
        ({"module": "keras", "class_name": "Anything", "config": {}}, "keras.Anything"),
        ({"module": "keras_hub.models", "class_name": "Backbone", "config": {}}, "keras_hub.models.Backbone"),
        ({"module": "kerasx.layers", "class_name": "Dense", "config": {}}, "kerasx.layers.Dense"),
        ({"module": "models.gan", "class_name": "GAN", "config": {}, "registered_name": "GAN"}, "models.gan.GAN"),
        ({"module": None, "class_name": "Dense", "config": {}}, "needs Dense"),
        ({"class_name": "Dense", "config": {}}, "needs Dense"),
        ({"class_name": ["Dense"], "module": {"a": 1}, "config": {}}, "refused"),
        (
            {"module": "tensorflow", "class_name": "__typespec__", "spec_name": "TensorSpec", "config": []},
            "needs tensorflow.__typespec__",
        ),
        (
            {"module": "keras.layers", "class_name": "Dense", "config": {}, "registered_name": "other>Dense"},
            "needs keras.layers.Dense",
        ),
        (
            {
                "module": "keras.layers",
                "class_name": "Dense",
                "config": {},
                "registered_name": "gesso>FromTheFuture",
            },
            "does not know",
        ),
    ],
)
def test_what_needs_another_module_or_runs_code_is_refused_by_name(changed, part, words):
    for place in (part, [part], {"a": [{"b": part}]}):
        with pytest.raises(GessoError, match=words):
            trained.load_network(changed(with_part(place)))


def test_safe_mode_that_something_switched_off_makes_no_difference(tmp_path):
    x = keras.Input((4,))
    keras.Model(x, keras.layers.Lambda(lambda x: x)(x)).save(tmp_path / "a.keras")
    keras.config.enable_unsafe_deserialization()
    try:
        with pytest.raises(GessoError, match="a Lambda in it may run code"):
            trained.load_network(tmp_path / "a.keras")
    finally:
        keras.src.saving.serialization_lib.global_state.set_global_attribute("safe_mode_saving", None)


def test_only_files_that_are_named_so_are_read(network, tmp_path):
    """Keras chooses by the name: an archive before which a file in its old format lies would be read as that."""
    for name in ("a.h5", "a.hdf5", "a", "a.zip"):
        shutil.copy(network, tmp_path / name)
        with pytest.raises(GessoError, match=r"must end in \.keras"):
            trained.load_network(tmp_path / name)
    (tmp_path / "folder.keras").mkdir()
    for name in ("folder.keras", "missing.keras"):
        with pytest.raises(GessoError, match="There is no"):
            trained.load_network(tmp_path / name)


def test_damage_is_said_in_words(changed, tmp_path):
    path = changed()
    whole = path.read_bytes()
    for data in (b"", b"PK", whole[:500], whole[: len(whole) // 2], whole[:-10], b"\x00" * 1000):
        path.write_bytes(data)
        with pytest.raises(GessoError):
            trained.load_network(path)
    for name in (CONFIG, WEIGHTS):
        with pytest.raises(GessoError):
            trained.load_network(changed({name: None}))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_flipped_bit_anywhere_is_said_in_words(changed, compression):
    path = changed(extra=[("gesso.json", "{}")], compression=compression)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        data = bytearray(whole)
        data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
        path.write_bytes(data)
        for read in (trained.load_network, read_metadata):
            try:
                read(path)
            except GessoError:
                refused += 1
    assert refused > 20


def test_a_member_that_is_packed_by_other_means_and_damaged_is_said_in_words(tmp_path):
    path = tmp_path / "a.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("gesso.json", json.dumps({"kind": "generator", "model": "x" * 1000}))
    content = bytearray(path.read_bytes())
    begin = content.index(b"gesso.json") + len("gesso.json")
    content[begin + 4] = 255  # of the properties, which have to be less than 225
    path.write_bytes(content)
    with pytest.raises(GessoError, match=r"a\.keras is not a network that Keras can read"):
        read_metadata(path)


def test_names_in_it_that_become_options_are_names(changed):
    """`dataset=../../x` would compose a file of a stranger, and that may have Hydra call what it likes."""
    path = changed()
    honest = {"kind": "translator", "method": "translate", "geometry": Geometry(), "model": "pix2pix"}
    write_metadata(path, Metadata(**honest, task="inpaint"))
    assert train_arguments([f"model.start={path}"])[:2] == ["model=pix2pix", "dataset=inpaint"]
    for key, value in (("task", "../../tmp/x"), ("task", "/tmp/x"), ("model", "../x"), ("task", "inpaint hydra=x")):
        write_metadata(path, Metadata(**{**honest, key: value}))
        with pytest.raises(GessoError, match="is no name of an option"):
            train_arguments([f"model.start={path}"])
