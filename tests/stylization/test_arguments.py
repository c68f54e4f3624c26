import os

import numpy as np
from omegaconf import OmegaConf
from PIL import Image

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
    assert arguments.undone(jobs[:1], chunks) == jobs[:1]  # who asks for one picture gets it
