"""Films of other frames: H.264, with the timestamps and the sound of the film that they were made from."""

import io
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path

import numpy as np

from core.errors import GessoError
from core.files import atomic, unfinished
from core.images import provenance_text
from data import film as films
from data.film import EXACT, LIMITED, Film, opened, packets

log = logging.getLogger(__name__)

OUTPUTS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}  # hold H.264 and any timestamps

Stylize = Callable[[Iterator[np.ndarray]], Iterable[np.ndarray]]


def suffix(path: str | Path) -> str:
    """Returns the suffix for a film made of the film `path`: its own, or one of a kind that can hold its sound."""
    own = Path(path).suffix.lower()
    if own in OUTPUTS:
        return own
    try:
        with opened(Path(path)) as source:
            return next(suffix for suffix, kind in OUTPUTS.items() if _misfit(source, kind) is None)
    except (GessoError, StopIteration):  # to be said when the film is read
        return ".mp4"


def write(source: str | Path, output: str | Path, stylize: Stylize, metadata: Mapping[str, str]) -> None:
    """Writes the film `source` with other frames, as H.264: the same timestamps, the sound copied as it is.

    `stylize` gets an iterator of frames, uint8 [height, width, 3], and yields as many, in their order, all of one
    size. It may read ahead, a batch or so. `metadata` becomes the comment of the file, which appears when all is
    done; where it cannot be, the frames that are done are left in <name>.partial<suffix>. Raises `GessoError` if
    the source cannot be read, or the output not be written or not hold the sound; `ValueError` for other numbers
    of frames, or sizes.
    """
    film, output = films.open(source), Path(output)
    kind = OUTPUTS.get(output.suffix.lower())
    if kind is None:
        raise GessoError(f"{output}: films are written as {' '.join(OUTPUTS)}; choose one of these suffixes.")
    import av

    with opened(film.path) as sound:  # now, not after minutes of painting
        if misfit := _misfit(sound, kind):
            others = [suffix for suffix, other in OUTPUTS.items() if _misfit(sound, other) is None]
            advice = f"The suffix {others[0]} can." if others else "Convert it to AAC first."
            raise GessoError(f"{output} cannot hold the sound of {source} ({misfit}). {advice}")
    times: deque[tuple[int, int]] = deque()  # of the frames that are with `stylize`
    handed_out = _hand_out(film, times)
    stylized = iter(stylize(handed_out))
    first = next(stylized, None)
    if first is None:
        raise ValueError("stylize gave no frames")
    options = {} if kind == "matroska" else {"movflags": "faststart"}  # plays while it is still loading
    try:
        with (
            atomic(output) as temporary,
            av.open(f"file:{temporary}", "w", format=kind, options=options) as target,
            opened(film.path) as sound,
        ):
            target.metadata["comment"] = provenance_text(metadata)
            stream = _encoder(target, film, first)
            sounds = _sound(sound, target, film)
            packet = next(sounds, None)
            try:
                for pixels in chain([first], stylized):
                    if not times:
                        raise ValueError("stylize gave more frames than it got")
                    pts, duration = times.popleft()
                    # Sound and pictures in step: whatever comes too early, the container has to keep in memory.
                    while packet is not None and packet.dts * packet.time_base <= pts * film.time_base:
                        target.mux(packet)
                        packet = next(sounds, None)
                    target.mux(stream.encode(_frame(pixels, film, stream, pts, duration)))
                if times or next(handed_out, None) is not None:
                    raise ValueError("stylize gave fewer frames than the film has")
                target.mux(stream.encode(None))
                while packet is not None:
                    target.mux(packet)
                    packet = next(sounds, None)
            except BaseException:  # Ctrl-C too: what took hours must not be lost
                _keep(target, stream, temporary, output)
                raise
    except av.FFmpegError as error:
        raise GessoError(f"Could not write {output}: {error.strerror}.") from error


def comment(path: Path) -> str | None:
    """Returns the provenance that `write` put into a film, as `provenance_text`; None where there is none."""
    try:
        with opened(path) as film:
            return film.metadata.get("comment") or film.metadata.get("COMMENT")
    except GessoError:
        return None


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
    if film.frames and film.counted and count < 0.9 * film.frames:
        log.warning("%s ends early: it says %d frames and has %d", film.path, film.frames, count)


def _encoder(target, film: Film, first: np.ndarray):
    """The stream for pictures of the first one's size. Chroma is halved as everywhere, unless a side is odd."""
    height, width, _ = first.shape
    stream = target.add_stream("libx264", rate=film.rate, options={"crf": "18", "preset": "medium"})
    stream.width, stream.height = width, height
    stream.pix_fmt = "yuv444p" if width % 2 or height % 2 else "yuv420p"
    stream.time_base = stream.codec_context.time_base = film.time_base  # 1 / rate would round variable rates
    context = stream.codec_context
    context.sample_aspect_ratio = film.aspect
    context.colorspace, context.color_primaries, context.color_trc = film.colors
    context.color_range = LIMITED
    context.flags |= 1 << 8  # frame_duration: the last frame, too, stays as long as it did
    context.thread_type = "AUTO"  # slices, the default, cost quality
    return stream


def _frame(pixels: np.ndarray, film: Film, stream, pts: int, duration: int):
    import av

    if pixels.shape != (stream.height, stream.width, 3):
        raise ValueError(f"stylize gave a frame {pixels.shape} after others of {stream.height} x {stream.width}")
    rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
    rgb.colorspace, rgb.color_primaries, rgb.color_trc = film.colors
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
    for packet in packets(container, [container.streams[i] for i in copies], film.path) if copies else ():
        if packet.dts is not None:  # the last one of each stream is empty
            start = round(film.start / packet.time_base)
            packet.dts -= start
            packet.pts = None if packet.pts is None else packet.pts - start
            packet.stream = copies[packet.stream.index]
            yield packet
