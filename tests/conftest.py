"""Fixtures that all tests share."""

import gc
import os
import resource
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import hydra
import pytest
from omegaconf import OmegaConf

from core.hardware import prefer_onednn
from tests import compositions
from tests.forks import AVAILABLE, Forks

prefer_onednn()  # as train.py, before anything imports TensorFlow
for pool in ("TF_NUM_INTRAOP_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(pool, "1")  # what tests compute is small, and there is a worker for each core
ROOT = Path(__file__).resolve().parent.parent
os.environ["GESSO_LOCAL"] = "none"  # what a user has in conf/local/ is not for tests


def pytest_collection_finish() -> None:
    """What was imported stays: Python's collector need not look through it again and again, nor as often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


LONGEST = (  # files that begin first, so that no worker is left with one of them when the others are done
    "scripts/test_train.py", "models/test_matrix.py", "page/test_browser.py", "scripts/test_translate.py",
    "models/test_translation.py", "scripts/test_stylize.py", "models/test_gan.py", "models/test_growth.py",
    "training/test_faults.py", "training/test_start.py", "training/test_replicas.py", "scripts/test_evaluate.py",
    "scripts/test_own_system.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts the longest files to the front; the others stay as they are."""
    places = {ROOT / "tests" / name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="module", autouse=True)
def tidied():
    """Each file leaves what Keras keeps of its networks: together they would take gigabytes."""
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].utils.clear_session()
        gc.freeze()  # what TensorFlow keeps of all that was traced


@pytest.fixture(scope="session", autouse=True)
def graphs_as_traced():
    """Here steps run once or twice: to rewrite their graphs takes longer. Scripts have them rewritten as ever."""
    if "tensorflow" in sys.modules:
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


@pytest.fixture(scope="session", autouse=True)
def composed_once():
    """Command lines that tests compose themselves share what their groups make; scripts compose as ever."""
    compositions.remember_files()
    hydra.compose = compositions.compose
    yield
    hydra.compose, OmegaConf.load = compositions.real, compositions.load


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory):
    """Tests neither see nor fill the user's cache of pictures."""
    before = os.environ.get("GESSO_CACHE")
    os.environ["GESSO_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield Path(os.environ["GESSO_CACHE"])
    if before is None:
        del os.environ["GESSO_CACHE"]
    else:
        os.environ["GESSO_CACHE"] = before


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Real data (`GESSO_TEST_DATA`, by default ../shared/data beside the checkout); skips where there is none."""
    folder = Path(os.environ.get("GESSO_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no test data in {folder}; GESSO_TEST_DATA names another folder")
    return folder


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory, private_cache: Path):
    """Starts one of the scripts as a user would: `start("train.py", "steps=5", ...)` gives the process.

    In a temporary folder, unless `cwd` says in which: `outputs/` is the user's.
    """
    elsewhere = tmp_path_factory.mktemp("working_directory")
    forks = Forks(elsewhere) if AVAILABLE else None

    def begin(name: str, *arguments: object, cwd: Path | None = None, **environment: str):
        given, where = [str(ROOT / name), *map(str, arguments)], cwd or elsewhere
        if forks is not None:
            return forks.start(given, where, os.environ | environment)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([sys.executable, *given], cwd=where, env=os.environ | environment, **pipes)

    yield begin
    if forks is not None:
        forks.close()


@pytest.fixture(scope="session")
def script(start):
    """Runs one of the scripts to its end, as `start` does: `script("train.py", "steps=5", ...)`."""

    def run(*given: object, timeout: float = 600, **options):
        process = start(*given, **options)
        said = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(process.args, process.returncode, *said)

    return run


@pytest.fixture(scope="session")
def vgg_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of random weights of VGG16: what is computed with them is right or wrong as with ImageNet's."""
    import keras

    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("weights") / "vgg16.weights.h5"
    keras.applications.VGG16(include_top=False, weights=None).save_weights(path)
    return path


@pytest.fixture(scope="session")
def tiny_words():
    """Makes an untrained text encoder of pictures of a shape, which knows the words of four pictures' captions."""
    from core.vocabulary import Vocabulary
    from models.networks import text
    from models.words import Words

    captions = [["a red circle", "red, a circle"], ["a blue square"], ["two red squares"], ["a black line"]]

    def made(image_shape: tuple[int, int, int] = (16, 16, 1)) -> Words:
        vocabulary = Vocabulary.of(sentence for of_one in captions for sentence in of_one)
        reader = text.sentences(vocabulary.size, vocabulary.length, dimensions=6, width=8)
        network = text.joined(reader, text.pictures(image_shape, dimensions=6, width=2))
        network.trainable = False
        return Words(network, vocabulary, captions)

    return made


@pytest.fixture
def largest_file():
    """Has the system refuse whatever makes a file larger, as a full disk would: `with largest_file(1000): ...`."""

    @contextmanager
    def limited(size: int):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited
