"""Networks of the zoo by their names, and what a training takes over from one; without TensorFlow."""

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from core import zoo
from core.errors import GessoError
from core.network_file import check_networks, find_network, in_the_zoo
from core.network_metadata import Geometry, Metadata
from core.start import train_arguments

PAINTINGS = Metadata(
    "generator", image_size=64, classes=("cubism", "op_art"), model="dcgan",
    architecture={"width": 8, "condition": "projection", "spectral": False},
)  # fmt: skip
STYLES = Metadata("stylizer", "fast", styles=("scream", "wave"), geometry=Geometry())
ENLARGE = Metadata("translator", "translate", "super_resolution", geometry=Geometry(scale=4))


def write(path: Path, metadata: Metadata) -> Path:
    """A file with metadata and no network, of which nothing here asks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("gesso.json", metadata.to_json())
    return path


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(zoo, "FOLDER", tmp_path / "zoo")
    monkeypatch.chdir(tmp_path)
    for name, metadata in {"paintings": PAINTINGS, "styles": STYLES, "enlarge": ENLARGE}.items():
        write(zoo.network(name), metadata)
    return tmp_path


def test_a_name_finds_a_network_unless_a_run_has_it(folder):
    assert find_network("styles") == folder / "zoo" / "styles.keras"
    (folder / "styles").mkdir()  # of paintings, say
    assert find_network("styles") == folder / "zoo" / "styles.keras"
    with pytest.raises(GessoError, match="no run directory"):
        find_network("./styles")
    run = write(folder / "styles" / "stylizer.keras", STYLES)
    assert find_network("styles") == run.relative_to(folder)


def test_what_is_not_there_is_asked_after_among_what_fits():
    with pytest.raises(GessoError, match=r"Did you mean paintings\? There are: paintings\.$"):
        find_network("painting", kinds=["generator"])
    with pytest.raises(GessoError, match=r"In the zoo: There are: enlarge, styles\.$"):
        find_network("paint_me", kinds=["stylizer", "translator"])
    with pytest.raises(GessoError, match=r"python stylize\.py network=styles content"):
        find_network("styles", kinds=["generator"])
    with pytest.raises(GessoError) as caught:  # a path is no typo of a name
        find_network("runs/painting")
    assert "In the zoo" not in str(caught.value)


def test_help_lists_what_fits_and_passes_over_what_is_damaged():
    zoo.network("broken").write_text("no")
    assert in_the_zoo("stylizer", "translator") == (
        "  enlarge  makes pictures larger\n  styles   paints; style=scream, wave"
    )
    assert in_the_zoo("generator") == "  paintings  pictures of 64 px; label=cubism, op_art"
    assert in_the_zoo("discriminator") == "  (none)"


def test_a_key_that_names_a_network_is_looked_at_unless_the_run_goes_on():
    said = {"networks": {"start": "stylizer"}}
    check_networks(OmegaConf.create({"model": {"start": "styles", **said}}))
    check_networks(OmegaConf.create({"model": {"start": None, **said}}))
    check_networks(OmegaConf.create({"resume": "run", "model": {"start": "gone", **said}}))
    with pytest.raises(GessoError, match=r"model\.start=gone: there is no gone"):
        check_networks(OmegaConf.create({"model": {"start": "gone", **said}}))


def test_a_start_says_what_networks_are_made_of_unless_the_command_line_does():
    given = ["model.start=paintings", "model.width=4", "steps=5"]
    own = ["model=dcgan", "image_size=64", 'model.condition="projection"', "model.spectral=false"]
    assert train_arguments(given) == [*own, *given]
    fills = replace(ENLARGE, task="inpaint", model="pix2pix", image_size=128, architecture={"width": 16})
    write(zoo.network("inpaint"), fills)
    given = ["model.start=inpaint", "dataset.root=x"]
    assert train_arguments(given) == [
        "model=pix2pix", "image_size=128", "dataset=inpaint", "model.width=16", *given,
    ]  # fmt: skip
    architecture = {"width": 8, "phase_steps": 900}
    write(zoo.network("grown"), replace(PAINTINGS, model="progressive", architecture=architecture))
    grown = train_arguments(["model.start=grown"])
    assert "model.phase_steps=1" in grown and "model.width=8" in grown
    assert train_arguments(["model.start=grown", "model.phase_steps=7"]).count("model.phase_steps=1") == 0
    write(zoo.network("light"), replace(STYLES, model="fast_style", architecture={"width": 16, "normalize": "all"}))
    given = ["model=fast_style", "model.start=light"]
    assert train_arguments(given) == ["model.width=16", 'model.normalize="all"', *given]
    for other in ("any_style", "adain"):  # what these are made of is another matter
        assert train_arguments([f"model={other}", "model.start=light"]) == [f"model={other}", "model.start=light"]
    for untouched in (["steps=5"], ["model.start=styles"], ["model.start=null"], ["-m", "model.start=paintings,x"]):
        assert train_arguments(untouched) == untouched
    with pytest.raises(GessoError, match=r"model=resnet, but model\.start=paintings is of model=dcgan"):
        train_arguments(["model=resnet", "model.start=paintings"])


def test_a_file_of_a_stranger_names_a_model_and_no_more(folder):
    write(folder / "odd.keras", replace(PAINTINGS, model="dcgan,{a:b}"))
    with pytest.raises(GessoError, match="refused: model="):
        train_arguments(["model.start=odd.keras"])
    write(folder / "vast.keras", replace(PAINTINGS, architecture={"width": 60_000}))
    with pytest.raises(GessoError, match=r"model\.width=60000 is larger than any network's"):
        train_arguments(["model.start=vast.keras"])


@pytest.mark.parametrize("wrong", [{"width": "${seed}"}, {"a.b": 1}, {"width": [1]}, {"_target_": "os.system"}])
def test_an_architecture_holds_plain_values_alone(wrong):
    with pytest.raises(ValueError, match="nothing that networks are built by"):
        replace(PAINTINGS, architecture=wrong)
