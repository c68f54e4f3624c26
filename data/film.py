"""Films, frame by frame: memory does not grow with their length. Needs PyAV, which brings FFmpeg's libraries."""

import io
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np

from core.errors import GessoError
from core.files import atomic, unfinished

log = logging.getLogger(__name__)

SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv", ".mts", ".m2ts", ".3gp", ".flv",
    ".ogv",
)  # fmt: skip
OUTPUTS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}  # hold H.264 and any timestamps

# FFmpeg's numbers. Matrices between YUV and RGB: all that it can apply, and two of them. Ranges; no known colours.
MATRICES, BT709, BT601 = (1, 4, 5, 6, 7, 9), 1, 6
LIMITED, FULL, UNSPECIFIED = 1, 2, 2
EXACT = 0x46004  # bicubic, full chroma both ways, accurate rounding: else every film gets a little darker

Stylize = Callable[[Iterator[np.ndarray]], Iterable[np.ndarray]]


@dataclass(frozen=True)
class Film:
    """What is known of the film in file `path`. Iterating decodes it, from its beginning, as often as asked:
    uint8 [height, width, 3], upright, in the colours that it has (sRGB, but for HDR and wide gamuts).

    `rate`: frames a second, on average. `frames`: how many, as the file says or as its duration tells, None if
    it does not. `start`: seconds, when it begins in the file: in recordings of broadcasts at any time, here at 0.
    `time_base`: seconds that timestamps count in; `aspect`: of a pixel, width to height.
    `colours`: FFmpeg's numbers of matrix, primaries and curve.
    """

    path: Path
    width: int
    height: int
    rate: Fraction
    frames: int | None
    start: Fraction
    time_base: Fraction
    aspect: Fraction
    colours: tuple[int, int, int]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (pixels for pixels, _, _ in self.timed())

    def timed(self) -> Iterator[tuple[np.ndarray, int, int]]:
        """Yields (frame, timestamp, duration or 0), both in `time_base`; timestamps rise strictly."""
        last = size = None
        start = round(self.start / self.time_base)
        for frame in _decode(self.path):
            size = size or (frame.width, frame.height)
            if frame.pts is None:
                step = frame.duration or max(1, round(1 / (self.rate * self.time_base)))
                pts = 0 if last is None else last + step
            else:
                pts = frame.pts - start
            last = pts if last is None else max(pts, last + 1)  # an encoder refuses two frames at one time
            yield _pixels(frame, *size), last, frame.duration


def is_film(path: str | Path) -> bool:
    """Whether `path` has the suffix of a film; a GIF is a picture here."""
    return Path(path).suffix.lower() in SUFFIXES


def open(path: str | Path) -> Film:
    """Looks at the first frame. Raises `GessoError` for all that is no film with moving pictures."""
    path = Path(path)
    with _opened(path) as container:
        stream = _pictures(container, path)
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        frames = stream.frames or round((container.duration or 0) * rate / 10**6) or None
        start, time_base = Fraction(max(0, container.start_time or 0), 10**6), stream.time_base
        aspect = stream.sample_aspect_ratio or Fraction(1)
    frame = next(_decode(path), None)
    if frame is None:
        raise GessoError(f"{path} is damaged: not one frame of it can be decoded.")
    height, width, _ = _pixels(frame, frame.width, frame.height).shape
    aspect = 1 / aspect if _axes(frame)[0] else aspect
    colours = (frame.colorspace, frame.color_primaries or UNSPECIFIED, frame.color_trc or UNSPECIFIED)
    return Film(path, width, height, rate, frames, start, time_base, aspect, colours)


def suffix(path: str | Path) -> str:
    """The suffix for a film made of the film `path`: its own, or of a kind that can hold its sound."""
    own = Path(path).suffix.lower()
    if own in OUTPUTS:
        return own
    try:
        with _opened(Path(path)) as source:
            return next(suffix for suffix, kind in OUTPUTS.items() if _misfit(source, kind) is None)
    except (GessoError, StopIteration):  # to be said when the film is read
        return ".mp4"


