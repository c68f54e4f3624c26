"""Films of strangers: a file that is no film must not make FFmpeg open others."""

import numpy as np
import pytest

av = pytest.importorskip("av", reason="films need PyAV")

from core.errors import GessoError  # noqa: E402
from data import film, film_writer  # noqa: E402


def make(path, kind, codec="libx264", side=32):
    with av.open(str(path), "w", format=kind) as container:
        stream = container.add_stream(codec, rate=10, width=side, height=side, pix_fmt="yuv420p")
        for value in (0, 99, 200):
            frame = av.VideoFrame.from_ndarray(np.full((side, side, 3), value, np.uint8), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n"
LISTS = [
    "ffconcat version 1.0\nfile private.mp4\n",
    "ffconcat version 1.0\nfile 'private.mp4'\nduration 1\n" + "#" * 4096,
    PLAYLIST.format("private.ts"),
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet><Representation>'
    "<BaseURL>private.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nm=video 5004 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n",
]


@pytest.mark.parametrize("text", LISTS)
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ffconcat", "a.m3u8"])
def test_a_list_of_other_files_is_no_film(tmp_path, monkeypatch, text, name):
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "private.mp4", "mp4")
    make(tmp_path / "private.ts", "mpegts")
    (tmp_path / name).write_text(text)
    for path in (name, tmp_path / name):
        with pytest.raises(GessoError, match=r"is of no kind that is read|is no film"):
            film.open(path)
        with pytest.raises(GessoError):
            film_writer.write(path, tmp_path / "out.mp4", lambda frames: frames, {})
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    "name", ["concat:private.mp4", "subfile,,start,0,end,9999,,:private.mp4", "file:private.mp4"]
)
def test_names_are_names_of_files_not_of_protocols(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "private.mp4", "mp4")
    with pytest.raises(GessoError, match="does not exist"):
        film.open(name)


@pytest.mark.parametrize(
    ("name", "kind", "codec"),
    [
        ("a.mp4", "mp4", "libx264"), ("a.mov", "mov", "libx264"), ("a.3gp", "3gp", "libx264"),
        ("a.mkv", "matroska", "libx264"), ("a.webm", "webm", "libvpx-vp9"), ("a.avi", "avi", "mpeg4"),
        ("a.mts", "mpegts", "libx264"), ("a.wmv", "asf", "wmv2"), ("a.flv", "flv", "flv"),
        ("a.mpg", "mpeg", "mpeg2video"), ("a.ogv", "ogg", "libvpx"),
    ],
)  # fmt: skip
def test_containers_of_films_are_read(tmp_path, name, kind, codec):
    assert len(list(film.open(make(tmp_path / name, kind, codec)))) == 3


def test_frames_beyond_all_screens_are_refused(tmp_path, monkeypatch):
    path = make(tmp_path / "a.mp4", "mp4")
    monkeypatch.setattr(film, "LARGEST", 31 * 32)
    with pytest.raises(GessoError, match="32x32 px, which is too large"):
        film.open(path)
