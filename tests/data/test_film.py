import sys
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av", reason="films need PyAV")

from core.errors import GessoError  # noqa: E402
from data import film, film_writer  # noqa: E402

METADATA = {"Software": "Gesso", "Source": "Made by a neural network", "Model": "none"}


def pictures(count: int, height: int, width: int) -> np.ndarray:
    """uint8 [count, height, width, 3]: smooth, and every one a little redder than the one before."""
    y, x, t = np.mgrid[0:height, 0:width, 0:count].astype(np.float32).transpose(0, 3, 1, 2)
    colours = (40 + 160 * t / count, 200 - 120 * x / width, 60 + 120 * y / height)
    return np.stack(colours, axis=-1).astype(np.uint8)


def make(
    path: Path,
    frames: np.ndarray,
    rate: Fraction = Fraction(25),
    pts: list[int] | None = None,
    time_base: Fraction | None = None,
    sounds: int = 1,
    rotation: dict | None = None,
    colours: tuple[int, int] = (1, 1),
    codec: str = "libx264",
    aspect: Fraction = Fraction(1),
    begin: int = 0,
) -> Path:
    """A film with as many tracks of AAC; `colours`: FFmpeg's numbers of matrix and range; `begin` in seconds."""
    _, height, width, _ = frames.shape
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=rate, options={"crf": "4", "preset": "ultrafast"})
        video.width, video.height = width, height
        video.pix_fmt = "yuv444p" if width % 2 or height % 2 else "yuv420p"
        video.codec_context.time_base = time_base or 1 / rate
        video.codec_context.colorspace, video.codec_context.color_range = colours
        video.codec_context.sample_aspect_ratio = aspect
        if rotation is not None:
            video.set_display_rotation(**rotation)
        tracks = [container.add_stream("aac", rate=44100, layout="mono") for _ in range(sounds)]
        for i, pixels in enumerate(frames):
            rgb = av.VideoFrame.from_ndarray(pixels, "rgb24")
            rgb.colorspace = colours[0]
            frame = rgb.reformat(format=video.pix_fmt, dst_color_range=colours[1], interpolation=film.EXACT)
            frame.pts, frame.time_base = (pts[i] if pts else i + round(begin * rate)), video.codec_context.time_base
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for track, pitch in zip(tracks, (440, 660), strict=False):
            for start in range(0, int(44100 * len(frames) / rate), 1024):
                wave = np.sin(2 * np.pi * pitch * np.arange(start, start + 1024) / 44100).astype(np.float32)
                samples = av.AudioFrame.from_ndarray(wave[None] * 0.3, "fltp", "mono")
                samples.sample_rate, samples.time_base = 44100, Fraction(1, 44100)
                samples.pts = begin * 44100 + start
                container.mux(track.encode(samples))
            container.mux(track.encode(None))
    return path


def packets(path: Path) -> list[list[tuple[Fraction, Fraction, bytes]]]:
    """Of each stream in turn, [time in seconds, duration, content] of its packets."""
    with av.open(str(path)) as container:
        found = [[] for _ in container.streams]
        for packet in container.demux():
            if packet.size:
                times = packet.pts * packet.time_base, packet.duration * packet.time_base
                found[packet.stream.index].append((*times, bytes(packet)))
    return found


def times(path: Path) -> list[Fraction]:
    """When each frame of the film is shown, in seconds, and last when the film is over."""
    with av.open(str(path)) as container:
        return [*sorted(packet[0] for packet in packets(path)[0]), Fraction(container.duration, 10**6)]


def same(frames):
    return frames


def difference(a, b) -> float:
    return float(np.mean([np.abs(x.astype(int) - y).mean() for x, y in zip(a, b, strict=True)]))


@pytest.fixture(scope="module")
def bunny(test_data, tmp_path_factory):
    """The first seconds of a real film, its packets as they are."""

    def cut(name: str, seconds: float) -> Path:
        path = tmp_path_factory.mktemp("cut") / name
        with av.open(str(test_data / "video" / name)) as source, av.open(str(path), "w") as target:
            copies = [target.add_stream_from_template(stream, opaque=True) for stream in source.streams]
            for packet in source.demux():
                if packet.size and packet.dts * packet.time_base < seconds:
                    packet.stream = copies[packet.stream.index]
                    target.mux(packet)
        return path

    return cut


def test_films_are_known_by_their_suffix():
    assert all(film.is_film(name) for name in ("a.mp4", "a.MOV", Path("b/c.mkv"), "a.webm", "a.avi", "a.m4v"))
    assert not any(film.is_film(name) for name in ("a.gif", "a.png", "mp4", "a", ""))


def test_what_is_known_of_a_film(tmp_path):
    frames = pictures(12, 48, 64)
    found = film.open(make(tmp_path / "a.mp4", frames, Fraction(30000, 1001)))
    assert (found.width, found.height, found.frames) == (64, 48, 12)
    assert found.rate == Fraction(30000, 1001) and found.aspect == 1
    for _ in range(2):  # it can be seen more than once
        shown = list(found)
        assert all(frame.shape == (48, 64, 3) and frame.dtype == np.uint8 for frame in shown)
        assert difference(shown, frames) < 1.5


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".m4v"])
def test_everything_but_the_pictures_stays(tmp_path, suffix):
    source = make(tmp_path / f"in{suffix}", pictures(30, 48, 64), Fraction(24), sounds=2)
    output = tmp_path / f"out{suffix}"
    film_writer.write(source, output, lambda frames: (255 - frame for frame in frames), METADATA)
    assert difference(film.open(output), 255 - pictures(30, 48, 64)) < 1.5
    before, after = packets(source), packets(output)
    assert len(after) == 3 and len(before[1]) > 50
    assert after[1:] == before[1:]  # both tracks of sound, times and content
    assert times(output) == times(source)
    one, other = film.open(source), film.open(output)
    assert (one.rate, one.frames) == (other.rate, other.frames)
    with av.open(str(output)) as b:
        comment = {key.lower(): value for key, value in b.metadata.items()}["comment"]
        assert comment == "Software: Gesso; Source: Made by a neural network; Model: none"
        assert b.streams.video[0].codec_context.name == "h264"
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"in{suffix}", f"out{suffix}"]


def test_variable_frame_rates_stay_variable(tmp_path):
    pts = [0, 40, 80, 200, 210, 500, 501, 900, 1000, 1700]
    source = make(tmp_path / "a.mp4", pictures(10, 48, 64), pts=pts, time_base=Fraction(1, 1000))
    film_writer.write(source, tmp_path / "b.mp4", same, METADATA)
    *shown, end = times(tmp_path / "b.mp4")
    assert shown == [Fraction(value, 1000) for value in pts]
    assert abs(end - times(source)[-1]) < 0.1  # where frames are reordered, FFmpeg tells it less exactly


@pytest.mark.parametrize(("height", "width"), [(47, 64), (48, 63), (33, 35)])
def test_odd_sides_stay_odd(tmp_path, height, width):
    frames = pictures(6, height, width)
    source = make(tmp_path / "a.mp4", frames)
    film_writer.write(source, tmp_path / "b.mp4", same, METADATA)
    assert np.stack(list(film.open(tmp_path / "b.mp4"))).shape == (6, height, width, 3)
    assert difference(film.open(tmp_path / "b.mp4"), film.open(source)) < 2.5  # so small that every edge counts


def test_names_with_colons(tmp_path, monkeypatch):
    """FFmpeg takes what stands before a colon for a protocol."""
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "a.mp4", pictures(3, 48, 64)).rename("part 1: a.mp4")
    film_writer.write("part 1: a.mp4", "part 1: %d.mp4", same, METADATA)
    assert film.open("part 1: %d.mp4").frames == 3


def test_another_size(tmp_path):
    source = make(tmp_path / "a.mp4", pictures(8, 48, 64))
    film_writer.write(source, tmp_path / "b.mp4", lambda frames: (frame[::2, ::2] for frame in frames), METADATA)
    found = film.open(tmp_path / "b.mp4")
    assert (found.width, found.height, found.frames) == (32, 24, 8)


@pytest.mark.parametrize("hflip", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_upright_however_the_phone_was_held(tmp_path, degrees, hflip):
    """Degrees are counter-clockwise, as are `np.rot90`'s."""
    frames = pictures(3, 48, 64)
    source = make(tmp_path / "a.mp4", frames, rotation={"degrees": degrees, "hflip": hflip})
    upright = np.rot90(frames, degrees // 90, axes=(1, 2))
    upright = upright[:, :, ::-1] if hflip else upright
    found = film.open(source)
    assert (found.height, found.width) == upright.shape[1:3]
    assert difference(found, upright) < 1.5
    film_writer.write(source, tmp_path / "b.mp4", same, METADATA)  # is upright without being told so
    assert difference(film.open(tmp_path / "b.mp4"), upright) < 1.5


@pytest.mark.parametrize(("degrees", "expected"), [(0, Fraction(4, 3)), (90, Fraction(3, 4))])
def test_pixels_that_are_not_square(tmp_path, degrees, expected):
    source = make(tmp_path / "a.mp4", pictures(3, 48, 64), aspect=Fraction(4, 3), rotation={"degrees": degrees})
    film_writer.write(source, tmp_path / "b.mp4", same, METADATA)
    assert film.open(source).aspect == film.open(tmp_path / "b.mp4").aspect == expected


@pytest.mark.parametrize("colours", [(1, 1), (6, 1), (9, 1), (1, 2), (2, 1)])
def test_colours_stay(tmp_path, colours):
    """Whatever the matrix and the range: those of BT.709, BT.601, BT.2020, full, unknown."""
    frames = np.full((4, 48, 64, 3), (200, 40, 90), np.uint8)
    frames[2:] = 10, 220, 130
    source = make(tmp_path / "a.mp4", frames, colours=colours)
    film_writer.write(source, tmp_path / "b.mp4", same, METADATA)
    for path in (source, tmp_path / "b.mp4"):
        shown = np.stack(list(film.open(path))).astype(int)
        assert np.abs(shown - frames).max() <= 3
        assert np.abs((shown - frames).mean(axis=(0, 1, 2))).max() <= 1.5
    with av.open(str(tmp_path / "b.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert context.color_range == film.LIMITED
        assert context.colorspace == {2: film.BT601}.get(colours[0], colours[0])


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "mpeg4"), ("a.webm", "libvpx")])
def test_other_containers_are_read(tmp_path, name, codec):
    frames = pictures(10, 48, 64)
    source = make(tmp_path / name, frames, sounds=0, codec=codec)
    film_writer.write(source, tmp_path / "b.mp4", same, METADATA)
    assert difference(film.open(tmp_path / "b.mp4"), film.open(source)) < 2
    assert film.open(tmp_path / "b.mp4").rate == 25
    assert times(tmp_path / "b.mp4")[:-1] == [Fraction(i, 25) for i in range(10)]


def test_reading_ahead(tmp_path):
    """In batches, as networks like it."""
    frames = pictures(10, 48, 64)
    source = make(tmp_path / "a.mp4", frames)

    def batched(iterator):
        while batch := list(islice(iterator, 4)):
            yield from batch

    film_writer.write(source, tmp_path / "b.mp4", batched, METADATA)
    assert difference(film.open(tmp_path / "b.mp4"), frames) < 1.5
    assert times(tmp_path / "b.mp4") == times(source)


def test_no_more_is_read_than_asked_for(tmp_path):
    """Neither frames nor sound run ahead of the pictures that are written."""
    source, lead = make(tmp_path / "a.mp4", pictures(40, 48, 64)), []

    def one_by_one(iterator):
        for number, frame in enumerate(iterator):
            lead.append(number)
            yield frame
            assert len(lead) == number + 1

    film_writer.write(source, tmp_path / "b.mp4", one_by_one, METADATA)
    assert lead == list(range(40))


def failing(frames):
    yield next(frames)
    raise GessoError("no more paint")


@pytest.mark.parametrize(
    ("stylize", "error", "message"),
    [
        (failing, GessoError, "no more paint"),
        (lambda frames: islice(frames, 3), ValueError, "fewer"),
        (lambda frames: iter(()), ValueError, "no frames"),
        (lambda frames: list(frames)[:-1], ValueError, "fewer"),
        (lambda frames: (frame[i:] for i, frame in enumerate(frames)), ValueError, "stylize gave a frame"),
        (lambda frames: (frame for frame in frames for _ in range(2)), ValueError, "more"),
    ],
)
def test_no_output_appears_when_it_fails(tmp_path, stylize, error, message):
    source = make(tmp_path / "a.mp4", pictures(8, 48, 64))
    (tmp_path / "b.mp4").write_text("what was there")
    with pytest.raises(error, match=message):
        film_writer.write(source, tmp_path / "b.mp4", stylize, METADATA)
    assert (tmp_path / "b.mp4").read_text() == "what was there"
    assert {path.name for path in tmp_path.iterdir()} - {"b.partial.mp4"} == {"a.mp4", "b.mp4"}


@pytest.mark.parametrize("error", [GessoError("no more paint"), KeyboardInterrupt()])
def test_frames_that_are_done_are_kept(tmp_path, error):
    """Hours of them, it may be."""

    def stylize(frames):
        yield from islice(frames, 5)
        raise error

    source = make(tmp_path / "a.mp4", pictures(8, 48, 64))
    with pytest.raises(type(error)):
        film_writer.write(source, tmp_path / "b.mp4", stylize, METADATA)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.partial.mp4"]
    assert len(list(film.open(tmp_path / "b.partial.mp4"))) == 5
    with pytest.raises(type(error)):
        film_writer.write(tmp_path / "b.partial.mp4", tmp_path / "b.mp4", stylize, METADATA)
    assert (tmp_path / "b.partial1.mp4").exists()


def test_ctrl_c_after_the_last_frame_keeps_the_film(tmp_path, monkeypatch):
    """Before the encoder has handed out its last frames."""
    encoder = film_writer._encoder

    class Interrupted:
        def __init__(self, *args):
            self.stream, self.heard = encoder(*args), False

        def __getattr__(self, name: str):
            return getattr(self.stream, name)

        def encode(self, frame):
            if frame is None and not self.heard:
                self.heard = True
                raise KeyboardInterrupt
            return self.stream.encode(frame)

    monkeypatch.setattr(film_writer, "_encoder", Interrupted)
    source = make(tmp_path / "a.mp4", pictures(8, 48, 64))
    with pytest.raises(KeyboardInterrupt):
        film_writer.write(source, tmp_path / "b.mp4", same, METADATA)
    assert len(list(film.open(tmp_path / "b.partial.mp4"))) == 8


def test_what_is_no_film_has_a_reason(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no film at all, " * 50)
    (tmp_path / "folder.mp4").mkdir()
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        track = container.add_stream("aac", rate=44100, layout="mono")
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        samples.sample_rate = 44100
        container.mux([*track.encode(samples), *track.encode(None)])
    whole = make(tmp_path / "whole.mp4", pictures(8, 48, 64)).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    for name, reason in (
        ("none", "does not exist"),
        ("empty", "is empty"),
        ("text", "is no film"),
        ("folder", "is a folder"),
        ("sound", "has no moving pictures"),
        ("cut", "is no film, or damaged"),
    ):
        with pytest.raises(GessoError, match=rf"{name}\.mp4 {reason}"):
            film.open(tmp_path / f"{name}.mp4")
        with pytest.raises(GessoError, match=rf"{name}\.mp4 {reason}"):
            film_writer.write(tmp_path / f"{name}.mp4", tmp_path / "out.mp4", same, METADATA)
        assert not (tmp_path / "out.mp4").exists()


def test_without_pyav(tmp_path, monkeypatch):
    source = make(tmp_path / "a.mp4", pictures(2, 48, 64))
    monkeypatch.setitem(sys.modules, "av", None)
    assert film.is_film(source)
    with pytest.raises(GessoError, match="pip install av"):
        film_writer.write(source, tmp_path / "b.mp4", same, METADATA)


def test_a_film_that_ends_early_is_made_as_far_as_it_goes(tmp_path, caplog):
    source = make(tmp_path / "a.mkv", pictures(50, 144, 192), sounds=0)
    (tmp_path / "cut.mkv").write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    film_writer.write(tmp_path / "cut.mkv", tmp_path / "b.mkv", same, METADATA)
    assert 5 < len(list(film.open(tmp_path / "b.mkv"))) < 45
    assert "ends early" in caplog.text


def test_sound_that_is_longer_than_the_pictures_is_no_early_end(tmp_path, caplog):
    with av.open(tmp_path / "a.mkv", "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width, video.height = 64, 48
        track = container.add_stream("pcm_u8", rate=44100, layout="mono")
        for picture in pictures(20, 48, 64):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(video.encode())
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 3 * 44100), np.uint8), format="u8", layout="mono")
        sound.sample_rate = 44100
        container.mux(track.encode(sound))
        container.mux(track.encode())
    film_writer.write(tmp_path / "a.mkv", tmp_path / "b.mkv", same, METADATA)
    assert len(list(film.open(tmp_path / "b.mkv"))) == 20
    assert "ends early" not in caplog.text


