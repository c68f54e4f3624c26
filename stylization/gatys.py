"""`method=gatys`: the picture itself is optimised (Gatys et al. 2016). Minutes a picture, any style, untrained."""

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from core.errors import GessoError
from core.instantiate import build
from core.network_metadata import Metadata
from core.run import Run
from stylization import options
from stylization.method import Method, Paint


def check(config: DictConfig, metadata: Metadata | None = None) -> None:
    """Raises `GessoError` for what cannot be optimised."""
    own = config.gatys
    options.check_paintings(config, options.WHOSE)
    options.check_init(config)
    options.check_drawn(config, "init")
    options.check_style_weights(config, len(options.listed(config.style)))
    if len(options.listed(own.content_masks)) != len(options.listed(own.style_masks)):
        raise GessoError("gatys.content_masks and gatys.style_masks are pairs: give as many of each.")
    if config.init is not None and own.init != "content":
        raise GessoError(
            f"init= is a picture to start from, and gatys.init={own.init} another start: leave out one."
        )


def painter(config: DictConfig, network: Path | None = None) -> Paint:
    """Makes what paints by `config.gatys`. Raises `GessoError` where files are missing or wrong."""
    from stylization import optimization
    from stylization.objective import Style
    from stylization.progress import Curves

    optimization.not_in_float16("gatys")
    files, own = options.listed(config.style), config.gatys
    masks, style_masks = (
        options.read_masks(options.listed(own[key]), f"gatys.{key}") for key in ("content_masks", "style_masks")
    )
    weights = options.style_weights(config) or [1.0] * len(files)
    pictures = [options.read_picture(file) for file in files]
    for picture in pictures if style_masks is not None else ():
        options.check_shape("gatys.style_masks", style_masks[0].shape, picture.shape[:2], "style")
    styles = [Style(picture, w, style_masks) for picture, w in zip(pictures, weights, strict=True)]
    curves = own.log_every and Curves(Run(Path(HydraConfig.get().runtime.output_dir)), own.log_every)
    start = options.read_init(config)
    return optimization.painter(
        build(own.objective), styles, options.preserved(config), config.steps,
        curves=curves, masks=masks,
        strength=config.strength, style_scale=own.style_scale, optimizer=own.optimizer,
        learning_rate=own.learning_rate, coarsest=own.coarsest, init=own.init if start is None else start,
        seed=config.seed, tile=config.tile,
    )  # fmt: skip


METHOD = Method(
    keys=(
        "style",
        "style_weights",
        "strength",
        "preserve_color",
        "steps",
        "seed",
        "weights",
        "init",
        "save_every",
        "gatys",
    ),
    check=check,
    build=painter,
)
