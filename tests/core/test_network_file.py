"""Metadata of trained networks, in their files."""

import json
import shutil
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

from core.errors import GessoError
from core.network_file import find_network, read_metadata, write_metadata
from core.network_metadata import Geometry, Metadata
from models import trained
from models.networks import transform_net

STYLIZER = Metadata(
    "stylizer", "fast", image_size=64, styles=("Sternennacht", "Große Welle"), geometry=Geometry(4, 28, tile=100),
    model="fast_style", config_sha256="0123456789abcdef", step=7, software="Gesso 1",
)  # fmt: skip


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    return transform_net.transformer(width=4, blocks=1, styles=2)


def test_what_is_written_is_read(network, tmp_path):
    path = tmp_path / "a.keras"
    trained.save(network, path, STYLIZER)
    assert read_metadata(path) == STYLIZER
    other = Metadata("translator", "translate", task="edges", geometry=Geometry())
    write_metadata(path, other)
    assert read_metadata(path) == other
    assert [p.name for p in tmp_path.iterdir()] == ["a.keras"]  # one file, no temporary one left
    with zipfile.ZipFile(path) as archive:
        assert len(set(archive.namelist())) == len(archive.namelist()) == 4 and archive.testzip() is None


def test_keras_itself_loads_a_file_with_metadata(network, tmp_path):
    path = tmp_path / "a.keras"
    for write in (lambda: trained.save(network, path, STYLIZER), lambda: write_metadata(path, STYLIZER)):
        write()
        loaded = keras.models.load_model(path)
        for one, two in zip(loaded.get_weights(), network.get_weights(), strict=True):
            np.testing.assert_array_equal(one, two)


def test_an_export_that_fails_leaves_the_one_before(network, tmp_path, monkeypatch):
    path = tmp_path / "a.keras"
    trained.save(network, path, STYLIZER)

    def fails(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trained, "add_metadata", fails)
    with pytest.raises(GessoError, match="No space left"):
        trained.save(network, path, STYLIZER)
    assert read_metadata(path) == STYLIZER and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1", "Expecting"),
        ("{}", "what kind"),
        ('{"kind": "painter"}', "painter"),
        ('{"kind": "generator", "classes": "cats"}', "classes"),
        ('{"kind": "generator", "classes": [1]}', "classes"),
        ('{"kind": "generator", "classes": ["a", "b"], "shares": [1]}', "shares"),
        ('{"kind": "generator", "classes": ["a", "b"], "shares": [0.5, 0.6]}', "shares"),
        ('{"kind": "generator", "classes": ["a", "b"], "shares": [1.5, -0.5]}', "shares"),
        ('{"kind": "generator", "classes": ["a", "b"], "shares": ["1", 0]}', "shares"),
        ('{"kind": "generator", "classes": ["a", "b"], "shares": [NaN, 1]}', "shares"),
        ('{"kind": "generator", "classes": ["a", "b"], "shares": 1}', "shares"),
        ('{"kind": "generator", "classes": ["a\\ud800"]}', "classes are not all text"),
        ('{"kind": "generator", "model": "a\\ud800"}', "model is not text"),
        ('{"kind": "generator", "image_size": "64"}', "image_size"),
        ('{"kind": "stylizer", "method": "fast"}', "geometry"),
        ('{"kind": "stylizer", "method": "fast", "geometry": {"stride": 0}}', "stride"),
        ('{"kind": "stylizer", "method": "fast", "geometry": {"tile": 1.5}}', "tile"),
        ('{"kind": "stylizer", "method": "fast", "geometry": [4]}', "no group"),
        (" " * (2**20 + 1), "larger than"),
        ("[" * 10000, "recursion"),
    ],
)
def test_metadata_that_make_no_sense_are_refused_in_words(text, words, tmp_path):
    path = tmp_path / "a.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("gesso.json", text)
    with pytest.raises(GessoError, match=words):
        read_metadata(path)


def test_keys_of_a_later_version_are_passed_over():
    later = json.loads(STYLIZER.to_json()) | {"mood": "calm"}
    later["geometry"]["depth"] = 3
    assert Metadata.from_json(json.dumps(later)) == STYLIZER


def test_a_network_is_found(network, tmp_path):
    trained.save(network, tmp_path / "stylizer.keras", STYLIZER)
    assert find_network(tmp_path) == find_network(str(tmp_path / "stylizer.keras")) == tmp_path / "stylizer.keras"
    for path in (tmp_path, tmp_path / "stylizer.keras"):
        with pytest.raises(GessoError, match=r"python stylize\.py network="):
            find_network(path, kinds=["generator"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(GessoError, match=r"start=.*empty/stylizer\.keras and no .*empty/translator\.keras"):
        find_network(tmp_path / "empty", "start", ("stylizer", "translator"))
    with pytest.raises(GessoError, match="network= says which"):
        find_network(None)


def test_what_does_not_say_what_it_is_is_refused(network, tmp_path):
    network.save(tmp_path / "plain.keras")
    with pytest.raises(GessoError, match=r"plain\.keras is no network of Gesso's: it has no gesso\.json"):
        read_metadata(tmp_path / "plain.keras")


def test_metadata_are_read_without_tensorflow(network, tmp_path):
    trained.save(network, tmp_path / "a.keras", STYLIZER)
    code = (
        "import sys; from core.network_file import read_metadata;"
        f"print(read_metadata({str(tmp_path)!r} + '/a.keras').method);"
        "print({'tensorflow', 'keras'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["fast", "set()"]


def test_write_metadata_needs_a_network(tmp_path):
    shutil.copy(__file__, tmp_path / "a.keras")
    with pytest.raises(GessoError, match=r"a\.keras"):
        write_metadata(tmp_path / "a.keras", STYLIZER)