def test_outputs_that_cannot_be(tmp_path):
    source = make(tmp_path / "a.mp4", pictures(2, 48, 64))
    for name in ("b.webm", "b.avi", "b.png", "b"):
        with pytest.raises(GessoError, match=r"\.mp4 \.m4v \.mov \.mkv"):
            film_writer.write(source, tmp_path / name, same, METADATA)
    (tmp_path / "file").touch()
    with pytest.raises(GessoError, match="Could not write"):
        film_writer.write(source, tmp_path / "file" / "b.mp4", same, METADATA)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_film_that_begins_late_begins_at_once(tmp_path, suffix):
    frames = pictures(12, 48, 64)
    late = make(tmp_path / "a.ts", frames, begin=5000)
    with av.open(str(late)) as container:
        assert container.start_time > 10**6
    source, output = late.rename(tmp_path / "a.mts"), tmp_path / f"b{suffix}"
    film_writer.write(source, output, same, METADATA)
    shown, expected = times(output), times(make(tmp_path / "c.mp4", frames))
    assert len(shown) == len(expected) == 13
    assert shown[0] < 0.05 and shown[-1] < expected[-1] + 0.1


def test_sound_that_the_container_cannot_hold(tmp_path):
    source = tmp_path / "a.avi"
    with av.open(str(source), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        track = container.add_stream("pcm_u8", rate=44100, layout="mono")
        samples = av.AudioFrame.from_ndarray(np.full((1, 2048), 128, np.uint8), "u8", "mono")
        samples.sample_rate = 44100
        for i in range(3):
            frame = av.VideoFrame.from_ndarray(pictures(3, 48, 64)[i], "rgb24")
            container.mux(video.encode(frame))
        container.mux([*video.encode(None), *track.encode(samples), *track.encode(None)])
    with pytest.raises(GessoError, match=r"b\.mp4 cannot hold the sound of .*a\.avi \(pcm_u8\)\. .*\.mov can"):
        film_writer.write(source, tmp_path / "b.mp4", same, METADATA)
    assert not (tmp_path / "b.mp4").exists()
    assert film_writer.suffix(source) == ".mov"
    film_writer.write(source, tmp_path / "b.mov", same, METADATA)
    before, after = packets(source)[1], packets(tmp_path / "b.mov")[1]
    assert b"".join(packet[2] for packet in before) == b"".join(packet[2] for packet in after)


@pytest.mark.parametrize(("name", "seconds", "rate"), [("cutBunny.mp4", 1, 24), ("bigbuckbunny.mp4", 0.4, 25)])
def test_real_films(tmp_path, bunny, name, seconds, rate):
    source = bunny(name, seconds)
    film_writer.write(source, tmp_path / "b.mp4", same, METADATA)
    before, after = film.open(source), film.open(tmp_path / "b.mp4")
    assert after.rate == before.rate == rate
    assert after.frames == before.frames and after.frames >= seconds * rate
    assert packets(tmp_path / "b.mp4")[1] == packets(source)[1]
    assert times(tmp_path / "b.mp4") == times(source)
    one, other = (np.stack(list(item)).astype(np.float32) for item in (before, after))
    assert np.abs(one - other).mean() < 2.5
    assert np.abs((one - other).mean(axis=(0, 1, 2))).max() < 0.5  # no tint, no shade
