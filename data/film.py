"""Films, frame by frame: memory does not grow with their length. Needs PyAV, which brings FFmpeg's libraries."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from core.errors import GessoError

log = logging.getLogger(__name__)

SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv", ".mts", ".m2ts", ".3gp", ".flv",
    ".ogv",
)  # fmt: skip
# FFmpeg's names of what holds these.
ONLY_FILMS = {
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegvideo,mpegts,asf,flv,ogg",
    "protocol_whitelist": "file",
}
LARGEST = 2**26  # pixels of a frame: twice those of 8K

# FFmpeg's numbers. Matrices between YUV and RGB: all that it can apply, and two of them. Ranges; no known colours.
MATRICES, BT709, BT601 = (1, 4, 5, 6, 7, 9), 1, 6
LIMITED, FULL, UNSPECIFIED = 1, 2, 2
EXACT = 0x46004  # bicubic, full chroma both ways, accurate rounding: else every film gets a little darker


@dataclass(frozen=True)
class Film:
    """What is known of the film in file `path`. Iterating decodes it, from its beginning, as often as asked:
    uint8 [height, width, 3], upright, in the colours that it has (sRGB, but for HDR and wide gamuts).

    `rate`: frames a second, on average. `frames`: how many, as the file says or as its duration tells, None if
    it does not. `start`: seconds, when it begins in the file: in recordings of broadcasts at any time, here at 0.
    `time_base`: seconds that timestamps count in; `aspect`: of a pixel, width to height.
    `colors`: FFmpeg's numbers of matrix, primaries and curve. `counted`: `frames` is not of its sound.
    """

    path: Path
    width: int
    height: int
    rate: Fraction
    frames: int | None
    start: Fraction
    time_base: Fraction
    aspect: Fraction
    colors: tuple[int, int, int]
    counted: bool = True

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
    with opened(path) as container:
        stream = _pictures(container, path)
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        seconds = (stream.duration or 0) * (stream.time_base or 0) or Fraction(container.duration or 0, 10**6)
        frames = stream.frames or round(seconds * rate) or None
        # The container's time may be that of its sound.
        counted = bool(stream.frames or stream.duration or not container.streams.audio)
        start, time_base = Fraction(max(0, container.start_time or 0), 10**6), stream.time_base
        aspect = stream.sample_aspect_ratio or Fraction(1)
    frame = next(_decode(path), None)
    if frame is None:
        raise GessoError(f"{path} is damaged: not one frame of it can be decoded.")
    height, width, _ = _pixels(frame, frame.width, frame.height).shape
    aspect = 1 / aspect if _axes(frame)[0] else aspect
    colors = (frame.colorspace, frame.color_primaries or UNSPECIFIED, frame.color_trc or UNSPECIFIED)
    return Film(path, width, height, rate, frames, start, time_base, aspect, colors, counted)


def opened(path: Path):
    """Opens the file as PyAV's container. Raises `GessoError` for all that is no film.

    FFmpeg looks at what is in a file, not at its name: a list of other files (`ffconcat`, a playlist) would have it
    open those. So it may take containers of films alone, and files alone.
    """
    try:
        import av
    except ImportError:
        raise GessoError("Films need PyAV: .venv/bin/pip install av") from None
    try:
        # "file:", else "a:b.mp4" is an address
        return av.open(f"file:{path}", options=dict(ONLY_FILMS), metadata_errors="replace")
    except FileNotFoundError:
        reason = "does not exist"
    except IsADirectoryError:
        reason = "is a folder, not a film"
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    except av.ArgumentError:
        reason = f"is of no kind that is read as a film ({' '.join(SUFFIXES)})"
    except av.FFmpegError as error:
        reason = "is empty" if path.stat().st_size == 0 else f"is no film, or damaged ({error.strerror})"
    raise GessoError(f"{path} {reason}.")


def _pictures(container, path: Path):
    """The first stream of moving pictures; the cover of an album is none."""
    for stream in container.streams.video:
        context = stream.codec_context
        if context is not None and not stream.disposition & stream.disposition.attached_pic:
            if context.width * context.height > LARGEST:
                raise GessoError(f"{path} has frames of {context.width}x{context.height} px, which is too large.")
            context.options = {"max_pixels": str(LARGEST)}  # it may say one size and have frames of another
            return stream
    raise GessoError(f"{path} has no moving pictures that can be decoded.")


def packets(container, streams, path: Path):
    """Yields the packets of some streams of the film `path`. Raises `GessoError` where it ends in the middle."""
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
    with opened(path) as container:
        stream = _pictures(container, path)
        stream.thread_type = "AUTO"
        for packet in packets(container, [stream], path):
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
