"""The page as a whole: its tabs, its look, and who may see it."""

import hmac
import logging
import threading

from omegaconf import DictConfig

from core.errors import GessoError
from core.files import expanded
from core.logs import begin_log
from page import files, guard

log = logging.getLogger(__name__)

LOCAL = ("127.0.0.1", "localhost", "::1")
NAMES = ("127.0.0.1", "localhost", "[::1]")  # by which browsers call them, whatever port is forwarded
STYLE = """
.gradio-container { max-width: 1200px !important; width: 100%; margin: auto; }
#gesso-head h1 { margin-bottom: 0; }
.whole .grid-wrap { min-height: 0; max-height: none; overflow: visible; }
.whole .grid-container {
  grid-template-columns: repeat(var(--grid-cols), minmax(0, 1fr)) !important; grid-auto-rows: auto !important;
}
progress { appearance: none; border: none; width: 60%; height: 0.6rem; vertical-align: middle; overflow: hidden; }
progress, progress::-webkit-progress-bar { background: var(--border-color-primary); border-radius: 0.3rem; }
progress::-webkit-progress-value { background: var(--color-accent); }
progress::-moz-progress-bar { background: var(--color-accent); }
@media (max-width: 640px) {
  .whole .grid-container { grid-template-columns: repeat(3, minmax(0, 1fr)) !important; }
}
button:focus-visible, input:focus-visible, [role=tab]:focus-visible { outline: 3px solid var(--color-accent); }
"""


def check(config: DictConfig) -> None:
    """Raises `GessoError` where the page would be open to all, or Gradio is not installed."""
    if config.host not in LOCAL and not config.password and not guard.on_a_space():
        raise GessoError(
            f"host={config.host} lets other machines in: password=<words> says who may. Without host= it is this "
            "machine alone."
        )
    try:
        guard.keep_quiet()
        import gradio  # noqa: F401
    except ImportError as error:
        raise GessoError(
            f"The page needs Gradio and what comes with it ({error}). To install it: .venv/bin/pip install "
            "--constraint constraints.txt --editable '.[page]', or make page."
        ) from None


def build(config: DictConfig):
    """Builds the page, a `gradio.Blocks` that is not served yet."""
    files.set_up()
    logging.getLogger("httpx").setLevel(logging.WARNING)  # Gradio asks itself whether it is there
    import gradio as gr

    from page import compare_tab, imagine_tab, mend_tab, paint_tab, widgets

    weights = None if config.weights is None else expanded(config.weights).resolve()
    with gr.Blocks(title="Gesso", analytics_enabled=False, delete_cache=(600, 86400)) as page:
        gr.Markdown("# Gesso\nMaking art with neural networks.", elem_id="gesso-head")
        with gr.Tab("Paint", id="paint"):
            paint_tab.build(weights)
        with gr.Tab("Imagine", id="imagine"):
            imagine_tab.build()
        with gr.Tab("Mend", id="mend"):
            mend_tab.build()
        with gr.Tab("Compare", id="compare"):
            compare_tab.build()
        page.unload(widgets.stop)
    return page.queue(default_concurrency_limit=4, max_size=64)


def serve(config: DictConfig) -> None:
    """Serves the page until Ctrl-C."""
    page = launch(build(config), config)
    begin_log()
    log.info("The page is at %s   (Ctrl-C ends it)", page.local_url)
    threading.Thread(target=_warm, daemon=True).start()
    page.block_thread()


def launch(page, config: DictConfig):
    """Begins to serve a page that was built, in threads of its own; returns it. Raises `GessoError`."""
    import gradio as gr
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    password = None if config.password is None else str(config.password)

    def known(name: str, given: str) -> bool:
        return hmac.compare_digest(given.encode(), password.encode())

    layers = [Middleware(guard.Policy)]
    if config.host in LOCAL and not password and not guard.on_a_space():
        # Nothing else keeps out a site that has its own name lead to this machine, and so is of one origin with us.
        layers.append(Middleware(TrustedHostMiddleware, allowed_hosts=NAMES, www_redirect=False))
    try:
        page.launch(
            server_name=config.host, server_port=config.port, inbrowser=config.browser, prevent_thread_lock=True,
            auth=None if password is None else known, auth_message="Any name, and the password.",
            share=False, quiet=True, show_error=True, ssr_mode=False, mcp_server=False, pwa=False,
            run_history=False, enable_monitoring=False, max_file_size=files.BYTES, allowed_paths=[],
            footer_links=["settings"], state_session_capacity=200, max_threads=16, css=STYLE,
            theme=_look(gr.themes.Default),
            app_kwargs={"middleware": layers},
        )  # fmt: skip
    except OSError as error:
        raise GessoError(f"host={config.host} port={config.port}: cannot listen there ({error}).") from error
    return page


def _look(theme):
    """Dresses the page: fonts that Gradio brings, and colours that words can be read on."""
    from gradio.themes.utils.fonts import LocalFont

    fonts = [LocalFont("Source Sans Pro", weights=(400, 700)), "ui-sans-serif", "sans-serif"]  # 600 has few letters
    mono = [LocalFont("IBM Plex Mono"), "ui-monospace", "monospace"]
    own = theme(primary_hue="amber", secondary_hue="stone", neutral_hue="stone", font=fonts, font_mono=mono)
    return own.set(
        color_accent="*primary_700", color_accent_soft="*primary_100", slider_color="*primary_600",
        button_primary_background_fill="*primary_700", button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_hover_dark="*primary_800",
    )  # fmt: skip


def _warm() -> None:
    """Imports TensorFlow while the visitor is still looking round."""
    from core import hardware

    hardware.load_tensorflow()
    import models.trained  # noqa: F401
