import os
from pathlib import Path

import numpy as np
import pytest
from hydra import initialize_config_dir
from omegaconf import OmegaConf
from PIL import Image

from core.config import CONF, compose
from core.errors import GessoError
from core.images import provenance
from data import picture_writer
from stylization import arguments, methods, painting
from stylization.methods import METHODS


def test_settings_tell_what_was_painted_with_and_no_folder():
    config = OmegaConf.create(
        {"content": "/home/me/a.jpg", "style": ["/home/me/b.jpg", "c.jpg"], "size": 512, "tile": None, "steps": 9}
    )
    told = arguments.settings(config, ["style"])
    assert told["Settings"] == "style=[b.jpg,c.jpg] size=512"
    gatys = OmegaConf.create({"gatys": {"objective": {"_target_": "x", "weights": "${weights}"}, "coarsest": 9}})
    assert arguments.settings(gatys, ["gatys"])["Settings"] == "gatys.coarsest=9"
    for network, name in (("styles", "styles"), ("/home/me/outputs/sea", "sea"), (None, "any_style")):
        given = OmegaConf.merge(config, {"network": network})
        told = arguments.settings(given, [], Path("/zoo/any_style.keras"))["Settings"]
        assert told == f"network={name} size=512"
    told = arguments.settings(config, [])
    assert (
        told["Settings-SHA256"] != arguments.settings(OmegaConf.merge(config, {"tile": 64}), [])["Settings-SHA256"]
    )


def test_what_a_folder_has_besides_is_said(tmp_path, caplog):
    caplog.set_level("INFO")
    for name in ("a.HEIC", "b.heic", "c.psd", "README", ".hidden"):
        (tmp_path / name).touch()
    (tmp_path / "more").mkdir()
    config = OmegaConf.create({"content": str(tmp_path)})
    with pytest.raises(GessoError, match=r"no pictures or films in this folder itself\. Read are \.jpg"):
        arguments.find_contents(config)
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    assert arguments.find_contents(config) == [tmp_path / "a.png"]
    assert caplog.messages == ["Left out: 2 .heic, 1 .psd, 1 subfolder, 1 without suffix"]


def test_an_interrupted_folder_goes_on(tmp_path):
    jobs = [(tmp_path / f"{i}.jpg", tmp_path / f"{i}.png") for i in range(4)]
    for content, _ in jobs:
        Image.new("RGB", (4, 4)).save(content)
    chunks, pixels = {"Model": "gatys", "Settings": "steps=1"}, np.zeros((4, 4, 3), np.uint8)
    picture_writer.write(jobs[0][1], pixels, chunks)
    picture_writer.write(jobs[1][1], pixels, chunks | {"Settings": "steps=2"})  # by another command
    picture_writer.write(jobs[2][1], pixels, chunks)
    later = jobs[2][1].stat().st_mtime + 60
    os.utime(jobs[2][0], (later, later))  # its content changed
    assert arguments.undone(jobs, chunks) == jobs[1:]
    style = tmp_path / "style.jpg"
    Image.new("RGB", (4, 4)).save(style)
    os.utime(style, (later - 120, later - 120))
    assert arguments.undone(jobs, chunks, [style, tmp_path]) == jobs[1:]
    os.utime(style, (later, later))  # painted over since
    assert arguments.undone(jobs, chunks, [style]) == jobs
    assert arguments.undone(jobs[:1], chunks) == jobs[:1]  # who asks for one picture gets it
    assert arguments.undone(jobs[:1], chunks, sweep=True) == []


def test_outputs_that_are_in_the_way_are_refused(tmp_path):
    config = OmegaConf.create({"content": str(tmp_path), "output": str(tmp_path), "depth": 8})
    files = [tmp_path / name for name in ("a.jpg", "a.png", "a.jpg.png")]
    with pytest.raises(GessoError, match="the folder of content="):
        arguments.outputs(files, config)
    config.output = str(tmp_path / "painted")
    assert [output.name for _, output in arguments.outputs(files[:2], config)] == ["a.jpg.png", "a.png.png"]
    with pytest.raises(GessoError, match="Rename one of them"):
        arguments.outputs(files, config)


def test_an_input_by_another_name_is_not_overwritten(tmp_path):
    """On a disk where a.MP4 and a.mp4 are one file, and where a folder is reached on another way."""
    card, other = tmp_path / "card", tmp_path / "other"
    card.mkdir()
    other.symlink_to(card, target_is_directory=True)
    film = card / "CLIP001.MP4"
    film.write_bytes(b"an original")
    os.link(film, card / "CLIP001.mp4")
    for output in (card, other):
        config = OmegaConf.create({"content": str(film), "output": str(output), "depth": 8})
        with pytest.raises(GessoError, match="one of the inputs"):
            arguments.outputs([film], config)
        config.content = str(card)
        with pytest.raises(GessoError, match="the folder of content="):
            arguments.outputs([film], config)


def test_names_that_some_disks_take_for_one_stay_apart(tmp_path):
    config = OmegaConf.create({"content": str(tmp_path), "output": str(tmp_path / "painted"), "depth": 8})
    files = [tmp_path / name for name in ("Sea.jpg", "sea.png")]
    assert [output.name for _, output in arguments.outputs(files, config)] == ["Sea.jpg.png", "sea.png.png"]


