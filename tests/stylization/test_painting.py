from functools import partial

import av
import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from core.errors import GessoError
from data import picture, picture_writer
from stylization import options, painting
from stylization.progress import watched
from stylization.resizing import resize_frame


def test_what_is_done_is_saved_on_the_way(tmp_path):
    """Killed at the seventh of ten evaluations, what was done at the sixth is there; finished, it is not needed."""
    content, output = tmp_path / "a.jpg", tmp_path / "out.png"
    Image.new("RGB", (6, 4)).save(content)

    def paint(until):
        def optimize(report):
            for i in range(10):
                if i == until:
                    raise RuntimeError("killed")
                report({"loss": 1.0 / (i + 1)}, np.full((4, 6, 3), i / 127.5 - 1, np.float32))
            return np.ones((4, 6, 3), np.float32)

        return lambda image, before: watched(optimize, image, 10, lambda painted: painted)

    with pytest.raises(RuntimeError):
        painting.paint_picture(content, output, paint(until=7), {"Model": "x"}, save_every=3)
    assert not output.exists()
    with Image.open(tmp_path / "out.partial.png") as left:
        assert np.unique(np.asarray(left)).tolist() == [5] and left.text["State"] == "unfinished"
    (tmp_path / "out.partial.png").unlink()
    painting.paint_picture(content, output, paint(until=None), {"Model": "x"}, save_every=3)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.jpg", "out.png"]


@pytest.mark.parametrize(("end", "size"), [(KeyboardInterrupt, (12, 8)), (None, (24, 16))])
def test_what_is_unfinished_goes_on_at_the_level_that_it_came_to(tmp_path, end, size):
    """A start of one's own has the size that it has; so has what is finished."""
    content, output = tmp_path / "a.jpg", tmp_path / "out.png"
    Image.new("RGB", (24, 16)).save(content)

    def optimize(report):
        report({"loss": 1.0}, np.zeros((8, 12, 3), np.float32))
        if end is not None:
            raise end
        return np.zeros((16, 24, 3), np.float32)

    paint = partial(painting.paint_picture, content, output)
    try:
        paint(lambda image, before: watched(optimize, image, 2, lambda painted: painted), {"Model": "x"})
        left = output
    except KeyboardInterrupt:
        left = tmp_path / "out.partial.png"
    with Image.open(left) as image:
        assert image.size == (24, 16)
    assert options.read_init(OmegaConf.create({"init": str(left)})).shape == (*size[::-1], 3)
    assert options.read_init(OmegaConf.create({"init": None})) is None


@pytest.mark.parametrize(
    ("said", "side"), [("12 px", 12), ("1000 px", 1000), ("15000 px", 24), ("9" * 5000 + " px", 24), ("0 px", 24)]
)
def test_a_level_that_gesso_would_not_write_is_passed_over(tmp_path, said, side):
    """A picture of a few hundred bytes would become one of gigabytes, or a number have too many digits."""
    text = PngInfo()
    text.add_text(options.LEVEL, said)
    Image.new("RGB", (24, 16)).save(tmp_path / "a.png", pnginfo=text)
    assert max(options.read_init(OmegaConf.create({"init": str(tmp_path / "a.png")})).shape) == side


def test_depth_is_of_what_was_painted(tmp_path):
    """A tone between two levels of 255 is written as it is."""
    content, output = tmp_path / "a.jpg", tmp_path / "out.png"
    Image.new("RGB", (6, 4)).save(content)
    tone = np.full((4, 6, 3), 1000.5 / 32767.5 - 1, np.float32)
    painting.paint_picture(content, output, lambda image, before: tone, {"Model": "x"}, depth=16)
    with av.open(output) as file:
        assert set(np.unique(next(file.decode(video=0)).to_ndarray(format="rgb48le"))) <= {1000, 1001}


def test_depth_is_of_the_content_too(tmp_path):
    """What is left as it is keeps all its bits."""
    pixels = np.random.default_rng(0).integers(0, 65536, (4, 6, 3), dtype=np.uint16)
    picture_writer.write(tmp_path / "a.tif", pixels, {})
    painting.paint_picture(tmp_path / "a.tif", tmp_path / "b.tif", lambda image, before: image, {}, depth=16)
    assert (picture.read(tmp_path / "b.tif", depth=16).pixels == pixels).all()


@pytest.mark.parametrize("end", [KeyboardInterrupt(), SystemExit(143)])
def test_outside_of_a_region_is_the_content_also_on_the_way(tmp_path, end):
    """Saved on the way, and when one stops, or is terminated; which of these is told by what is raised."""
    content, output, partial = tmp_path / "a.png", tmp_path / "out.png", tmp_path / "out.partial.png"
    Image.new("RGB", (6, 4), (255, 0, 0)).save(content)
    region = np.repeat(np.arange(6)[None] < 3, 4, 0).astype(np.float32)
    seen = []

    def optimize(report):
        report({"loss": 2.0}, np.full((2, 3, 3), -1, np.float32))  # at a coarse level
        seen.append(np.asarray(Image.open(partial)))
        raise end

    paint = painting.within(region, lambda image, before: watched(optimize, image, 2, lambda painted: painted))
    with pytest.raises(type(end)) as ended:
        painting.paint_all([(content, output)], paint, {"Model": "x"}, save_every=1)
    assert ended.value is end
    for found in (seen[0], np.asarray(Image.open(partial))):
        assert (found[:, :3] == 0).all() and (found[:, 3:] == (255, 0, 0)).all()


@pytest.mark.parametrize("size", [64, 201, 205, 211, 233, 1001])
def test_a_region_of_a_films_size_fits_its_frames(size):
    """Whose sides are even, whatever is asked for."""
    for width, height in ((1920, 1080), (640, 360), (853, 480)):
        frame = resize_frame(np.zeros((height, width, 3), np.uint8), size)
        options.check_shape("region", (height, width), frame.shape[:2])
        with pytest.raises(GessoError, match="another shape"):
            options.check_shape("region", (width, height), frame.shape[:2])
