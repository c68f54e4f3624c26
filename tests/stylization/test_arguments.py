import os

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

from core.errors import GessoError
from data import picture
from stylization import arguments


def test_settings_tell_what_was_painted_with_and_no_folder():
    config = OmegaConf.create(
        {"content": "/home/me/a.jpg", "style": ["/home/me/b.jpg", "c.jpg"], "size": 512, "tile": None, "steps": 9}
    )
    told = arguments.settings(config, ["style"])
    assert told["Settings"] == "style=[b.jpg,c.jpg] size=512"
    assert (
        told["Settings-SHA256"] != arguments.settings(OmegaConf.merge(config, {"tile": 64}), [])["Settings-SHA256"]
    )


def test_an_interrupted_folder_goes_on(tmp_path):
    jobs = [(tmp_path / f"{i}.jpg", tmp_path / f"{i}.png") for i in range(4)]
    for content, _ in jobs:
        Image.new("RGB", (4, 4)).save(content)
    chunks, pixels = {"Model": "gatys", "Settings": "steps=1"}, np.zeros((4, 4, 3), np.uint8)
    picture.write(jobs[0][1], pixels, chunks)
    picture.write(jobs[1][1], pixels, chunks | {"Settings": "steps=2"})  # by another command
    picture.write(jobs[2][1], pixels, chunks)
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


def test_outputs_that_are_in_the_way_are_refused(tmp_path):
    config = OmegaConf.create({"content": str(tmp_path), "output": str(tmp_path), "depth": 8})
    files = [tmp_path / name for name in ("a.jpg", "a.png", "a.jpg.png")]
    with pytest.raises(GessoError, match="the folder of content="):
        arguments.outputs(files, config)
    config.output = str(tmp_path / "painted")
    assert [output.name for _, output in arguments.outputs(files[:2], config)] == ["a.jpg.png", "a.png.png"]
    with pytest.raises(GessoError, match="Rename one of them"):
        arguments.outputs(files, config)
