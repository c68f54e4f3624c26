"""Fixtures of the page's tests: tiny networks, a page that is served, a browser."""

import importlib.util
import json
import os
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

from core.network_metadata import Metadata

CHROMIUM = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--window-size=1280,1400",
)  # fmt: skip
CONFIG = {"host": "127.0.0.1", "port": 0, "password": None, "browser": False, "weights": None}


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Finds a port that nobody listens at."""

    def found() -> int:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            return bound.getsockname()[1]

    return found


@pytest.fixture(scope="module", autouse=True)
def nothing_is_kept():
    """A file leaves none of the networks in memory that the page keeps."""
    yield
    from page import imagine, paint, thumbnails

    for kept in (imagine._kept, paint._kept, thumbnails._kept):
        kept.clear()


@pytest.fixture(scope="session")
def idle():
    """Says whether nothing is being worked on, within so many seconds: `idle(5)`."""
    from page import jobs

    def waited(seconds: float) -> bool:
        until = time.monotonic() + seconds
        while jobs._turn.locked() and time.monotonic() < until:
            time.sleep(0.05)
        return not jobs._turn.locked()

    return waited


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `outputs/` of networks that were never trained, two short runs, and pictures."""
    import keras

    from models import trained
    from models.networks import dcgan, srresnet, transform_net, unet

    root = tmp_path_factory.mktemp("place")
    keras.utils.set_random_seed(0)

    def export(network: keras.Model, kind: str, name: str, **facts) -> None:
        (root / "outputs" / name).mkdir(parents=True)
        geometry = getattr(network, "geometry", None)
        trained.save(network, root / "outputs" / name / f"{kind}.keras", Metadata(kind, geometry=geometry, **facts))

    two = transform_net.transformer(width=4, blocks=1, styles=2)
    export(two, "stylizer", "two", method="fast", styles=("red", "blue"))
    export(srresnet.generator((32, 32, 3), (8, 8, 3), width=4, blocks=1), "translator", "enlarge",
           method="translate", task="super_resolution")  # fmt: skip
    export(unet.generator((32, 32, 3), (32, 32, 4), width=4), "translator", "fill", method="translate",
           task="inpaint", image_size=32)  # fmt: skip
    latent, tokens = keras.Input((4,)), keras.Input((3,), dtype="int32")
    read = keras.layers.Flatten()(keras.layers.Embedding(5, 2)(tokens))
    painted = keras.layers.Dense(8 * 8 * 3, "tanh")(keras.layers.Concatenate()([latent, read]))
    export(keras.Model([latent, tokens], keras.layers.Reshape((8, 8, 3))(painted)), "generator", "words",
           words=("a", "red", "circle"), sentence_length=3, sentences=("a circle", "a red"))  # fmt: skip
    for number in (1, 2):
        kinds = {"num_classes": 3, "condition": "concat"} if number == 1 else {}
        generator = dcgan.generator((32, 32, 3), latent_dim=6, width=4, **kinds)
        run = root / "outputs" / f"run{number}"
        export(generator, "generator", run.name, classes=("reds", "greens", "blues") if number == 1 else ())
        (run / ".hydra").mkdir()
        (run / ".hydra" / "config.yaml").write_text("seed: 1\n")
        (run / ".hydra" / "overrides.yaml").write_text("[]\n")
        rows = [*({"step": step, "loss": 1 / step} for step in range(1, 5)), {"step": 4, "name": "x"}]
        (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (run / "samples").mkdir()
        for step in (2, 4):
            Image.new("RGB", (40, 40), (50 * step, 0, 50 * number)).save(run / "samples" / f"step_{step:08d}.png")
    rng = np.random.default_rng(0)
    for name in ("photo", "painting", "second"):
        noise = Image.fromarray(rng.integers(0, 255, (6, 8, 3), np.uint8))
        noise.resize((128, 96), Image.Resampling.BICUBIC).save(root / f"{name}.png")
    return root


@pytest.fixture(scope="session")
def film(place: Path) -> Path:
    """A film of 400 frames."""
    import av

    path = place / "film.mp4"
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for number in range(400):
            pixels = np.full((96, 128, 3), number % 250, np.uint8)
            target.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        target.mux(stream.encode(None))
    return path


@pytest.fixture
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, as the working directory."""
    monkeypatch.chdir(place)
    return place


@pytest.fixture(scope="module")
def site(place: Path, free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory):
    """The address of a page that is served from `place`, where `zoo/` is empty, as its networks take long.

    Skips where Gradio, Selenium or Chromium is missing.
    """
    missing = [name for name in ("gradio", "selenium") if importlib.util.find_spec(name) is None]
    missing += [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)}; make test-page installs what can be installed")
    from core import zoo
    from page import app

    before, full = Path.cwd(), zoo.FOLDER
    os.chdir(place)
    zoo.FOLDER = tmp_path_factory.mktemp("zoo")
    config = OmegaConf.create({**CONFIG, "port": free_port()})
    app.check(config)
    page = app.launch(app.build(config), config)
    yield page.local_url
    page.close()
    os.chdir(before)
    zoo.FOLDER = full


class Browser:
    """Chromium on the page: what the tests do with it, by the elements' names."""

    def __init__(self, site: str, downloads: Path):
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        for argument in CHROMIUM:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
        options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self.downloads, self.site = downloads, site
        self.open()

    def open(self) -> None:
        """Opens the page, anew."""
        self.driver.get(self.site)
        self.until(lambda: self.all("#paint-how input")[0].get_attribute("value"))

    def all(self, selector: str) -> list:
        """Finds elements by a CSS selector."""
        return self.driver.find_elements("css selector", selector)

    def until(self, holds: Callable, seconds: float = 120):
        """Waits until something holds, and returns it."""
        end = time.monotonic() + seconds
        while True:
            try:
                if found := holds():
                    return found
            except Exception as error:
                if time.monotonic() > end:
                    raise error
            assert time.monotonic() < end, self.all("body")[0].text[-1500:]
            time.sleep(0.1)

    def tab(self, name: str) -> None:
        """Opens a tab."""
        next(tab for tab in self.all("[role=tab]") if tab.text == name).click()
        self.until(lambda: self.all(f"#{name.lower()}-go")[0].is_displayed())

    def click(self, name: str) -> None:
        """Clicks on an element."""
        self.until(lambda: self.all(f"#{name}"))[0].click()

    def text(self, name: str) -> str:
        """Returns what an element says."""
        return self.all(f"#{name}")[0].text

    def bring(self, name: str, file: Path) -> None:
        """Uploads a file, and waits until it is there."""
        self.until(lambda: self.all(f"#{name} input[type=file]"))[0].send_keys(str(file))
        self.until(lambda: self.all(f"#{name} img, #{name} .file-preview"))

    def choose(self, name: str, words: str) -> None:
        """Chooses from a list."""
        self.until(lambda: self.all(f"#{name} input"))[0].click()
        self.until(lambda: [o for o in self.all("[role=option]") if words in o.text])[0].click()

    def download(self, selector: str, suffix: str) -> Path:
        """Clicks on what downloads, and returns the file when it is there."""
        before = set(self.downloads.glob(f"*{suffix}"))
        self.until(lambda: self.all(selector))[0].click()
        return self.until(lambda: set(self.downloads.glob(f"*{suffix}")) - before).pop()

    def requests(self) -> list[str]:
        """Lists the addresses that the browser has asked for since the last time."""
        entries = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        return [e["params"]["request"]["url"] for e in entries if e["method"] == "Network.requestWillBeSent"]


@pytest.fixture(scope="module")
def browser(site: str, tmp_path_factory: pytest.TempPathFactory):
    """A browser on the page, one for all tests."""
    opened = Browser(site, tmp_path_factory.mktemp("downloads"))
    yield opened
    opened.driver.quit()


@pytest.fixture
def other(site: str, tmp_path: Path):
    """Another visitor's browser."""
    opened = Browser(site, tmp_path)
    yield opened
    opened.driver.quit()
