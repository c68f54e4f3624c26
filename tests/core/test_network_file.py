"""Metadata of trained networks: in their files, and worked out for those from before."""

import json
import shutil
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

from core.errors import GessoError
from core.network_file import find_network, provenance, read_metadata, write_metadata
from core.network_metadata import Geometry, Metadata
from models import trained
from models.networks import adain, dcgan, srresnet, transform_net, unet

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


@pytest.fixture
def run(tmp_path):
    """A run directory as of before there was metadata, without networks."""
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "config.yaml").write_text("steps: 3\n")
    (tmp_path / ".hydra" / "hydra.yaml").write_text("hydra: {runtime: {choices: {model: pix2pix}}}\n")
    (tmp_path / "best").mkdir()
    return tmp_path


def test_translators_of_before_are_known_by_the_files_beside_them(run):
    network = unet.generator((64, 64, 3), (64, 64, 1), width=2)
    (run / "translator.json").write_text('{"task": "colorize", "image_size": 64}')
    for path in (run / "translator.keras", run / "best" / "translator.keras"):
        network.save(path)
        found = read_metadata(path)
        assert (found.kind, found.method, found.task, found.image_size) == (
            "translator", "translate", "colorize", 64,
        )  # fmt: skip
        assert found.geometry == network.geometry and found.geometry.stride == 64
        chunks = provenance(path, 1)
        assert chunks["Model"] == "pix2pix" and len(chunks["Config-SHA256"]) == 16


def test_generators_of_before_are_known_by_their_inputs(run):
    dcgan.generator((32, 32, 3), latent_dim=6, width=2).save(run / "g.keras")
    assert (read_metadata(run / "g.keras").kind, read_metadata(run / "g.keras").classes) == ("generator", ())
    dcgan.generator((32, 32, 3), latent_dim=6, width=2, num_classes=2, condition="concat").save(run / "c.keras")
    with pytest.raises(GessoError, match=r"c\.keras takes labels, but no file"):
        read_metadata(run / "c.keras")
    (run / "classes.json").write_text('["cats", "dogs"]')
    assert read_metadata(run / "c.keras").classes == ("cats", "dogs")


def test_stylizers_and_translators_of_before_are_known_by_their_layers(tmp_path, vgg_weights):
    made = {
        "one.keras": (transform_net.transformer(width=4, blocks=3), "fast", ("1",)),
        "two.keras": (transform_net.transformer(width=8, blocks=1, styles=2), "fast", ("1", "2")),
        "a.keras": (adain.stylizer(width=4, weights=vgg_weights), "adain", ()),
        "cycle.keras": (transform_net.transformer(width=4, blocks=1, edge=7), "translate", ()),
        "translator_back.keras": (transform_net.transformer(width=4, blocks=1), "translate", ()),
        "large.keras": (srresnet.generator((64, 64, 3), (16, 16, 3), width=4, blocks=2), "translate", ()),
        "edsr.keras": (srresnet.generator((32, 32, 3), (16, 16, 3), 4, 1, False), "translate", ()),
        "u.keras": (unet.generator((32, 32, 3), (32, 32, 4), width=2, upsampling="resize"), "translate", ()),
    }
    for name, (network, method, styles) in made.items():
        network.save(tmp_path / name)
        found = read_metadata(tmp_path / name)
        assert (found.method, found.styles, found.geometry) == (method, styles, network.geometry), name


def test_what_is_none_of_ours_is_refused(tmp_path):
    image = keras.Input((8, 8, 3))
    keras.Model(image, keras.layers.Flatten()(image), name="classifier").save(tmp_path / "c.keras")
    with pytest.raises(GessoError, match="'classifier', which is no generator or stylizer or translator"):
        read_metadata(tmp_path / "c.keras")


@pytest.mark.parametrize(
    "config", ["[]", "{}", '{"config": {"layers": [1]}}', '{"config": {"name": "transformer"}}']
)
def test_configurations_that_make_no_sense_are_refused_in_words(config, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        archive.writestr("config.json", config)
    with pytest.raises(GessoError, match=r"a\.keras"):
        read_metadata(tmp_path / "a.keras")


def test_metadata_are_read_without_tensorflow(network, tmp_path):
    trained.save(network, tmp_path / "a.keras", STYLIZER)
    network.save(tmp_path / "b.keras")
    code = (
        "import sys; from core.network_file import read_metadata;"
        f"print(*[read_metadata({str(tmp_path)!r} + name).method for name in ('/a.keras', '/b.keras')]);"
        "print({'tensorflow', 'keras'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["fast fast", "set()"]


def test_write_metadata_needs_a_network(tmp_path):
    shutil.copy(__file__, tmp_path / "a.keras")
    with pytest.raises(GessoError, match=r"a\.keras"):
        write_metadata(tmp_path / "a.keras", STYLIZER)
