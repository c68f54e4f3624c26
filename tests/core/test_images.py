import numpy as np
from omegaconf import OmegaConf
from PIL import Image

from core.images import config_hash, grid, provenance, save_gif, save_png, to_uint8


def test_to_uint8_ends_and_middle():
    values = to_uint8(np.array([-1.0, 0.0, 1.0, 3.0, -2.0]))
    assert values.tolist() == [0, 128, 255, 255, 0]


def test_to_uint8_is_the_inverse_of_the_data():
    every = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(to_uint8(every.astype("float32") / 127.5 - 1), every)


def test_grid_places_row_by_row_on_white():
    images = np.stack([np.full((4, 6, 3), i, np.uint8) for i in range(5)])
    sheet = grid(images, columns=3, gap=1)
    assert sheet.shape == (2 * 5 + 1, 3 * 7 + 1, 3)
    assert sheet[1, 1, 0] == 0 and sheet[1, 8, 0] == 1 and sheet[6, 1, 0] == 3
    assert (sheet[6:10, 15:21] == 255).all()  # the empty sixth place
    assert grid(images[:4]).shape[0] == grid(images[:4]).shape[1] - 4  # 2 x 2


def test_png_carries_provenance_and_pixels(tmp_path):
    config = OmegaConf.create({"b": 1, "a": 2})
    chunks = provenance("dcgan", config, 7)
    image = np.random.default_rng(0).integers(0, 255, (8, 9, 3), np.uint8)
    save_png(tmp_path / "x.png", image, chunks)
    with Image.open(tmp_path / "x.png") as loaded:
        np.testing.assert_array_equal(np.asarray(loaded), image)
        assert loaded.text["Software"].startswith("Gesso")
        assert loaded.text["Source"] == "Made by a neural network"
        assert (loaded.text["Model"], loaded.text["Seed"]) == ("dcgan", "7")
        assert loaded.text["Config-SHA256"] == config_hash(OmegaConf.create({"a": 2, "b": 1}))
        assert loaded.text["Config-SHA256"] != config_hash(OmegaConf.create({"a": 3, "b": 1}))


def test_grey_png_and_gif(tmp_path):
    frames = np.stack([np.full((5, 5, 1), v, np.uint8) for v in (0, 100, 200)])
    save_png(tmp_path / "x.png", frames[1], {})
    assert Image.open(tmp_path / "x.png").mode == "L"
    save_gif(tmp_path / "x.gif", frames, {"Model": "dcgan"})
    with Image.open(tmp_path / "x.gif") as film:
        assert film.n_frames == 3 and b"Model: dcgan" in film.info["comment"]
