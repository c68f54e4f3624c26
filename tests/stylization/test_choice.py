"""What `stylize.py` paints by: the network of the zoo where VGG is not at hand, and styles by their names."""

import zipfile
from types import SimpleNamespace

import pytest
from hydra import initialize_config_dir
from PIL import Image

from core import zoo
from core.config import CONF, compose
from core.errors import GessoError
from core.network_metadata import Geometry, Metadata
from stylization import methods, options

NAMES = ("Great Wave", "starry_night", "scream")
KNOWN = {
    "any_style": Metadata("stylizer", "any_style", geometry=Geometry()),
    "styles": Metadata("stylizer", "fast", styles=NAMES, geometry=Geometry()),
}


@pytest.fixture
def choose(tmp_path, monkeypatch):
    """Chooses by a command line, in a folder with `a.jpg`, a zoo, and none of VGG's weights."""
    monkeypatch.setattr(zoo, "FOLDER", tmp_path / "zoo")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (32, 24)).save(tmp_path / "a.jpg")
    zoo.FOLDER.mkdir()
    for name, metadata in KNOWN.items():
        with zipfile.ZipFile(zoo.network(name), "w") as archive:
            archive.writestr("gesso.json", metadata.to_json())

    def chosen(*arguments: str):
        monkeypatch.setattr(methods, "own_overrides", lambda: list(arguments))
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return methods.choose(compose("stylize", arguments))

    return chosen


def test_without_vgg_the_zoos_network_for_any_style_paints_and_says_so(choose, caplog, tmp_path):
    caplog.set_level("INFO")
    assert choose("style=a.jpg") == ("any_style", zoo.network("any_style"))
    assert "network=any_style" in caplog.text and "method=gatys" in caplog.text and "weights=" in caplog.text
    for given in ("method=gatys", "steps=9", "gatys.init=noise", "strength=2", "weights=a.jpg"):
        assert choose("style=a.jpg", given) == ("gatys", None)
    cached = tmp_path / "keras" / "models" / "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
    cached.parent.mkdir(parents=True)
    cached.touch()
    assert choose("style=a.jpg") == ("gatys", None)
    cached.unlink()
    zoo.network("any_style").unlink()
    assert choose("style=a.jpg") == ("gatys", None)


def test_styles_of_a_network_have_names(choose):
    assert choose("network=styles", "style=great_wave") == ("fast", zoo.network("styles"))
    with pytest.raises(GessoError, match=r"Did you mean scream\? There are: Great Wave, scream, starry_night\."):
        choose("network=styles", "style=screem.jpg")
    with pytest.raises(GessoError, match=r"In the manner of a painting of your own: network=any_style\.$"):
        choose("network=styles", "style=a.jpg")
    with pytest.raises(GessoError, match=r"Several are 'style=\[scream,great_wave\]', quotes included"):
        choose("network=styles", "style='scream,great_wave'")
    with pytest.raises(GessoError, match=r"style_weights=.*2 are needed"):
        choose("network=styles", "style=[scream,great_wave]", "style_weights=[1]")
    with pytest.raises(GessoError, match=r"style=scream: there is no such file\. .* network=styles style=scream\."):
        choose("style=scream", "method=gatys")
    with pytest.raises(GessoError, match="steps= has no effect with network=styles"):
        choose("network=styles", "steps=3")


def test_what_is_no_picture_is_refused_at_once(choose, tmp_path, caplog):
    (tmp_path / "text.jpg").write_text("text")
    (tmp_path / "a.HEIC").write_text("text")
    Image.new("RGB", (24, 32)).save(tmp_path / "tall.png")
    for given, words in (
        (["style=text.jpg"], r"text\.jpg is no picture"),
        (["style=a.HEIC"], r"does not read \(\.HEIC\): export it as JPEG or PNG"),
        (["style=zoo", "method=gatys"], r"is a folder\. Several paintings are blended"),
        (["style=a.jpg", "content=a.jpg", "region=tall.png"], r"region= is 24x32 px, and the picture 32x24"),
        (["style=a.jpg", "content=a.jpg", "region=text.jpg"], r"text\.jpg is no picture"),
        (["style=a.jpg", "content=a.jpg", "init=tall.png", "method=nnst"], "init= is 24x32 px"),
    ):
        with pytest.raises(GessoError, match=words):
            choose(*given)
    assert "Painted by" not in caplog.text


@pytest.mark.parametrize(
    ("style", "weights", "expected"),
    [
        (None, None, [1, 0, 0]),
        (None, [1, 2, 3], [1, 2, 3]),
        ("starry night", None, [0, 1, 0]),
        (["scream", "great-wave"], None, [1, 0, 1]),
        (["scream", "great_wave"], [3, 1], [1, 0, 3]),
    ],
)
def test_blends(style, weights, expected):
    config = SimpleNamespace(style=style, style_weights=weights)
    assert options.blend(config, NAMES) == expected
    assert options.blend(SimpleNamespace(style="scream", style_weights=None), ("scream",)) is None