def test_what_gesso_did_not_paint_is_not_overwritten(tmp_path):
    content, there = tmp_path / "a.jpg", tmp_path / "a.png"
    for file in (content, there):
        Image.new("RGB", (4, 4)).save(file)
    config = OmegaConf.create({"content": str(content), "depth": 8})
    for output in (tmp_path, there):
        config.output = str(output)
        with pytest.raises(GessoError, match="Gesso did not paint it"):
            arguments.outputs([content], config)
    picture_writer.write(there, np.zeros((4, 4, 3), np.uint8), provenance("gatys", None, 0))
    for output in (tmp_path, there):
        config.output = str(output)
        assert arguments.outputs([content], config) == [(content, there)]


def test_keys_of_films_are_for_films():
    jobs = [(Path("a.jpg"), Path("painted/a.png")), (Path("b.mp4"), Path("painted/b.mp4"))]
    arguments.check_of_films(jobs, ["motion=flow", "size=64"])
    arguments.check_of_films(jobs[:1], ["size=64"])
    with pytest.raises(GessoError, match="temporal_consistency= has no effect without a film"):
        arguments.check_of_films(jobs[:1], ["temporal_consistency=0.2"])


def test_a_folder_of_a_films_name_is_no_film(tmp_path):
    (tmp_path / "holiday.mp4").mkdir()
    config = OmegaConf.create({"content": str(tmp_path)})
    with pytest.raises(GessoError, match="no pictures or films"):
        arguments.find_contents(config)
    (tmp_path / "a.mp4").touch()
    assert arguments.find_contents(config) == [tmp_path / "a.mp4"]


def test_a_name_too_long_is_said_before_painting(tmp_path):
    """Such as two of one stem have, each with its suffix."""
    contents = [tmp_path / ("a" * 251 + suffix) for suffix in (".jpg", ".png")]
    config = OmegaConf.create({"content": str(tmp_path), "output": str(tmp_path / "painted"), "depth": 8})
    with pytest.raises(GessoError, match="name too long"):
        arguments.outputs(contents, config)


def test_a_content_is_told_by_its_state_and_not_by_the_clock(tmp_path):
    """Of one whose clock was wrong nothing is painted twice, and an older file in its place is painted."""
    jobs = [(tmp_path / f"{i}.jpg", tmp_path / f"{i}.png") for i in range(2)]
    for content, _ in jobs:
        Image.new("RGB", (4, 4)).save(content)
        os.utime(content, (9e9, 9e9))
    chunks = {"Model": "mine"}
    painting.paint_all(jobs, lambda image, before: image, chunks)
    assert arguments.undone(jobs, chunks) == []
    os.utime(jobs[1][0], (1e9, 1e9))
    assert arguments.undone(jobs, chunks) == jobs[1:]


def test_settings_tell_names_of_another_encoding(tmp_path):
    config = OmegaConf.create({"style": "/home/me/" + os.fsdecode("Zürich.jpg".encode("latin-1"))})
    chunks = arguments.settings(config, ["style"])
    assert chunks["Settings"] == r"style=Z\xfcrich.jpg"
    picture_writer.write(tmp_path / "a.png", np.zeros((4, 4, 3), np.uint8), chunks)


def test_what_a_format_cannot_hold_is_said_before_painting(tmp_path):
    Image.new("L", (5000, 20)).save(tmp_path / "a.png")
    jobs = [(tmp_path / "a.png", tmp_path / "b.webp")]
    arguments.check_sides(jobs, None, 1)
    arguments.check_sides(jobs, 4000, 4)
    for size, scale in ((None, 4), (4096, 4)):
        with pytest.raises(GessoError, match="WEBP holds at most 16383"):
            arguments.check_sides(jobs, size, scale)


def test_more_pixels_than_can_be_read_again_are_refused_before_painting(tmp_path):
    Image.new("L", (96, 64)).save(tmp_path / "a.png")
    Image.new("L", (96, 1)).save(tmp_path / "b.png")
    (tmp_path / "c.png").touch()  # said where it is read
    jobs = [(tmp_path / name, tmp_path / f"out_{name}") for name in ("b.png", "c.png", "a.png")]
    arguments.check_sides(jobs, 13_000, 1)
    arguments.check_sides(jobs[:2], 60_000, 1)
    with pytest.raises(GessoError, match=r"size=60000: .*a\.png would have more than 178 million pixels"):
        arguments.check_sides(jobs, 60_000, 1)


def test_how_often_is_saved_makes_no_other_picture(tmp_path):
    """What was painted without is not painted again with it. Of films nothing is kept on the way."""
    (tmp_path / "a.mp4").touch()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        plain, often = (compose("stylize", ["content=a.jpg", *more]) for more in ([], ["save_every=5"]))
    keys = METHODS["gatys"].keys
    assert arguments.settings(plain, keys) == arguments.settings(often, keys) and often.save_every == 5
    assert methods.provenance(plain, "gatys", None) == methods.provenance(often, "gatys", None)
    often.content = str(tmp_path / "a.mp4")
    with pytest.raises(GessoError, match=r"save_every= .* of a film, a\.mp4"):
        arguments.find_contents(often)