def write(source: str | Path, output: str | Path, stylize: Stylize, metadata: Mapping[str, str]) -> None:
    """The film `source` with other frames, as H.264 in `output`: the same timestamps, the sound copied as it is.

    `stylise` gets an iterator of frames, uint8 [height, width, 3], and yields as many, in their order, all of one
    size. It may read ahead, a batch or so. `metadata` becomes the comment of the file, which appears when all is
    done; where it cannot be, the frames that are done are left in <name>.partial<suffix>. Raises `GessoError` if
    the source cannot be read, or the output not be written or not hold the sound; `ValueError` for other numbers
    of frames, or sizes.
    """
    film, output = open(source), Path(output)
    kind = OUTPUTS.get(output.suffix.lower())
    if kind is None:
        raise GessoError(f"{output}: films are written as {' '.join(OUTPUTS)}; choose one of these suffixes.")
    import av

    with _opened(film.path) as sound:  # now, not after minutes of painting
        if misfit := _misfit(sound, kind):
            others = [suffix for suffix, other in OUTPUTS.items() if _misfit(sound, other) is None]
            advice = f"The suffix {others[0]} can." if others else "Convert it to AAC first."
            raise GessoError(f"{output} cannot hold the sound of {source} ({misfit}). {advice}")
    times: deque[tuple[int, int]] = deque()  # of the frames that are with `stylise`
    handed_out = _hand_out(film, times)
    stylized = iter(stylize(handed_out))
    first = next(stylized, None)
    if first is None:
        raise ValueError("stylise gave no frames")
    options = {} if kind == "matroska" else {"movflags": "faststart"}  # plays while it is still loading
    try:
        with (
            atomic(output) as temporary,
            av.open(f"file:{temporary}", "w", format=kind, options=options) as target,
            _opened(film.path) as sound,
        ):
            target.metadata["comment"] = "; ".join(f"{key}: {value}" for key, value in metadata.items())
            stream = _encoder(target, film, first)
            packets = _sound(sound, target, film)
            packet = next(packets, None)
            try:
                for pixels in chain([first], stylized):
                    if not times:
                        raise ValueError("stylise gave more frames than it got")
                    pts, duration = times.popleft()
                    # Sound and pictures in step: whatever comes too early, the container has to keep in memory.
                    while packet is not None and packet.dts * packet.time_base <= pts * film.time_base:
                        target.mux(packet)
                        packet = next(packets, None)
                    target.mux(stream.encode(_frame(pixels, film, stream, pts, duration)))
                if times or next(handed_out, None) is not None:
                    raise ValueError("stylise gave fewer frames than the film has")
                target.mux(stream.encode(None))
                while packet is not None:
                    target.mux(packet)
                    packet = next(packets, None)
            except BaseException:  # Ctrl-C too: what took hours must not be lost
                _keep(target, stream, temporary, output)
                raise
    except av.FFmpegError as error:
        raise GessoError(f"Could not write {output}: {error.strerror}.") from error


def _keep(target, stream, temporary: Path, output: Path) -> None:
    """Finishes a film before its end, under a name that says so."""
    partial = unfinished(output)
    with suppress(Exception):  # of which there is nothing more if it stopped at the very end
        target.mux(stream.encode(None))
    with suppress(Exception):  # what stopped it may stop this too, a full disk for one
        target.close()
        os.replace(temporary, partial)
        log.warning("The frames that are done: %s", partial)


def _hand_out(film: Film, times: deque[tuple[int, int]]) -> Iterator[np.ndarray]:
    """The frames; their timestamps and durations are put into `times`."""
    count = 0
    for pixels, pts, duration in film.timed():
        times.append((pts, duration))
        count += 1
        yield pixels
    if film.frames and count < 0.9 * film.frames:
        log.warning("%s ends early: it says %d frames and has %d", film.path, film.frames, count)


def _opened(path: Path):
    try:
        import av
    except ImportError:
        raise GessoError("Films need PyAV: .venv/bin/pip install av") from None
    try:
        return av.open(f"file:{path}", metadata_errors="replace")  # else "a:b.mp4" is an address
    except FileNotFoundError:
        reason = "does not exist"
    except IsADirectoryError:
        reason = "is a folder, not a film"
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    except av.FFmpegError as error:
        reason = "is empty" if path.stat().st_size == 0 else f"is no film, or damaged ({error.strerror})"
    raise GessoError(f"{path} {reason}.")


def _pictures(container, path: Path):
    """The first stream of moving pictures; the cover of an album is none."""
    for stream in container.streams.video:
        if stream.codec_context is not None and not stream.disposition & stream.disposition.attached_pic:
            return stream
    raise GessoError(f"{path} has no moving pictures that can be decoded.")


def _packets(container, streams, path: Path):
    import av

    try:
        yield from container.demux(*streams)
    except av.FFmpegError as error:
        raise GessoError(f"{path} cannot be read to its end: {error.strerror}.") from error


