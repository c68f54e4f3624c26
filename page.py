"""Opens a page in the browser to paint, imagine, mend and compare on: `python page.py`."""

from omegaconf import DictConfig

from core.cli import main
from page import app


@main("page", files=("weights",))
def page(config: DictConfig) -> None:
    app.check(config)
    app.serve(config)


if __name__ == "__main__":
    page()
