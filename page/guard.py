"""What keeps the page to itself: Gradio asks nobody, and answers to no address that leads elsewhere."""

import os
from typing import Any

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "frame-ancestors {ancestors}; form-action 'self'; base-uri 'self'"
)
SPACES = "'self' https://huggingface.co"  # which shows pages in a frame


def on_a_space() -> bool:
    """Says whether this is a Hugging Face Space, which itself asks who may come in."""
    return "SPACE_ID" in os.environ


def keep_quiet() -> None:
    """Has Gradio fetch and report nothing; to be called before it is imported.

    By default it reports every launch, looks for newer versions, and fetches whatever address a visitor names in
    place of an upload.
    """
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1"}
    import safehttpx

    async def refuse(*arguments: Any, **options: Any) -> Any:
        raise ValueError("This page fetches nothing from elsewhere.")

    safehttpx.get = safehttpx.async_validate_url = refuse


class Policy:
    """A layer around the page's application: the browser, too, is told to load nothing from elsewhere."""

    def __init__(self, app: Any):
        ancestors = SPACES if on_a_space() else "'self'"
        self.app = app
        self.headers = [
            (b"content-security-policy", POLICY.format(ancestors=ancestors).encode()),
            (b"referrer-policy", b"same-origin"),
            (b"x-content-type-options", b"nosniff"),
        ]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Passes a request on, and the answer with the headers that say so."""

        async def with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self.headers]
            await send(message)

        await self.app(scope, receive, with_policy if scope["type"] == "http" else send)
