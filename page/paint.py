"""Painting with the functions of `stylize.py`, watched: pictures, films, and what mends pictures."""

from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from core.errors import GessoError
from data import film
from page import commands
from page.commands import Options
from page.jobs import Job
from page.kept import kept
from stylization import arguments, methods
from stylization.method import Paint
from stylization.options import has_vgg

# Keys that a network need not be loaded again for.
PER_PICTURE = ("content", "output", "size", "region", "mask", "temporal_consistency")
KEPT = 3  # networks in memory

_kept: dict[tuple, Paint] = {}


def paint(options: Options, job: Job) -> Path:
    """Paints what `python stylize.py` would with these options, and returns the file, `options["output"]`.

    What was stopped on the way is there as far as it came, under another name. Raises `GessoError`.
    """
    content, output = options["content"], options["output"]
    with commands.composed("stylize", options) as config:
        arguments.check(config)
        method, network = methods.choose(config)
        if network is None and not has_vgg(config):
            raise GessoError(
                "To paint by optimisation, Gesso looks at pictures through VGG16, whose weights (59 MB) are not on "
                "this machine. The page itself downloads nothing: run `python stylize.py content=<photo> "
                "style=<painting> method=gatys` once, which does, or start the page with "
                "`python page.py weights=<file>`. Networks paint without."
            )
        chunks = methods.provenance(config, method, network)
        chunks |= arguments.settings(config, methods.METHODS[method].keys, network)

        from core import hardware

        config.trainer.threads = config.trainer.devices = None  # set before a process computes
        hardware.set_up(config)
        from stylization import painting, progress

        built = _built(config, options, method, network)
        total = None

        def frame(image: np.ndarray, before: np.ndarray | None) -> np.ndarray:
            painted = built(image, before)
            job.tick(lambda: painted, total)
            return painted

        try:
            if film.is_film(content):
                total, how = film.open(content).frames, (config.size, config.temporal_consistency, config.motion)
                with progress.watching(lambda *_: job.check()):
                    painting.paint_film(content, output, frame, chunks, *how)
            else:
                with progress.watching(job.tick):
                    painting.paint_picture(content, output, built, chunks, config.size)
        except KeyboardInterrupt:
            partial = next(output.parent.glob(f"{output.stem}.partial*"), None)
            if partial is None:
                raise
            return partial
    return output


def name_of(content: Path, how: str) -> str:
    """Names what is painted: `photo-starry_night`, without what a file name cannot hold."""
    plain = "".join(sign if sign.isalnum() or sign in "-_." else "_" for sign in f"{content.stem}-{Path(how).name}")
    return plain[:80]


def _built(config: DictConfig, options: Options, method: str, network: Path | None) -> Paint:
    """Makes what paints; of networks, those used last are kept."""
    if network is None or config.region is not None or config.mask is not None:
        return methods.build(config, method, network)
    key = (network.stat().st_mtime_ns, *sorted(f"{k}={v}" for k, v in options.items() if k not in PER_PICTURE))
    return kept(_kept, key, lambda: methods.build(config, method, network), KEPT)