def _decode(path: Path):
    """All frames, in the order they are shown. Damaged ones are left out or patched up, with a warning, as any
    player would: hours of work are not thrown away for one of them."""
    import av

    damaged = 0
    with _opened(path) as container:
        stream = _pictures(container, path)
        stream.thread_type = "AUTO"
        for packet in _packets(container, [stream], path):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                damaged += 1
                continue
            damaged += sum(frame.is_corrupt for frame in frames)
            yield from frames
    if damaged:
        log.warning("%s is damaged: %d of its frames are missing or patched up", path, damaged)


def _pixels(frame, width: int, height: int) -> np.ndarray:
    """uint8 [height, width, 3] of a frame brought to `width` x `height`, then turned upright."""
    frame.colorspace = _matrix(frame)
    pixels = frame.reformat(width, height, "rgb24", dst_color_range=FULL, interpolation=EXACT).to_ndarray()
    swapped, mirrored, upended = _axes(frame)
    if swapped:
        pixels = pixels.swapaxes(0, 1)
    return np.ascontiguousarray(pixels[:: -1 if upended else 1, :: -1 if mirrored else 1])


def _axes(frame) -> tuple[bool, bool, bool]:
    """How a phone held the film: whether to swap its axes, and then to mirror it, and to turn it upside down."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False, False, False
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].tolist()  # x' = a x + c y, y' = b x + d y
    return (True, c < 0, b < 0) if abs(b) > abs(a) else (False, a < 0, d < 0)


def _matrix(frame) -> int:
    """Between YUV and RGB; where the film does not say, that of its size, as players guess too."""
    if frame.colorspace in MATRICES:
        return frame.colorspace
    return BT709 if frame.width >= 1280 or frame.height > 576 else BT601


def _encoder(target, film: Film, first: np.ndarray):
    """The stream for pictures of the first one's size. Chroma is halved as everywhere, unless a side is odd."""
    height, width, _ = first.shape
    stream = target.add_stream("libx264", rate=film.rate, options={"crf": "18", "preset": "medium"})
    stream.width, stream.height = width, height
    stream.pix_fmt = "yuv444p" if width % 2 or height % 2 else "yuv420p"
    stream.time_base = stream.codec_context.time_base = film.time_base  # 1 / rate would round variable rates
    context = stream.codec_context
    context.sample_aspect_ratio = film.aspect
    context.colorspace, context.color_primaries, context.color_trc = film.colours
    context.color_range = LIMITED
    context.flags |= 1 << 8  # frame_duration: the last frame, too, stays as long as it did
    context.thread_type = "AUTO"  # slices, the default, cost quality
    return stream


def _frame(pixels: np.ndarray, film: Film, stream, pts: int, duration: int):
    import av

    if pixels.shape != (stream.height, stream.width, 3):
        raise ValueError(f"stylise gave a frame {pixels.shape} after others of {stream.height} x {stream.width}")
    rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
    rgb.colorspace, rgb.color_primaries, rgb.color_trc = film.colours
    frame = rgb.reformat(format=stream.pix_fmt, dst_color_range=LIMITED, interpolation=EXACT)
    frame.pts, frame.duration, frame.time_base = pts, duration, film.time_base
    return frame


def _misfit(container, kind: str) -> str | None:
    """The name of a codec of sound that films of that kind cannot hold; None if they hold all that there is."""
    import av

    target = av.open(io.BytesIO(), "w", format=kind)  # never begun, so there is nothing to finish
    for stream in container.streams.audio:
        try:
            if stream.codec_context is not None:
                target.add_stream_from_template(stream)
        except ValueError:
            return stream.codec_context.name
    return None


def _sound(container, target, film: Film):
    """Adds all streams of sound to `target`; then yields their packets, one after the other."""
    copies = {}
    for stream in container.streams.audio:
        if stream.codec_context is None:
            log.warning("%s: sound of a kind that FFmpeg does not know is left out", film.path)
            continue
        copy = copies[stream.index] = target.add_stream_from_template(stream)
        copy.metadata.update({key: stream.metadata[key] for key in ("language", "title") if key in stream.metadata})
        copy.disposition = stream.disposition
    for packet in _packets(container, [container.streams[i] for i in copies], film.path) if copies else ():
        if packet.dts is not None:  # the last one of each stream is empty
            start = round(film.start / packet.time_base)
            packet.dts -= start
            packet.pts = None if packet.pts is None else packet.pts - start
            packet.stream = copies[packet.stream.index]
            yield packet
